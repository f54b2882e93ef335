package wire

import (
	"cmp"
	"math/big"
)

// Figure is a number, exact. Most fit an int64; exact is set for the others,
// and for every figure of a schema.
type Figure struct {
	whole int64
	small bool
	exact *big.Rat
}

// maxSmallDigits keeps a whole number inside an int64.
const maxSmallDigits = 18

// ReadFigure reads a JSON number that is known to be well formed.
func ReadFigure(text []byte) (Figure, bool) {
	digits := text
	if digits[0] == '-' {
		digits = digits[1:]
	}
	var whole int64
	for _, c := range digits {
		if c < '0' || c > '9' || len(digits) > maxSmallDigits {
			exact, ok := new(big.Rat).SetString(string(text)) // as the validator does
			return Figure{exact: exact}, ok
		}
		whole = 10*whole + int64(c-'0')
	}
	if len(digits) < len(text) {
		whole = -whole
	}
	return Figure{whole: whole, small: true}, true
}

// SchemaFigure returns a number of a schema.
func SchemaFigure(exact *big.Rat) Figure {
	f := Figure{exact: exact}
	if exact.IsInt() && exact.Num().IsInt64() {
		f.whole, f.small = exact.Num().Int64(), true
	}
	return f
}

func (f Figure) rat() *big.Rat {
	if f.exact != nil {
		return f.exact
	}
	return new(big.Rat).SetInt64(f.whole)
}

// IsWhole reports whether the number is an integer, however it is spelt.
func (f Figure) IsWhole() bool { return f.small || f.exact.IsInt() }

// Int64 returns a whole number as far as an int64 holds it.
func (f Figure) Int64() (int64, bool) {
	switch {
	case f.small:
		return f.whole, true
	case f.exact.IsInt() && f.exact.Num().IsInt64():
		return f.exact.Num().Int64(), true
	}
	return 0, false
}

func (f Figure) compare(other Figure) int {
	if f.small && other.small {
		return cmp.Compare(f.whole, other.whole)
	}
	return f.rat().Cmp(other.rat())
}

// In reports whether the number is one of all.
func (f Figure) In(all []Figure) bool {
	for _, other := range all {
		if f.compare(other) == 0 {
			return true
		}
	}
	return false
}

// Limit is one bound of a number.
type Limit struct {
	Figure
	Bound Bound
}

// Bound is the kind of a limit.
type Bound uint8

// The keywords minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf.
const (
	AtLeast Bound = iota
	AtMost
	MoreThan
	LessThan
	MultipleOf
)

// Holds reports whether f keeps the limit.
func (l Limit) Holds(f Figure) bool {
	switch l.Bound {
	case AtLeast:
		return f.compare(l.Figure) >= 0
	case AtMost:
		return f.compare(l.Figure) <= 0
	case MoreThan:
		return f.compare(l.Figure) > 0
	case LessThan:
		return f.compare(l.Figure) < 0
	case MultipleOf:
		if f.small && l.small {
			return f.whole%l.whole == 0
		}
		return new(big.Rat).Quo(f.rat(), l.exact).IsInt()
	}
	return false
}
