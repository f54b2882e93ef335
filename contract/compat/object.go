package compat

import (
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// object is what a case asks of an object.
type object struct {
	min, max        int
	rules           []*jsonschema.Schema // with properties, patternProperties or additionalProperties
	present, absent []string
	names           []literal // that every name keeps or breaks
	members         []existence
}

// existence asks for a member with one of the selected names and such a value.
type existence struct {
	selector
	value []literal
}

// selector is a set of names: exact, or all that match the patterns in, none of
// notIn, are none of notNames, and solve named.
type selector struct {
	exact     *string
	in, notIn []string
	notNames  []string
	named     []literal
}

func newObject() object { return object{max: noEnd} }

func minMembers(n int) constraint {
	return func(b *branch) bool { b.object.min = max(b.object.min, n); return b.object.min <= b.object.max }
}

func maxMembers(n int) constraint {
	return func(b *branch) bool { b.object.max = min(b.object.max, n); return b.object.min <= b.object.max }
}

func present(name string) constraint {
	return func(b *branch) bool {
		if !slices.Contains(b.object.present, name) {
			add(&b.object.present, name)
		}
		return !slices.Contains(b.object.absent, name)
	}
}

func absent(name string) constraint {
	return func(b *branch) bool {
		if !slices.Contains(b.object.absent, name) {
			add(&b.object.absent, name)
		}
		return !slices.Contains(b.object.present, name)
	}
}

func member(s selector, value ...literal) constraint {
	return func(b *branch) bool { add(&b.object.members, existence{s, value}); return true }
}

// objectMaker puts an object together from the members that it has to have.
type objectMaker struct {
	*branch
	known    []string // names that somebody mentions
	patterns []string
	// whole is the worst that was met on the way, so that giving up is not taken
	// for a proof.
	whole answer
}

// made are the members so far.
type made map[string]place

type place struct {
	problem problem
	value   any
}

const (
	maxFreePatterns = 6
	maxFilled       = 128
)

func (b *branch) solveObject() answer {
	m := &objectMaker{branch: b, whole: answer{state: none, rests: noAssumption}}
	m.collect()
	members := made{}
	for _, name := range b.object.present {
		if !m.put(members, name, m.rules(name)) {
			return m.whole
		}
	}
	// One that no name can meet at all needs no search through the others.
	for _, e := range b.object.members {
		if !m.meetable(e) {
			return m.whole
		}
	}
	if value, ok := m.meet(members, b.object.members); ok {
		return answer{state: found, value: value, rests: noAssumption}
	}
	return m.whole
}

func (m *objectMaker) collect() {
	o := &m.object
	known := slices.Concat(o.present, o.absent)
	for _, s := range o.rules {
		known = append(known, sortedNames(s.Properties)...)
		for _, re := range sortedPatterns(s.PatternProperties) {
			m.patterns = append(m.patterns, re.String())
		}
	}
	for _, e := range o.members {
		known = append(known, e.notNames...)
		if e.exact != nil {
			known = append(known, *e.exact)
		}
		m.patterns = slices.Concat(m.patterns, e.in, e.notIn)
	}
	m.known, m.patterns = sortedSet(known), sortedSet(m.patterns)
}

// rules are the literals for the value of a name.
func (m *objectMaker) rules(name string) problem {
	return m.valueOf(func(s *jsonschema.Schema) (*jsonschema.Schema, bool) {
		own, ok := s.Properties[name]
		return own, ok
	}, func(pattern string) bool { return m.matches(pattern, name) })
}

func (m *objectMaker) valueOf(own func(*jsonschema.Schema) (*jsonschema.Schema, bool), matches func(string) bool) problem {
	var all []literal
	for _, s := range m.object.rules {
		covered := false
		if p, ok := own(s); ok {
			all = append(all, m.keep(p))
			covered = true
		}
		for _, re := range sortedPatterns(s.PatternProperties) {
			if matches(re.String()) {
				all = append(all, m.keep(s.PatternProperties[re]))
				covered = true
			}
		}
		if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && !covered {
			all = append(all, m.keep(additional))
		}
	}
	return newProblem(all...)
}

// put adds a member if its name and value are possible.
func (m *objectMaker) put(members made, name string, p problem) bool {
	if slices.Contains(m.object.absent, name) || !m.solves(name, newProblem(m.object.names...)) {
		return false
	}
	a := m.child(p, anyKind)
	m.note(a)
	if a.state == found {
		members[name] = place{p, a.value}
	}
	return a.state == found
}

// note keeps what a way that led nowhere is worth as a proof.
func (m *objectMaker) note(a answer) {
	m.whole.rests = min(m.whole.rests, a.rests)
	if a.state == unsure {
		m.whole.state = unsure
	}
}

func (m *objectMaker) meetable(e existence) bool {
	ok := false
	m.places(made{}, e, func(made) bool { ok = true; return true })
	return ok
}

// places calls try with the members and one that meets e, for each way to meet
// it, until try is content.
func (m *objectMaker) places(members made, e existence, try func(made) bool) {
	names := m.known
	for name := range members {
		if !slices.Contains(names, name) {
			names = append(slices.Clip(names), name)
		}
	}
	for _, name := range names {
		if !m.fits(e.selector, name) {
			continue
		}
		base := m.rules(name)
		if there, ok := members[name]; ok {
			base = there.problem
		}
		more := maps.Clone(members)
		if m.put(more, name, base.with(e.value...)) && try(more) {
			return
		}
	}
	if e.exact != nil {
		return
	}
	m.fresh(e.selector, names, func(name string, p problem) bool {
		more := maps.Clone(members)
		return m.put(more, name, p.with(e.value...)) && try(more)
	})
}

// meet meets one existence after the other, then fills up.
func (m *objectMaker) meet(members made, left []existence) (value map[string]any, ok bool) {
	if !m.step() || len(members) > m.object.max {
		if m.spent {
			m.note(m.unsure(outOfBudget))
		}
		return nil, false
	}
	if len(left) == 0 {
		return m.fill(members)
	}
	m.places(members, left[0], func(more made) bool {
		value, ok = m.meet(more, left[1:])
		return ok
	})
	return value, ok
}

// fill adds members until there are enough.
func (m *objectMaker) fill(members made) (map[string]any, bool) {
	if m.object.min-len(members) > maxFilled {
		m.note(m.unsure("an object of so many members is not tried"))
		return nil, false
	}
	for _, name := range m.known {
		if _, there := members[name]; !there && len(members) < m.object.min {
			m.put(members, name, m.rules(name))
		}
	}
	for len(members) < m.object.min {
		used := sortedSet(append(slices.Clone(m.known), sortedNames(members)...))
		added := false
		m.fresh(selector{}, used, func(name string, p problem) bool {
			added = m.put(members, name, p)
			return added
		})
		if !added {
			return nil, false
		}
	}
	value := make(map[string]any, len(members))
	for name, at := range members {
		value[name] = at.value
	}
	return value, true
}
