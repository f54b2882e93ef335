package contract

import (
	"bytes"
	"unicode/utf8"
)

// walker holds the bytes of an event to a shape in one pass and builds nothing.
// Its yes is certain: decodeJSON and the validator would find no fault. Its no
// only means that they have to be asked. So whatever is rare or hard to be sure
// of (an escape in a name, two hundred fields) is a no, and costs time alone.
type walker struct {
	jsonReader
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
	w := walker{jsonReader: jsonReader{text: text, maxDepth: MaxDepth}, reread: maxRereads * len(text)}
	if !w.value(s, 0) {
		return false
	}
	w.space()
	return w.fault == nil && w.at == len(text)
}

// value passes one value. After a no the walker stands anywhere.
func (w *walker) value(s *shape, depth int) bool {
	c := w.next()
	start := w.at
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
	end, open := w.at, w.open
	for _, s := range shapes {
		w.reread -= end - start
		if w.reread < 0 {
			return false
		}
		w.at = start
		if w.value(s, depth) {
			return w.at == end
		}
		w.open = open
	}
	return false
}

func (w *walker) single(s *shape, c byte, depth int) bool {
	switch c {
	case '{':
		return s.kinds&kindObject != 0 && len(s.choices) == 0 && depth < w.maxDepth && w.members(s, depth+1)
	case '[':
		return s.kinds&kindArray != 0 && len(s.choices) == 0 && depth < w.maxDepth && w.elements(s, depth+1)
	case '"':
		return s.kinds&kindString != 0 && w.characters(s)
	case 't':
		return s.kinds&kindBoolean != 0 && s.offer(isTrue) && w.word("true")
	case 'f':
		return s.kinds&kindBoolean != 0 && s.offer(isFalse) && w.word("false")
	case 'n':
		return s.kinds&kindNull != 0 && s.offer(isNull) && w.word("null")
	}
	return s.kinds&kindNumber != 0 && w.figure(s)
}

func (w *walker) word(word string) bool {
	w.literal(word, nil)
	return w.fault == nil
}

func (w *walker) members(s *shape, depth int) bool {
	w.at++
	var seen uint64
	open, count := w.open, 0
	for closed := w.take('}'); !closed; count++ {
		child := w.member(s, &seen, open)
		if child == nil || !w.take(':') || !w.value(child, depth) {
			return false
		}
		if closed = w.take('}'); !closed && !w.take(',') {
			return false
		}
	}
	w.open = open
	return seen&s.required == s.required && count >= s.minMembers && count <= s.maxMembers
}

// member passes a name and returns the shape of its value, nil when it is not
// surely a new one.
func (w *walker) member(s *shape, seen *uint64, open int) *shape {
	if w.next() != '"' {
		return nil
	}
	start := w.at
	if escaped, ok := w.passString(); escaped || !ok {
		return nil
	}
	name := w.text[start+1 : w.at-1]
	if i, known := s.names[string(name)]; known {
		bit := uint64(1) << i
		if *seen&bit != 0 {
			return nil
		}
		*seen |= bit
		return s.members[i]
	}
	if !w.first(start+1, w.at-1, open) {
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
	name := w.text[from:to]
	for _, other := range w.names[open:w.open] {
		if string(w.text[other.from:other.to]) == string(name) {
			return false
		}
	}
	w.names[w.open] = span{int32(from), int32(to)}
	w.open++
	return true
}

func (w *walker) elements(s *shape, depth int) bool {
	w.at++
	open, count := w.open, 0
	for closed := w.take(']'); !closed; count++ {
		c, start := w.next(), w.at
		if !w.value(s.element(count), depth) {
			return false
		}
		if s.unique && (c != '"' || !w.unlike(start, open)) {
			return false
		}
		if closed = w.take(']'); !closed && !w.take(',') {
			return false
		}
	}
	w.open = open
	return count >= s.minElements && count <= s.maxElements
}

// unlike reports whether the string from start is surely none of those since
// open. One that is spelt with an escape may be.
func (w *walker) unlike(start, open int) bool {
	return bytes.IndexByte(w.text[start:w.at], '\\') < 0 && w.first(start, w.at, open)
}

func (w *walker) characters(s *shape) bool {
	start := w.at
	escaped, ok := w.passString()
	switch {
	case !ok:
		return false
	case escaped:
		content := w.unescape(start)
		return w.fault == nil && s.fitsText([]byte(content))
	}
	return s.anyText || s.fitsText(w.text[start+1:w.at-1])
}

func (w *walker) figure(s *shape) bool {
	start := w.at
	return w.passNumber() && (s.anyNumber || s.fitsNumber(w.text[start:w.at]))
}
