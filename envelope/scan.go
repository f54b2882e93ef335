package envelope

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// scanner passes over a JSON text once and judges it as strictly as
// encoding/json does, nesting included. Its methods report whether the text is
// good so far; once one is false, failure says what is wrong.
type scanner struct {
	text  []byte
	at    int // the first byte not passed, or the byte that is wrong
	depth int
}

func (s *scanner) failure() error {
	if s.depth > MaxDepth {
		return &LimitError{What: "nesting", Size: s.depth, Limit: MaxDepth, Unit: "levels"}
	}
	return &DecodeError{Field: "value", Reason: fmt.Sprintf("invalid JSON at byte %d", min(s.at+1, len(s.text)))}
}

// peek returns the next byte that is no white space, or 0 at the end: no JSON
// has a 0 there.
func (s *scanner) peek() byte {
	for ; s.at < len(s.text); s.at++ {
		if c := s.text[s.at]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
	}
	return 0
}

func (s *scanner) end() bool { return s.peek() == 0 && s.at == len(s.text) }

// skip passes any value.
func (s *scanner) skip() bool {
	switch c := s.peek(); c {
	case '"':
		_, ok := s.literal()
		return ok
	case '{':
		return s.object()
	case '[':
		return s.array()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

// raw passes any value and returns its bytes.
func (s *scanner) raw() ([]byte, bool) {
	s.peek()
	from := s.at
	ok := s.skip()
	return s.text[from:s.at], ok
}

// open passes the bracket that opens an object or array.
func (s *scanner) open() bool {
	s.at++
	s.depth++
	return s.depth <= MaxDepth
}

// more passes what stands before the next member or element, which is nothing
// before the first, or else the closing bracket.
func (s *scanner) more(first bool, closing byte) (more, ok bool) {
	switch c := s.peek(); {
	case c == closing:
		s.at++
		s.depth--
		return false, true
	case first:
		return true, true
	case c == ',':
		s.at++
		return true, true
	}
	return false, false
}

// name passes the name of a member and the colon behind it.
func (s *scanner) name() (literal, bool) {
	if s.peek() != '"' {
		return literal{}, false
	}
	name, ok := s.literal()
	if !ok || s.peek() != ':' {
		return literal{}, false
	}
	s.at++
	return name, true
}

func (s *scanner) object() bool {
	if !s.open() {
		return false
	}
	for first := true; ; first = false {
		if more, ok := s.more(first, '}'); !more {
			return ok
		}
		if _, ok := s.name(); !ok || !s.skip() {
			return false
		}
	}
}

func (s *scanner) array() bool {
	if !s.open() {
		return false
	}
	for first := true; ; first = false {
		if more, ok := s.more(first, ']'); !more {
			return ok
		}
		if !s.skip() {
			return false
		}
	}
}

func (s *scanner) word(word string) bool {
	for i := range len(word) {
		if s.at == len(s.text) || s.text[s.at] != word[i] {
			return false
		}
		s.at++
	}
	return true
}

func (s *scanner) number() bool {
	s.pass('-', '-')
	if !s.pass('0', '0') && !s.digits() {
		return false
	}
	if s.pass('.', '.') && !s.digits() {
		return false
	}
	if s.pass('e', 'e') || s.pass('E', 'E') {
		_ = s.pass('+', '+') || s.pass('-', '-')
		return s.digits()
	}
	return true
}

func (s *scanner) pass(low, high byte) bool {
	if s.at == len(s.text) || s.text[s.at] < low || s.text[s.at] > high {
		return false
	}
	s.at++
	return true
}

func (s *scanner) digits() bool {
	if !s.pass('0', '9') {
		return false
	}
	for s.pass('0', '9') {
	}
	return true
}

// literal passes a string, at the opening quote of which the scanner stands.
func (s *scanner) literal() (literal, bool) {
	from, escaped := s.at, false
	for s.at++; ; s.at++ {
		s.at += ordinary(s.text[s.at:])
		switch {
		case s.at == len(s.text):
			return literal{}, false
		case s.text[s.at] == '"':
			s.at++
			return literal{quoted: s.text[from:s.at], escaped: escaped}, true
		case s.text[s.at] != '\\' || !s.escape():
			return literal{}, false
		}
		escaped = true
	}
}

// ordinary counts the bytes before the first quote, backslash or control
// character. Eight bytes at a time were no faster: the strings are too short.
func ordinary(text []byte) int {
	for i, c := range text {
		if c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(text)
}

// escape goes from a backslash to the last byte of what it begins.
func (s *scanner) escape() bool {
	s.at++
	if s.at == len(s.text) {
		return false
	}
	switch s.text[s.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			s.at++
			if s.at == len(s.text) || !isHex(s.text[s.at]) {
				return false
			}
		}
		return true
	}
	return false
}

func isHex(c byte) bool { return isLowerHex(c) || 'A' <= c && c <= 'F' }

// literal is a string of the text as it stands there. It shares the text's
// memory.
type literal struct {
	quoted  []byte
	escaped bool
}

// plain returns the content where it needs no decoding.
func (l literal) plain() ([]byte, bool) {
	inner := l.quoted[1 : len(l.quoted)-1]
	return inner, !l.escaped && utf8.Valid(inner)
}

// unquote decodes what is not plain. The rules for surrogates and broken UTF-8
// are better not written twice.
func (l literal) unquote() string {
	var s string
	_ = json.Unmarshal(l.quoted, &s) // the scanner has accepted it
	return s
}
