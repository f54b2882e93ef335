package contract

import (
	"cmp"
	"math/big"
)

// figure is a number, exact. Most fit an int64; exact is set for the others,
// and for every figure of a schema.
type figure struct {
	whole int64
	small bool
	exact *big.Rat
}

// maxSmallDigits keeps a whole number inside an int64.
const maxSmallDigits = 18

// readFigure reads a JSON number that is known to be well formed.
func readFigure(text []byte) (figure, bool) {
	digits := text
	if digits[0] == '-' {
		digits = digits[1:]
	}
	var whole int64
	for _, c := range digits {
		if c < '0' || c > '9' || len(digits) > maxSmallDigits {
			exact, ok := new(big.Rat).SetString(string(text)) // as the validator does
			return figure{exact: exact}, ok
		}
		whole = 10*whole + int64(c-'0')
	}
	if len(digits) < len(text) {
		whole = -whole
	}
	return figure{whole: whole, small: true}, true
}

func schemaFigure(exact *big.Rat) figure {
	f := figure{exact: exact}
	if exact.IsInt() && exact.Num().IsInt64() {
		f.whole, f.small = exact.Num().Int64(), true
	}
	return f
}

func (f figure) rat() *big.Rat {
	if f.exact != nil {
		return f.exact
	}
	return new(big.Rat).SetInt64(f.whole)
}

func (f figure) kind() kinds {
	if f.small || f.exact.IsInt() {
		return kindInteger
	}
	return kindFraction
}

func (f figure) compare(other figure) int {
	if f.small && other.small {
		return cmp.Compare(f.whole, other.whole)
	}
	return f.rat().Cmp(other.rat())
}

func (f figure) in(all []figure) bool {
	for _, other := range all {
		if f.compare(other) == 0 {
			return true
		}
	}
	return false
}

// limit is one bound of a number.
type limit struct {
	figure
	bound bound
}

type bound uint8

const (
	atLeast bound = iota
	atMost
	moreThan
	lessThan
	multipleOf
)

func (l limit) holds(f figure) bool {
	switch l.bound {
	case atLeast:
		return f.compare(l.figure) >= 0
	case atMost:
		return f.compare(l.figure) <= 0
	case moreThan:
		return f.compare(l.figure) > 0
	case lessThan:
		return f.compare(l.figure) < 0
	case multipleOf:
		if f.small && l.small {
			return f.whole%l.whole == 0
		}
		return new(big.Rat).Quo(f.rat(), l.exact).IsInt()
	}
	return false
}
