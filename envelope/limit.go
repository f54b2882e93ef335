package envelope

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// The limits every event is held to at append. They leave head-room below the
// broker's 1 MiB record limit for headers and batch framing.
const (
	// MaxValueBytes is the largest encoded event.
	MaxValueBytes = 900 << 10
	// MaxDepth is the deepest nesting of JSON arrays and objects.
	MaxDepth = 64
	// MaxIDBytes is the longest identifier, name or reference in the envelope.
	MaxIDBytes = 200
	// MaxKeyBytes is the longest record key.
	MaxKeyBytes = 1 << 10
	// MaxHeaders is the largest number of headers of a record.
	MaxHeaders = 64
	// MaxHeaderBytes is the largest sum of header keys and values.
	MaxHeaderBytes = 32 << 10
)

// CheckID reports whether s can stand as an identifier in the envelope: not
// empty, at most [MaxIDBytes], printable UTF-8 without spaces at its ends.
// field names it in the error.
func CheckID(field, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("envelope: check %s: it is empty; every event needs one", field)
	case len(s) > MaxIDBytes:
		return &LimitError{What: field, Size: len(s), Limit: MaxIDBytes}
	case !printable(s):
		return fmt.Errorf("envelope: check %s: it holds characters that do not print; use letters, digits and punctuation", field)
	}
	return nil
}

func printable(s string) bool {
	if s[0] == ' ' || s[len(s)-1] == ' ' {
		return false
	}
	if isPlain(s) {
		return true
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// CheckDepth reports whether the JSON text nests at most [MaxDepth] levels. It
// counts brackets outside strings and does not judge the JSON otherwise.
func CheckDepth(text []byte) error {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i+1)
		case '{', '[':
			if depth++; depth > MaxDepth {
				return &LimitError{What: "nesting", Size: depth, Limit: MaxDepth, Unit: "levels"}
			}
		case '}', ']':
			depth--
		}
	}
	return nil
}

// endOfString returns where the quote stands that closes the string from which
// at is the first byte, or the length of text where none does. Most of an event
// is strings, and this search is many times faster than looking at each byte.
func endOfString(text []byte, at int) int {
	for {
		n := bytes.IndexByte(text[at:], '"')
		if n < 0 {
			return len(text)
		}
		at += n
		backslashes := 0
		for text[at-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return at
		}
		at++
	}
}
