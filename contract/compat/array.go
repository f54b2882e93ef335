package compat

import (
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// array is what a case asks of an array.
type array struct {
	min, max int
	rules    []*jsonschema.Schema // with prefixItems or items
	unique   bool
	twice    bool // two elements are equal
	elements []elementNeed
	counts   []count
}

// elementNeed asks for an element between two places.
type elementNeed struct {
	from, to int
	value    literal
}

// count bounds how many elements keep a schema.
type count struct {
	schema      literal
	least, most int
}

func newArray() array { return array{max: noEnd} }

func minItems(n int) constraint {
	return func(b *branch) bool { b.array.min = max(b.array.min, n); return b.array.min <= b.array.max }
}

func maxItems(n int) constraint {
	return func(b *branch) bool { b.array.max = min(b.array.max, n); return b.array.min <= b.array.max }
}

func element(from, to int, value literal) constraint {
	return func(b *branch) bool {
		add(&b.array.elements, elementNeed{from, to, value})
		return minItems(from + 1)(b)
	}
}

func countAtLeast(s *jsonschema.Schema, n int) constraint {
	return func(b *branch) bool {
		c := b.count(s)
		c.least = max(c.least, n)
		return c.least <= c.most && minItems(n)(b)
	}
}

func countAtMost(s *jsonschema.Schema, n int) constraint {
	return func(b *branch) bool {
		c := b.count(s)
		c.most = min(c.most, n)
		return c.least <= c.most
	}
}

// count returns the entry of a schema, in a slice that is the case's own.
func (b *branch) count(s *jsonschema.Schema) *count {
	l := b.keep(s)
	b.array.counts = slices.Clone(b.array.counts)
	at := slices.IndexFunc(b.array.counts, func(c count) bool { return c.schema == l })
	if at < 0 {
		at = len(b.array.counts)
		b.array.counts = append(b.array.counts, count{schema: l, most: noEnd})
	}
	return &b.array.counts[at]
}

const (
	maxElements = 256
	maxNeeds    = 5 // subsets of which are tried at each place
	maxCounts   = 4
)

func (b *branch) solveArray() answer {
	a := &b.array
	if a.twice && a.unique {
		return answer{state: none, rests: noAssumption}
	}
	// An element beyond these is nothing new.
	special, needed := 0, len(a.elements)
	for _, s := range a.rules {
		special = max(special, len(s.PrefixItems))
	}
	for _, e := range a.elements {
		special = max(special, e.from)
		if e.to != noEnd {
			special = max(special, e.to+1)
		}
	}
	for _, c := range a.counts {
		needed = min(needed+c.least, maxElements)
	}
	if a.twice {
		needed += 2
	}
	if len(a.elements) > maxNeeds || len(a.counts) > maxCounts || a.min > maxElements {
		return b.unsure("an array of so many elements or conditions is not tried")
	}
	whole := answer{state: none, rests: noAssumption}
	for n := a.min; n <= min(a.max, max(a.min, special+needed)); n++ {
		if n > maxElements {
			return whole.or(b.unsure("an array of so many elements or conditions is not tried"))
		}
		if whole = whole.or(b.arrayOf(n, special)); whole.state == found || b.spent {
			return whole
		}
	}
	return whole
}

// arrayOf looks for an array of n elements. Places from special on are alike.
func (b *branch) arrayOf(n, special int) answer {
	slots := make([]slot, n)
	for i := range slots {
		slots[i] = slot{i}
	}
	if !b.array.twice {
		return b.fillSlots(slots)
	}
	whole := answer{state: none, rests: noAssumption}
	for i := range min(n, special+1) {
		for j := i + 1; j < min(n, special+2); j++ {
			paired := slices.Clone(slots)
			paired[i] = slot{i, j}
			paired = slices.Delete(paired, j, j+1)
			if whole = whole.or(b.fillSlots(paired)); whole.state == found {
				return whole
			}
		}
	}
	return whole
}

// slot is the places that hold one value.
type slot []int

// arrayMaker fills slot after slot and remembers which states lead nowhere.
type arrayMaker struct {
	*branch
	slots  []slot
	failed map[string]answer
	chosen []problem
}

func (b *branch) fillSlots(slots []slot) answer {
	m := &arrayMaker{branch: b, slots: slots, failed: map[string]answer{}}
	a := m.fill(0, make([]bool, len(b.array.elements)), make([]int, len(b.array.counts)))
	if a.state != found {
		return a
	}
	return m.values()
}

// fill finds a problem for every slot from i on, such that all that is still
// needed is met.
func (m *arrayMaker) fill(i int, met []bool, counted []int) answer {
	if i == len(m.slots) {
		if slices.Contains(met, false) || !m.enough(counted) {
			return answer{state: none, rests: noAssumption}
		}
		return answer{state: found, rests: noAssumption}
	}
	k := fmt.Sprint(i, met, counted)
	if a, ok := m.failed[k]; ok {
		return a
	}
	whole := answer{state: none, rests: noAssumption}
	for _, way := range m.ways(i, met, counted) {
		if !m.step() {
			return whole.or(m.unsure(outOfBudget))
		}
		a := m.child(way.problem, anyKind)
		if a.state == found {
			m.chosen = append(m.chosen[:i:i], way.problem)
			if a = m.fill(i+1, way.met, way.counted); a.state == found {
				return a
			}
		}
		whole = whole.or(a)
	}
	m.failed[k] = whole
	return whole
}

func (m *arrayMaker) enough(counted []int) bool {
	for i, c := range m.array.counts {
		if counted[i] < c.least {
			return false
		}
	}
	return true
}

type way struct {
	problem problem
	met     []bool
	counted []int
}

// ways are the elements that may stand in a slot, by what they meet.
func (m *arrayMaker) ways(i int, met []bool, counted []int) []way {
	all := []way{{m.base(m.slots[i]), met, counted}}
	for n, e := range m.array.elements {
		fits := slices.ContainsFunc(m.slots[i], func(at int) bool { return at >= e.from && at <= e.to })
		if met[n] || !fits {
			continue
		}
		for _, w := range slices.Clone(all) {
			more := slices.Clone(w.met)
			more[n] = true
			all = append(all, way{w.problem.with(e.value), more, w.counted})
		}
	}
	for n, c := range m.array.counts {
		var next []way
		for _, w := range all {
			more := slices.Clone(w.counted)
			more[n] = min(more[n]+len(m.slots[i]), max(c.least, min(c.most, maxElements))+2)
			switch {
			case c.most == noEnd && counted[n] >= c.least:
				next = append(next, w)
			case c.most == noEnd:
				next = append(next, way{w.problem.with(c.schema), w.met, more}, w)
			case more[n] > c.most:
				next = append(next, way{w.problem.with(-c.schema), w.met, w.counted})
			default:
				next = append(next, way{w.problem.with(c.schema), w.met, more}, way{w.problem.with(-c.schema), w.met, w.counted})
			}
		}
		all = next
	}
	return all
}

func (m *arrayMaker) base(s slot) problem {
	var all []literal
	for _, at := range s {
		for _, rule := range m.array.rules {
			switch {
			case at < len(rule.PrefixItems):
				all = append(all, m.keep(rule.PrefixItems[at]))
			case rule.Items2020 != nil:
				all = append(all, m.keep(rule.Items2020))
			}
		}
	}
	return newProblem(all...)
}

// values turns the problems into elements, different ones when they have to be.
func (m *arrayMaker) values() answer {
	var before []literal
	last := 0
	for _, s := range m.slots {
		last = max(last, slices.Max(s)+1)
	}
	placed := make([]any, last)
	for i, s := range m.slots {
		a := m.child(m.chosen[i].with(before...), anyKind)
		switch {
		case a.state == none && m.alike():
			return a
		case a.state != found:
			return m.unsure("different elements were not found")
		}
		if m.array.unique {
			before = append(before, m.refuse(exactly(a.value)))
		}
		for _, at := range s {
			placed[at] = a.value
		}
	}
	return answer{state: found, value: placed, rests: noAssumption}
}

// alike reports whether all elements have to meet the same: then no order of
// choosing different ones is better than another.
func (m *arrayMaker) alike() bool {
	return len(m.array.elements)+len(m.array.counts) == 0 &&
		!slices.ContainsFunc(m.chosen, func(p problem) bool { return !slices.Equal(p, m.chosen[0]) })
}
