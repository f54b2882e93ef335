package contract

import (
	"math"
	"regexp"
	"unicode/utf8"

	"factline.dev/contract/wire"
)

type kinds uint8

const (
	kindNull kinds = 1 << iota
	kindBoolean
	kindInteger
	kindFraction
	kindString
	kindArray
	kindObject

	kindNumber = kindInteger | kindFraction
	kindAny    = kindNull | kindBoolean | kindNumber | kindString | kindArray | kindObject
)

// shape is what a value has to be at one place of an event: all the schemas
// that apply there, merged. It may refer to itself. It never changes once it is
// made.
type shape struct {
	kinds   kinds
	choices []choice
	either  [][]*shape // anyOf: one shape of each list fits as well

	// strings
	anyText              bool // nothing below is asked of them
	minLength, maxLength int  // in code points
	patterns             []*wire.Pattern
	formats              []*wire.Format

	// numbers
	anyNumber bool
	limits    []wire.Limit

	// objects
	names                  map[string]int // in members, and as bits in required
	members                []*shape
	required               uint64
	strange                []*regexp.Regexp // patterns of names
	strangers              []*shape         // by the patterns that a name matches, as bits
	minMembers, maxMembers int

	// arrays
	prefix                   []*shape
	rest                     *shape
	minElements, maxElements int
	unique                   bool
}

func newShape() *shape {
	return &shape{kinds: kindAny, maxLength: math.MaxInt, maxMembers: math.MaxInt, maxElements: math.MaxInt}
}

// choice holds the values of one enum or const, as far as they are scalars: the
// others are never surely met.
type choice struct {
	texts   map[string]bool
	numbers []wire.Figure
	words   word
}

type word uint8

const (
	isNull word = 1 << iota
	isTrue
	isFalse
)

func (s *shape) offer(w word) bool {
	for i := range s.choices {
		if s.choices[i].words&w == 0 {
			return false
		}
	}
	return true
}

// stranger returns the shape of a member whose name no schema knows.
func (s *shape) stranger(name []byte) *shape {
	matched := 0
	for i, pattern := range s.strange {
		if pattern.Match(name) {
			matched |= 1 << i
		}
	}
	return s.strangers[matched]
}

func (s *shape) element(i int) *shape {
	if i < len(s.prefix) {
		return s.prefix[i]
	}
	return s.rest
}

// fitsText judges the content of a string.
func (s *shape) fitsText(content []byte) bool {
	for i := range s.choices {
		if !s.choices[i].texts[string(content)] {
			return false
		}
	}
	if s.minLength > 0 || s.maxLength < len(content) {
		if n := utf8.RuneCount(content); n < s.minLength || n > s.maxLength {
			return false
		}
	}
	for _, p := range s.patterns {
		if !p.Match(content) {
			return false
		}
	}
	for _, f := range s.formats {
		if !f.Match(content) {
			return false
		}
	}
	return true
}

func (s *shape) fitsNumber(text []byte) bool {
	f, ok := wire.ReadFigure(text)
	if !ok || s.kinds&kindOf(f) == 0 {
		return false
	}
	for i := range s.choices {
		if !f.In(s.choices[i].numbers) {
			return false
		}
	}
	for _, l := range s.limits {
		if !l.Holds(f) {
			return false
		}
	}
	return true
}

func kindOf(f wire.Figure) kinds {
	if f.IsWhole() {
		return kindInteger
	}
	return kindFraction
}
