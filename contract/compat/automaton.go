package compat

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode"
)

// automaton runs several regular expressions over one text at once, as package
// regexp would, and knows of which characters it is enough to try one.
type automaton struct {
	programs []*syntax.Prog
	context  bool // a program looks at word boundaries or lines
	alphabet []rune
	words    [][]rune // texts that are told from all others, the excluded ones
}

const (
	maxInstructions = 4000
	maxComparisons  = 8_000_000
)

// newAutomaton returns nil for expressions beyond the limits.
func newAutomaton(programs []*syntax.Prog, words []string) *automaton {
	a := &automaton{programs: programs}
	for _, w := range words {
		a.words = append(a.words, []rune(w))
	}
	var instructions []*syntax.Inst
	for _, p := range programs {
		for i := range p.Inst {
			inst := &p.Inst[i]
			switch inst.Op {
			case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
				instructions = append(instructions, inst)
			case syntax.InstEmptyWidth:
				a.context = a.context || syntax.EmptyOp(inst.Arg)&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0
			}
		}
	}
	starts := a.starts(instructions)
	if len(instructions) > maxInstructions || len(instructions)*len(starts) > maxComparisons {
		return nil
	}
	a.choose(starts, instructions)
	return a
}

// starts are the characters at which a different treatment may begin.
func (a *automaton) starts(instructions []*syntax.Inst) []rune {
	starts := []rune{0, 0xd800, 0xe000, unicode.MaxRune + 1}
	between := func(low, high rune) { starts = append(starts, low, high+1) }
	for _, inst := range instructions {
		if len(inst.Rune) == 1 {
			r := inst.Rune[0]
			between(r, r)
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				between(f, f)
			}
		}
		for i := 0; i+1 < len(inst.Rune); i += 2 {
			between(inst.Rune[i], inst.Rune[i+1])
		}
	}
	for _, pair := range []string{"\n\n", "09", "AZ", "__", "az", " ~"} {
		between(rune(pair[0]), rune(pair[1]))
	}
	for _, w := range a.words {
		for _, r := range w {
			between(r, r)
		}
	}
	slices.Sort(starts)
	return slices.Compact(starts)
}

// choose picks one character of each treatment, a plain one where there is one.
func (a *automaton) choose(starts []rune, instructions []*syntax.Inst) {
	special := map[rune]bool{}
	for _, w := range a.words {
		for _, r := range w {
			special[r] = true
		}
	}
	best := map[string]rune{}
	var order []string
	for i, r := range starts[:len(starts)-1] {
		if r >= 0xd800 && r < 0xe000 || r > unicode.MaxRune {
			continue
		}
		r = plainest(r, starts[i+1]-1)
		treatment := make([]byte, 0, len(instructions)/8+8)
		if special[r] {
			treatment = binary.AppendVarint(treatment, int64(r)+1)
		}
		if a.context {
			treatment = append(treatment, byte(contextOf(r)))
		}
		bits, n := byte(0), 0
		for _, inst := range instructions {
			bits <<= 1
			if inst.MatchRune(r) {
				bits |= 1
			}
			if n++; n%8 == 0 {
				treatment = append(treatment, bits)
			}
		}
		k := string(append(treatment, bits))
		if old, ok := best[k]; !ok {
			best[k] = r
			order = append(order, k)
		} else if plainness(r) < plainness(old) {
			best[k] = r
		}
	}
	for _, k := range order {
		a.alphabet = append(a.alphabet, best[k])
	}
	slices.SortStableFunc(a.alphabet, func(x, y rune) int { return plainness(x) - plainness(y) })
}

func plainest(low, high rune) rune {
	for _, r := range "a0A" {
		if low <= r && r <= high {
			return r
		}
	}
	return low
}

func plainness(r rune) int {
	switch {
	case r >= 'a' && r <= 'z':
		return 0
	case r >= '0' && r <= '9':
		return 1
	case r >= 'A' && r <= 'Z':
		return 2
	case r > ' ' && r < 0x7f:
		return 3
	case r == ' ':
		return 4
	case unicode.IsPrint(r):
		return 5
	}
	return 6
}

// contextOf stands for all characters that look alike to what follows them.
func contextOf(r rune) rune {
	switch {
	case r == '\n':
		return '\n'
	case syntax.IsWordChar(r):
		return 'a'
	}
	return ' '
}

// position is where the programs are after a text.
type position struct {
	length  int
	before  rune // the context of the last character, -1 at the beginning
	threads [][]uint32
	matched []bool
	word    []bool // which words begin like the text
}

func (a *automaton) begin() *position {
	p := &position{before: -1, threads: make([][]uint32, len(a.programs)), matched: make([]bool, len(a.programs)), word: make([]bool, len(a.words))}
	for i := range p.word {
		p.word[i] = true
	}
	return p
}

func (a *automaton) next(p *position, r rune) *position {
	n := &position{length: p.length + 1, before: ' ', threads: make([][]uint32, len(a.programs)), matched: make([]bool, len(a.programs)), word: make([]bool, len(a.words))}
	if a.context {
		n.before = contextOf(r)
	}
	for i, program := range a.programs {
		if n.matched[i] = p.matched[i]; n.matched[i] {
			continue
		}
		closure, matched := follow(program, p.threads[i], syntax.EmptyOpContext(p.before, r))
		if n.matched[i] = matched; matched {
			continue
		}
		for _, pc := range closure {
			if inst := &program.Inst[pc]; inst.MatchRune(r) {
				n.threads[i] = append(n.threads[i], inst.Out)
			}
		}
		slices.Sort(n.threads[i])
		n.threads[i] = slices.Compact(n.threads[i])
	}
	for i, w := range a.words {
		n.word[i] = p.word[i] && p.length < len(w) && w[p.length] == r
	}
	return n
}

// matches reports whether a program matches the text that ends here.
func (a *automaton) matches(p *position, i int) bool {
	if p.matched[i] {
		return true
	}
	_, matched := follow(a.programs[i], p.threads[i], syntax.EmptyOpContext(p.before, -1))
	return matched
}

func (a *automaton) isWord(p *position) bool {
	for i, w := range a.words {
		if p.word[i] && len(w) == p.length {
			return true
		}
	}
	return false
}

// key tells positions apart; lengths from the limit on are alike.
func (p *position) key(limit int) string {
	k := binary.AppendVarint(nil, int64(min(p.length, limit)))
	k = binary.AppendVarint(k, int64(p.before))
	for i, threads := range p.threads {
		if p.matched[i] {
			k = append(k, 0xff)
		}
		for _, pc := range threads {
			k = binary.AppendUvarint(k, uint64(pc)+1)
		}
		k = append(k, 0)
	}
	for i, is := range p.word {
		if is { // a word that is under way knows the length
			k = binary.AppendUvarint(k, uint64(i)+1)
			k = binary.AppendUvarint(k, uint64(p.length))
		}
	}
	return string(k)
}

// follow goes through the program from its threads, and from its beginning: an
// expression matches anywhere.
func follow(program *syntax.Prog, threads []uint32, flags syntax.EmptyOp) (closure []uint32, matched bool) {
	seen := make([]bool, len(program.Inst))
	todo := append(slices.Clone(threads), uint32(program.Start))
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		switch inst := &program.Inst[pc]; inst.Op {
		case syntax.InstMatch:
			return nil, true
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, inst.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&^flags == 0 {
				todo = append(todo, inst.Out)
			}
		case syntax.InstFail:
		default:
			closure = append(closure, pc)
		}
	}
	return closure, false
}
