package compat

import (
	"encoding/json"
	"fmt"
	"math/big"
)

// number is what a case asks of a number. All arithmetic is exact.
type number struct {
	low, high         *big.Rat // nil for none
	lowOpen, highOpen bool
	multiples         []*big.Rat
	noMultiples       []*big.Rat
	excluded          []*big.Rat
}

func atLeast(at *big.Rat, open bool) constraint {
	return func(b *branch) bool {
		n := &b.number
		if n.low == nil || at.Cmp(n.low) > 0 || at.Cmp(n.low) == 0 && open {
			n.low, n.lowOpen = at, open
		}
		return n.possible()
	}
}

func atMost(at *big.Rat, open bool) constraint {
	return func(b *branch) bool {
		n := &b.number
		if n.high == nil || at.Cmp(n.high) < 0 || at.Cmp(n.high) == 0 && open {
			n.high, n.highOpen = at, open
		}
		return n.possible()
	}
}

func multipleOf(of *big.Rat) constraint {
	return func(b *branch) bool { add(&b.number.multiples, of); return true }
}

func noMultipleOf(of *big.Rat) constraint {
	return func(b *branch) bool { add(&b.number.noMultiples, of); return true }
}

func (n *number) possible() bool {
	if n.low == nil || n.high == nil {
		return true
	}
	c := n.low.Cmp(n.high)
	return c < 0 || c == 0 && !n.lowOpen && !n.highOpen
}

func (n *number) allows(x *big.Rat) bool {
	if n.low != nil && (x.Cmp(n.low) < 0 || n.lowOpen && x.Cmp(n.low) == 0) {
		return false
	}
	if n.high != nil && (x.Cmp(n.high) > 0 || n.highOpen && x.Cmp(n.high) == 0) {
		return false
	}
	for _, m := range n.multiples {
		if !divides(m, x) {
			return false
		}
	}
	for _, m := range n.noMultiples {
		if divides(m, x) {
			return false
		}
	}
	for _, other := range n.excluded {
		if x.Cmp(other) == 0 {
			return false
		}
	}
	return true
}

func divides(m, x *big.Rat) bool { return new(big.Rat).Quo(x, m).IsInt() }

func (b *branch) solveNumber() answer {
	n := &b.number
	if len(n.multiples) > 0 {
		return b.solveMultiple(leastCommon(n.multiples))
	}
	if n.low != nil && n.high != nil && n.low.Cmp(n.high) == 0 {
		return b.oneNumber(n.low)
	}
	for x := range n.candidates() {
		if !b.step() {
			break
		}
		if n.allows(x) {
			return answer{state: found, value: jsonNumber(x), rests: noAssumption}
		}
	}
	return b.unsure("no number was found between the bounds")
}

func (b *branch) oneNumber(x *big.Rat) answer {
	if b.number.allows(x) {
		return answer{state: found, value: jsonNumber(x), rests: noAssumption}
	}
	return answer{state: none, rests: noAssumption}
}

// maxMultiples bounds how many multiples are tried one after the other.
const maxMultiples = 4096

// solveMultiple walks the multiples of m from the one nearest to zero.
func (b *branch) solveMultiple(m *big.Rat) answer {
	n := &b.number
	for _, not := range n.noMultiples {
		if divides(not, m) {
			return answer{state: none, rests: noAssumption}
		}
	}
	start, one := new(big.Int), big.NewInt(1)
	if n.low != nil && n.low.Sign() > 0 {
		start = ceiling(new(big.Rat).Quo(n.low, m))
	} else if n.high != nil && n.high.Sign() < 0 {
		start = new(big.Int).Neg(ceiling(new(big.Rat).Quo(new(big.Rat).Neg(n.high), m)))
	}
	up, down := new(big.Int).Set(start), new(big.Int).Sub(start, one)
	upDone, downDone := false, false
	for range maxMultiples {
		if !b.step() {
			break
		}
		x := new(big.Rat).Mul(new(big.Rat).SetInt(up), m)
		y := new(big.Rat).Mul(new(big.Rat).SetInt(down), m)
		upDone = upDone || n.high != nil && x.Cmp(n.high) > 0
		downDone = downDone || n.low != nil && y.Cmp(n.low) < 0
		switch {
		case !upDone && n.allows(x):
			return answer{state: found, value: jsonNumber(x), rests: noAssumption}
		case !downDone && n.allows(y):
			return answer{state: found, value: jsonNumber(y), rests: noAssumption}
		case upDone && downDone:
			return answer{state: none, rests: noAssumption}
		}
		up.Add(up, one)
		down.Sub(down, one)
	}
	return b.unsure("too many multiples lie between the bounds")
}

func ceiling(x *big.Rat) *big.Int {
	q, r := new(big.Int).DivMod(x.Num(), x.Denom(), new(big.Int))
	if r.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// leastCommon is the smallest number of which all are divisors.
func leastCommon(all []*big.Rat) *big.Rat {
	whole := new(big.Rat).Abs(all[0])
	for _, next := range all[1:] {
		a, b := whole.Num(), new(big.Int).Abs(next.Num())
		num := new(big.Int).Mul(a, b)
		num.Quo(num, new(big.Int).GCD(nil, nil, a, b))
		whole = new(big.Rat).SetFrac(num, new(big.Int).GCD(nil, nil, whole.Denom(), next.Denom()))
	}
	return whole
}

const maxDecades = 800

// candidates yields numbers of an interval that is more than a point, the plain
// ones first: grids of powers of ten around zero and around the bounds, down to
// one that is finer than everything to be avoided.
func (n *number) candidates() func(yield func(*big.Rat) bool) {
	tenth := big.NewRat(1, 10)
	finest := big.NewRat(1, 1)
	for _, m := range n.noMultiples {
		if a := new(big.Rat).Abs(m); a.Cmp(finest) < 0 {
			finest = a
		}
	}
	bases := []*big.Rat{new(big.Rat)}
	for _, bound := range []*big.Rat{n.low, n.high} {
		if bound != nil {
			whole := new(big.Rat).SetInt(ceiling(bound))
			bases = append(bases, whole, bound)
		}
	}
	if n.low != nil && n.high != nil {
		width := new(big.Rat).Sub(n.high, n.low)
		if width.Cmp(finest) < 0 {
			finest = width
		}
	}
	finest = new(big.Rat).Mul(finest, big.NewRat(1, 1000))
	return func(yield func(*big.Rat) bool) {
		size := big.NewRat(1, 1)
		for range maxDecades {
			for _, base := range bases {
				for i := range 2*len(n.excluded) + 13 {
					by := new(big.Rat).Mul(size, big.NewRat(int64(i), 1))
					if !yield(new(big.Rat).Add(base, by)) || !yield(new(big.Rat).Sub(base, by)) {
						return
					}
				}
			}
			if size.Cmp(finest) < 0 {
				return
			}
			size = new(big.Rat).Mul(size, tenth)
		}
	}
}

func exact(value any) *big.Rat {
	x, ok := new(big.Rat).SetString(fmt.Sprint(value))
	if !ok {
		return new(big.Rat)
	}
	return x
}

func jsonNumber(x *big.Rat) json.Number {
	digits, _ := x.FloatPrec()
	return json.Number(x.FloatString(digits))
}
