package contract

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

const (
	// maxNumberLength and maxExponentDigits keep a number from costing more
	// than its bytes: exact arithmetic on 1e999999 takes a megabyte.
	maxNumberLength   = 64
	maxExponentDigits = 3
)

// fault is what keeps bytes from being read as JSON, and where.
type fault struct {
	offset  int
	message string
}

// decodeJSON reads one JSON value, stricter than encoding/json: bounded depth
// and numbers, valid UTF-8, no name twice in an object (two readers would see
// two different events). Numbers stay [json.Number]. It exists because the
// tokens of encoding/json, the only way to those checks, cost more than the
// validation that follows.
func decodeJSON(text []byte, maxBytes, maxDepth int) (any, *fault) {
	switch {
	case len(text) > maxBytes:
		return nil, &fault{message: fmt.Sprintf("is %d bytes long, over the limit of %d", len(text), maxBytes)}
	case !utf8.Valid(text):
		return nil, &fault{message: "is not valid UTF-8"}
	}
	r := &jsonReader{text: text, maxDepth: maxDepth}
	value := r.value(0)
	if r.space(); r.fault == nil && r.at < len(text) {
		r.fail("holds more after its first JSON value")
	}
	if r.fault != nil {
		return nil, r.fault
	}
	return value, nil
}

// jsonReader stands at a byte of the text. After the first fault it stays
// where it is and every further step does nothing.
type jsonReader struct {
	text     []byte
	at       int
	maxDepth int
	fault    *fault
}

const invalidJSON = "is not valid JSON"

func (r *jsonReader) fail(message string) {
	if r.fault == nil {
		r.fault = &fault{offset: r.at, message: message}
		r.at = len(r.text)
	}
}

func (r *jsonReader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// next skips space and returns the byte after it without taking it, 0 at the
// end.
func (r *jsonReader) next() byte {
	r.space()
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *jsonReader) take(c byte) bool {
	if r.next() != c || r.at == len(r.text) {
		return false
	}
	r.at++
	return true
}

func (r *jsonReader) value(depth int) any {
	switch c := r.next(); c {
	case '{', '[':
		if depth == r.maxDepth {
			r.fail(fmt.Sprintf("nests deeper than %d levels", r.maxDepth))
			return nil
		}
		r.at++
		if c == '{' {
			return r.object(depth + 1)
		}
		return r.array(depth + 1)
	case '"':
		return r.string()
	case 't':
		return r.literal("true", true)
	case 'f':
		return r.literal("false", false)
	case 'n':
		return r.literal("null", nil)
	}
	return r.number()
}

func (r *jsonReader) literal(word string, value any) any {
	if end := r.at + len(word); end <= len(r.text) && string(r.text[r.at:end]) == word {
		r.at = end
		return value
	}
	r.fail(invalidJSON)
	return nil
}

func (r *jsonReader) object(depth int) any {
	object := map[string]any{}
	if r.take('}') {
		return object
	}
	for r.fault == nil {
		if r.next() != '"' {
			r.fail(invalidJSON)
			return nil
		}
		name := r.string()
		if _, twice := object[name]; twice {
			r.fail("has the same name twice in an object")
			return nil
		}
		if !r.take(':') {
			r.fail(invalidJSON)
			return nil
		}
		object[name] = r.value(depth)
		if r.take('}') {
			break
		}
		if !r.take(',') {
			r.fail(invalidJSON)
		}
	}
	return object
}

func (r *jsonReader) array(depth int) any {
	array := []any{}
	if r.take(']') {
		return array
	}
	for r.fault == nil {
		array = append(array, r.value(depth))
		if r.take(']') {
			break
		}
		if !r.take(',') {
			r.fail(invalidJSON)
		}
	}
	return array
}

// string reads a string whose opening quote is next. Escapes are rare in
// events and left to encoding/json.
func (r *jsonReader) string() string {
	start := r.at
	switch escaped, ok := r.passString(); {
	case !ok:
		return ""
	case escaped:
		return r.unescape(start)
	}
	return string(r.text[start+1 : r.at-1])
}

// passString goes behind the string whose opening quote is next. What its
// escapes mean, and whether they mean anything, is left to unescape.
func (r *jsonReader) passString() (escaped, ok bool) {
	for i := r.at + 1; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			r.at = i
			r.fail(invalidJSON)
			return escaped, false
		case c == '"':
			r.at = i + 1
			return escaped, true
		}
	}
	r.fail(invalidJSON)
	return escaped, false
}

func (r *jsonReader) unescape(start int) string {
	var s string
	if err := json.Unmarshal(r.text[start:r.at], &s); err != nil {
		r.at = start
		r.fail(invalidJSON)
	}
	return s
}

func (r *jsonReader) number() any {
	start := r.at
	if !r.passNumber() {
		return nil
	}
	return json.Number(r.text[start:r.at])
}

func (r *jsonReader) passNumber() bool {
	start := r.at
	r.skip('-')
	if !r.skip('0') && r.digits() == 0 {
		r.fail(invalidJSON)
		return false
	}
	if r.skip('.') && r.digits() == 0 {
		r.fail(invalidJSON)
		return false
	}
	if r.skip('e') || r.skip('E') {
		if !r.skip('+') {
			r.skip('-')
		}
		switch n := r.digits(); {
		case n == 0:
			r.fail(invalidJSON)
		case n > maxExponentDigits:
			r.fail("holds a number beyond what an event may carry")
		}
	}
	if r.fault == nil && r.at-start > maxNumberLength {
		r.fail("holds a number beyond what an event may carry")
	}
	return r.fault == nil
}

// skip takes c if it is the very next byte.
func (r *jsonReader) skip(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *jsonReader) digits() int {
	start := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at - start
}
