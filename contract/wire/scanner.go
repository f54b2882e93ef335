package wire

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
)

const (
	// MaxNumberLength and maxExponentDigits keep a number from costing more
	// than its bytes: exact arithmetic on 1e999999 takes a megabyte.
	MaxNumberLength   = 64
	maxExponentDigits = 3
)

// Fault is what keeps bytes from being read as JSON, and where.
type Fault struct {
	Offset  int
	Message string
}

// Scanner stands at a byte of the text. After the first fault it stands at the
// end and every further step does nothing. It judges tokens and leaves their
// order to its user, and expects valid UTF-8.
type Scanner struct {
	Text     []byte
	At       int
	MaxDepth int
	Fault    *Fault
}

// InvalidJSON is the message for what is no JSON.
const InvalidJSON = "is not valid JSON"

// Fail notes the first fault.
func (r *Scanner) Fail(message string) {
	if r.Fault == nil {
		r.Fault = &Fault{Offset: r.At, Message: message}
		r.At = len(r.Text)
	}
}

// Space skips white space.
func (r *Scanner) Space() {
	for r.At < len(r.Text) {
		switch r.Text[r.At] {
		case ' ', '\t', '\n', '\r':
			r.At++
		default:
			return
		}
	}
}

// Next skips space and returns the byte after it without taking it, 0 at the
// end.
func (r *Scanner) Next() byte {
	if r.At < len(r.Text) && r.Text[r.At] > ' ' { // events are written without space
		return r.Text[r.At]
	}
	return r.nextBehindSpace()
}

func (r *Scanner) nextBehindSpace() byte {
	r.Space()
	if r.At < len(r.Text) {
		return r.Text[r.At]
	}
	return 0
}

// Take passes c if it is the next byte after white space.
func (r *Scanner) Take(c byte) bool {
	if r.Next() != c || r.At == len(r.Text) {
		return false
	}
	r.At++
	return true
}

// Word passes true, false or null.
func (r *Scanner) Word(word string) bool {
	if end := r.At + len(word); end <= len(r.Text) && string(r.Text[r.At:end]) == word {
		r.At = end
		return true
	}
	r.Fail(InvalidJSON)
	return false
}

// ReadString reads a string whose opening quote is next. Escapes are rare in
// events and left to encoding/json.
func (r *Scanner) ReadString() string {
	start := r.At
	switch escaped, ok := r.PassString(); {
	case !ok:
		return ""
	case escaped:
		return r.Unescape(start)
	}
	return string(r.Text[start+1 : r.At-1])
}

// PassString goes behind the string whose opening quote is next. What its
// escapes mean, and whether they mean anything, is left to [Scanner.Unescape].
func (r *Scanner) PassString() (escaped, ok bool) {
	for i := r.At + 1; i < len(r.Text); i++ {
		if i = pastPlain(r.Text, i); i == len(r.Text) {
			break
		}
		switch c := r.Text[i]; {
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			r.At = i
			r.Fail(InvalidJSON)
			return escaped, false
		case c == '"':
			r.At = i + 1
			return escaped, true
		}
	}
	r.Fail(InvalidJSON)
	return escaped, false
}

// pastPlain goes from i to the next byte that is a quote, a backslash or a control
// character, or to one of the last seven.
func pastPlain(text []byte, i int) int {
	const each = 0x0101010101010101 // the same byte in eight places
	for ; i+8 <= len(text); i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		quote, backslash := w^each*'"', w^each*'\\'
		// x-each borrows the high bit of the lowest byte that is 0, and w-each*' '
		// that of the lowest below a space; what stands above it does not matter
		found := ((quote-each)&^quote | (backslash-each)&^backslash | (w-each*' ')&^w) & (each << 7)
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	return i
}

// Unescape decodes the string from start to where the scanner stands.
func (r *Scanner) Unescape(start int) string {
	var s string
	if err := json.Unmarshal(r.Text[start:r.At], &s); err != nil {
		r.At = start
		r.Fail(InvalidJSON)
	}
	return s
}

// PassNumber goes behind a number.
func (r *Scanner) PassNumber() bool {
	start := r.At
	r.skip('-')
	if !r.skip('0') && r.digits() == 0 {
		r.Fail(InvalidJSON)
		return false
	}
	if r.skip('.') && r.digits() == 0 {
		r.Fail(InvalidJSON)
		return false
	}
	if r.skip('e') || r.skip('E') {
		if !r.skip('+') {
			r.skip('-')
		}
		switch n := r.digits(); {
		case n == 0:
			r.Fail(InvalidJSON)
		case n > maxExponentDigits:
			r.Fail("holds a number beyond what an event may carry")
		}
	}
	if r.Fault == nil && r.At-start > MaxNumberLength {
		r.Fail("holds a number beyond what an event may carry")
	}
	return r.Fault == nil
}

// skip takes c if it is the very next byte.
func (r *Scanner) skip(c byte) bool {
	if r.At < len(r.Text) && r.Text[r.At] == c {
		r.At++
		return true
	}
	return false
}

func (r *Scanner) digits() int {
	start := r.At
	for r.At < len(r.Text) && r.Text[r.At] >= '0' && r.Text[r.At] <= '9' {
		r.At++
	}
	return r.At - start
}
