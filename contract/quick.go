package contract

import (
	"bytes"
	"unicode/utf8"

	"factline.dev/contract/wire"
)

// walker holds the bytes of an event to a shape in one pass and builds nothing.
// Its yes is certain: decodeJSON and the validator would find no fault. Its no
// only means that they have to be asked. So whatever is rare or hard to be sure
// of (an escape in a name, two hundred fields) is a no, and costs time alone.
type walker struct {
	wire.Scanner
	// names are those of the open objects that no schema knows, and the elements
	// of an open array that must be unique. Pointers would move them to the heap.
	names [maxStrange]span
	open  int
	// reread bounds the bytes that are read again for anyOf.
	reread int
}

type span struct{ from, to int32 }

const (
	// maxStrange is how many names that no schema knows may be open: each is
	// compared with those of its object.
	maxStrange = 96
	maxRereads = 8
)

// accepts reports whether the event is surely valid. A nil shape is sure of
// nothing.
func (s *shape) accepts(text []byte) (sure bool) {
	defer func() {
		if recover() != nil {
			sure = false // the validator's own functions may give up, as in Event.validate
		}
	}()
	return s != nil && s.walk(text)
}

func (s *shape) walk(text []byte) bool {
	if len(text) > MaxValueBytes || !utf8.Valid(text) {
		return false
	}
	w := walker{Scanner: wire.Scanner{Text: text, MaxDepth: MaxDepth}, reread: maxRereads * len(text)}
	if !w.value(s, 0) {
		return false
	}
	w.Space()
	return w.Fault == nil && w.At == len(text)
}

// value passes one value. After a no the walker stands anywhere.
func (w *walker) value(s *shape, depth int) bool {
	c := w.Next()
	start := w.At
	if !w.single(s, c, depth) {
		return false
	}
	for _, shapes := range s.either {
		if !w.anyOf(shapes, start, depth) {
			return false
		}
	}
	return true
}

// anyOf reads the value before the walker again, until one of the shapes fits.
func (w *walker) anyOf(shapes []*shape, start, depth int) bool {
	end, open := w.At, w.open
	for _, s := range shapes {
		w.reread -= end - start
		if w.reread < 0 {
			return false
		}
		w.At = start
		if w.value(s, depth) {
			return w.At == end
		}
		w.open = open
	}
	return false
}

func (w *walker) single(s *shape, c byte, depth int) bool {
	switch c {
	case '{':
		return s.kinds&kindObject != 0 && len(s.choices) == 0 && depth < w.MaxDepth && w.members(s, depth+1)
	case '[':
		return s.kinds&kindArray != 0 && len(s.choices) == 0 && depth < w.MaxDepth && w.elements(s, depth+1)
	case '"':
		return s.kinds&kindString != 0 && w.characters(s)
	case 't':
		return s.kinds&kindBoolean != 0 && s.offer(isTrue) && w.Word("true")
	case 'f':
		return s.kinds&kindBoolean != 0 && s.offer(isFalse) && w.Word("false")
	case 'n':
		return s.kinds&kindNull != 0 && s.offer(isNull) && w.Word("null")
	}
	return s.kinds&kindNumber != 0 && w.figure(s)
}

func (w *walker) members(s *shape, depth int) bool {
	w.At++
	var seen uint64
	open, count := w.open, 0
	for closed := w.Take('}'); !closed; count++ {
		child := w.member(s, &seen, open)
		if child == nil || !w.Take(':') || !w.value(child, depth) {
			return false
		}
		if closed = w.Take('}'); !closed && !w.Take(',') {
			return false
		}
	}
	w.open = open
	return seen&s.required == s.required && count >= s.minMembers && count <= s.maxMembers
}

// member passes a name and returns the shape of its value, nil when it is not
// surely a new one.
func (w *walker) member(s *shape, seen *uint64, open int) *shape {
	if w.Next() != '"' {
		return nil
	}
	start := w.At
	if escaped, ok := w.PassString(); escaped || !ok {
		return nil
	}
	name := w.Text[start+1 : w.At-1]
	if i, known := s.names[string(name)]; known {
		bit := uint64(1) << i
		if *seen&bit != 0 {
			return nil
		}
		*seen |= bit
		return s.members[i]
	}
	if !w.first(start+1, w.At-1, open) {
		return nil
	}
	return s.stranger(name)
}

// first remembers a name and reports whether it stands first among the names
// from open on.
func (w *walker) first(from, to, open int) bool {
	if w.open == maxStrange {
		return false
	}
	name := w.Text[from:to]
	for _, other := range w.names[open:w.open] {
		if string(w.Text[other.from:other.to]) == string(name) {
			return false
		}
	}
	w.names[w.open] = span{int32(from), int32(to)}
	w.open++
	return true
}

func (w *walker) elements(s *shape, depth int) bool {
	w.At++
	open, count := w.open, 0
	for closed := w.Take(']'); !closed; count++ {
		c, start := w.Next(), w.At
		if !w.value(s.element(count), depth) {
			return false
		}
		if s.unique && (c != '"' || !w.unlike(start, open)) {
			return false
		}
		if closed = w.Take(']'); !closed && !w.Take(',') {
			return false
		}
	}
	w.open = open
	return count >= s.minElements && count <= s.maxElements
}

// unlike reports whether the string from start is surely none of those since
// open. One that is spelt with an escape may be.
func (w *walker) unlike(start, open int) bool {
	return bytes.IndexByte(w.Text[start:w.At], '\\') < 0 && w.first(start, w.At, open)
}

func (w *walker) characters(s *shape) bool {
	start := w.At
	escaped, ok := w.PassString()
	switch {
	case !ok:
		return false
	case escaped:
		content := w.Unescape(start)
		return w.Fault == nil && s.fitsText([]byte(content))
	}
	return s.anyText || s.fitsText(w.Text[start+1:w.At-1])
}

func (w *walker) figure(s *shape) bool {
	start := w.At
	return w.PassNumber() && (s.anyNumber || s.fitsNumber(w.Text[start:w.At]))
}
