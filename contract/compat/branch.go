package compat

import (
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// branch is one case of a problem, for one kind of document: what has been
// assumed so far, what that asks of the document, and which choices are left.
// Slices in it only ever grow by append to a clipped one, so that a copy of the
// struct is a copy of the case.
type branch struct {
	*engine
	problem problem
	kind    kind
	signs   map[literal]bool
	choices []choice

	finite   []any // the only documents there are, when isFinite
	isFinite bool

	number number
	text   text
	object object
	array  array

	complete    []*jsonschema.Schema // whose parts have to be decided one by one
	unevaluated []unevaluated
}

// option is one way to meet a choice.
type option struct {
	literals    []literal
	constraints []constraint
}

// constraint adds what a keyword asks of the document; false when that
// contradicts what is there.
type constraint func(*branch) bool

// choice asks for one of its options.
type choice struct {
	options []option
	refused literal // the schema whose refusal it is, 0 for none
	kept    bool    // that the refusal is worth a thought is known
}

func (b *branch) copy() *branch {
	c := *b
	c.signs = maps.Clone(b.signs)
	c.choices = slices.Clone(b.choices)
	return &c
}

func add[T any](to *[]T, more ...T) { *to = append(slices.Clip(*to), more...) }

// assume adds a literal; false when it contradicts another.
func (b *branch) assume(l literal) bool {
	switch {
	case b.signs[-l]:
		return false
	case b.signs[l]:
		return true
	}
	b.signs[l] = true
	b.step()
	if l > 0 {
		return b.hold(b.schemas[l])
	}
	options, free := b.refusals(b.schemas[-l])
	if free {
		return true
	}
	return b.choose(choice{options: options, refused: -l})
}

func (b *branch) choose(c choice) bool {
	switch len(c.options) {
	case 0:
		return false
	case 1:
		return b.take(c.options[0])
	}
	add(&b.choices, c)
	return true
}

func (b *branch) take(o option) bool {
	for _, c := range o.constraints {
		if !c(b) {
			return false
		}
	}
	for _, l := range o.literals {
		if !b.assume(l) {
			return false
		}
	}
	return true
}

// decide works through the choices that are left.
func (b *branch) decide() answer {
	for {
		if !b.step() {
			return b.unsure(outOfBudget)
		}
		if b.isFinite {
			return b.oneOf(b.problem, b.kind, b.finite)
		}
		at, ok := b.narrow()
		switch {
		case !ok:
			return answer{state: none, rests: noAssumption}
		case at < 0 && !b.evaluate():
			return answer{state: none, rests: noAssumption}
		case at < 0 && len(b.choices) == 0:
			return b.leaf()
		case at >= 0 && len(b.choices[at].options) > 1:
			return b.split(at)
		case at >= 0:
			only := b.choices[at].options[0]
			b.choices = slices.Delete(slices.Clone(b.choices), at, at+1)
			if !b.take(only) {
				return answer{state: none, rests: noAssumption}
			}
		}
	}
}

// narrow drops the choices that are met and the options that are not open, and
// returns the choice with the fewest options left.
func (b *branch) narrow() (at int, ok bool) {
	var left []choice
	for _, c := range b.choices {
		var open []option
		met := false
		for _, o := range c.options {
			switch {
			case b.met(o):
				met = true
			case !slices.ContainsFunc(o.literals, func(l literal) bool { return b.signs[-l] }):
				open = append(open, o)
			}
		}
		switch {
		case met:
			continue
		case len(open) == 0:
			return 0, false
		}
		c.options = open
		left = append(left, c)
	}
	b.choices = left
	at = -1
	for i, c := range left {
		if at < 0 || len(c.options) < len(left[at].options) {
			at = i
		}
	}
	return at, true
}

func (b *branch) met(o option) bool {
	return len(o.constraints) == 0 && !slices.ContainsFunc(o.literals, func(l literal) bool { return !b.signs[l] })
}

// split tries each option of a choice.
func (b *branch) split(at int) answer {
	whole := answer{state: none, rests: noAssumption}
	if dropped, rests, ok := b.irrelevant(); ok {
		c := b.copy()
		c.choices = slices.Delete(c.choices, dropped, dropped+1)
		a := c.decide()
		a.rests = min(a.rests, rests)
		return a
	}
	chosen := b.choices[at]
	rest := slices.Delete(slices.Clone(b.choices), at, at+1)
	for _, o := range chosen.options {
		c := b.copy()
		c.choices = slices.Clip(rest)
		if !c.take(o) {
			continue
		}
		if whole = whole.or(c.decide()); whole.state == found {
			break
		}
		if b.spent {
			return whole.or(b.unsure(outOfBudget))
		}
	}
	return whole
}

// irrelevant finds a refusal that what has to be kept brings along anyway, such
// as that of another branch of a union with a discriminator. Without it unions
// of many branches multiply. What has to be kept must not count on the refusal
// itself, so schemas that refuse something are left out.
func (b *branch) irrelevant() (at, rests int, ok bool) {
	refusals := 0
	for _, c := range b.choices {
		if c.refused != 0 {
			refusals++
		}
	}
	if refusals < 2 {
		return 0, 0, false
	}
	var kept problem
	for l := range b.signs {
		if l > 0 && !refusesParts(b.schemas[l]) {
			kept = append(kept, l)
		}
	}
	for i := range b.choices {
		c := &b.choices[i]
		if c.refused == 0 || c.kept {
			continue
		}
		if a := b.solve(kept.with(c.refused), b.kind); a.state == none {
			return i, a.rests, true
		}
		c.kept = true
	}
	return 0, 0, false
}

func refusesParts(s *jsonschema.Schema) bool {
	return s.Not != nil || s.If != nil || len(s.OneOf) > 0 || slices.ContainsFunc(inPlace(s), refusesParts)
}

func (b *branch) leaf() answer {
	switch b.kind {
	case numberKind:
		return b.solveNumber()
	case stringKind:
		return b.solveText()
	case arrayKind:
		return b.solveArray()
	}
	return b.solveObject()
}

// exclude asks for a document that differs from the scalars, all of its kind.
func exclude(values []any) constraint {
	return func(b *branch) bool {
		if b.kind == numberKind {
			b.number.excluded = slices.Clip(b.number.excluded)
			for _, value := range values {
				b.number.excluded = append(b.number.excluded, exact(value))
			}
			return true
		}
		b.text.excluded = slices.Clip(b.text.excluded)
		for _, value := range values {
			b.text.excluded = append(b.text.excluded, value.(string))
		}
		return true
	}
}
