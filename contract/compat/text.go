package compat

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// text is what a case asks of a string.
type text struct {
	min, max             int // in code points, max noEnd for any
	patterns, noPatterns []string
	formats, noFormats   []*jsonschema.Format
	excluded             []string
}

const noEnd = int(^uint(0) >> 1)

func newText() text { return text{max: noEnd} }

func minLength(n int) constraint {
	return func(b *branch) bool { b.text.min = max(b.text.min, n); return b.text.min <= b.text.max }
}

func maxLength(n int) constraint {
	return func(b *branch) bool { b.text.max = min(b.text.max, n); return b.text.min <= b.text.max }
}

// Bounds on the search for a string.
const (
	maxPositions   = 20_000
	maxPlainLength = 4096 // of a string that is only long
)

func (b *branch) solveText() answer {
	t := &b.text
	var all []string
	for _, f := range t.formats {
		if slices.ContainsFunc(t.noFormats, func(g *jsonschema.Format) bool { return sameFormat(f.Name, g.Name) }) {
			return answer{state: none, rests: noAssumption}
		}
		if within := outline(f.Name); within != "" {
			all = append(all, within)
		}
	}
	all = append(all, t.patterns...)
	value, s := b.search(all)
	if s != found || len(t.formats)+len(t.noFormats) == 0 {
		if s == unsure {
			return b.unsure("the patterns and lengths of a string are too large to search")
		}
		return answer{state: s, value: value, rests: noAssumption}
	}
	for _, sample := range append([]string{value}, samples()...) {
		if b.step() && b.text.allows(b.engine, sample) {
			return answer{state: found, value: sample, rests: noAssumption}
		}
	}
	return b.unsure("which strings a format takes is only known by example")
}

// search returns the shortest string that matches the patterns and everything
// but the formats.
func (b *branch) search(patterns []string) (string, state) {
	t := &b.text
	if len(patterns)+len(t.noPatterns) == 0 && t.min > 64 {
		return b.plain()
	}
	a := b.automaton(patterns)
	if a == nil {
		return "", unsure
	}
	type node struct {
		at     *position
		parent int
		r      rune
	}
	nodes := []node{{at: a.begin(), parent: -1}}
	// What a longer text reaches a shorter one has reached before, with more left.
	seen := map[string]bool{nodes[0].at.key(t.min): true}
	for i := 0; i < len(nodes); i++ {
		at := nodes[i].at
		if t.ends(a, at, len(patterns)) {
			var runes []rune
			for j := i; nodes[j].parent >= 0; j = nodes[j].parent {
				runes = append(runes, nodes[j].r)
			}
			slices.Reverse(runes)
			return string(runes), found
		}
		if at.length == t.max {
			continue
		}
		for _, r := range a.alphabet {
			if !b.step() || len(nodes) > maxPositions {
				return "", unsure
			}
			next := a.next(at, r)
			if k := next.key(t.min); !seen[k] {
				seen[k] = true
				nodes = append(nodes, node{next, i, r})
			}
		}
		nodes[i].at = nil
	}
	return "", none
}

func (t *text) ends(a *automaton, at *position, positive int) bool {
	if at.length < t.min || a.isWord(at) {
		return false
	}
	for i := range a.programs {
		if a.matches(at, i) != (i < positive) {
			return false
		}
	}
	return true
}

// plain is a string that is only long.
func (b *branch) plain() (string, state) {
	if b.text.min > maxPlainLength {
		return "", unsure
	}
	for _, r := range "abcdefghijklmnopqrstuvwxyz" {
		if s := strings.Repeat(string(r), b.text.min); !slices.Contains(b.text.excluded, s) {
			return s, found
		}
	}
	return "", unsure
}

func (b *branch) automaton(patterns []string) *automaton {
	var programs []*syntax.Prog
	for _, p := range slices.Concat(patterns, b.text.noPatterns) {
		program := b.program(p)
		if program == nil {
			return nil
		}
		programs = append(programs, program)
	}
	return newAutomaton(programs, b.text.excluded)
}

// program compiles an expression as package regexp does.
func (e *engine) program(expression string) *syntax.Prog {
	if p, ok := e.programs[expression]; ok {
		return p
	}
	var program *syntax.Prog
	if parsed, err := syntax.Parse(expression, syntax.Perl); err == nil {
		program, _ = syntax.Compile(parsed.Simplify())
	}
	e.programs[expression] = program
	return program
}

func (t *text) allows(e *engine, s string) bool {
	if n := utf8.RuneCountInString(s); n < t.min || n > t.max || slices.Contains(t.excluded, s) {
		return false
	}
	for _, p := range t.patterns {
		if !e.matches(p, s) {
			return false
		}
	}
	for _, p := range t.noPatterns {
		if e.matches(p, s) {
			return false
		}
	}
	for _, f := range t.formats {
		if f.Validate(s) != nil {
			return false
		}
	}
	for _, f := range t.noFormats {
		if f.Validate(s) == nil {
			return false
		}
	}
	return true
}

func (e *engine) matches(expression, s string) bool {
	program := e.program(expression)
	if program == nil {
		return false
	}
	a := &automaton{programs: []*syntax.Prog{program}, context: true}
	p := a.begin()
	for _, r := range s {
		p = a.next(p, r)
	}
	return a.matches(p, 0)
}
