package compat

import (
	"context"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// literal is the number of a schema that a document has to keep, negative for
// one that it has to break.
type literal int

// problem asks for a document that keeps or breaks each of its schemas. It is
// sorted and has no literal twice.
type problem []literal

func newProblem(all ...literal) problem {
	p := slices.Clone(all)
	slices.Sort(p)
	return slices.Compact(p)
}

func (p problem) with(more ...literal) problem { return newProblem(slices.Concat(p, more)...) }

func (p problem) key(kinds kind) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(int(kinds)))
	for _, l := range p {
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(int(l)))
	}
	return b.String()
}

// kind is a set of JSON types. Integers are numbers that a fraction is taken
// from.
type kind uint8

const (
	nullKind kind = 1 << iota
	booleanKind
	numberKind
	stringKind
	arrayKind
	objectKind

	anyKind = nullKind | booleanKind | numberKind | stringKind | arrayKind | objectKind
)

func kindOf(value any) kind {
	switch value.(type) {
	case nil:
		return nullKind
	case bool:
		return booleanKind
	case string:
		return stringKind
	case []any:
		return arrayKind
	case map[string]any:
		return objectKind
	}
	return numberKind
}

type state uint8

const (
	unsure state = iota
	none         // there is no such document
	found
)

// answer is what became of a problem. It rests on the assumption that the
// problem at place rests of the stack has no smaller document.
type answer struct {
	state state
	value any
	rests int
}

const (
	noAssumption = 1 << 30
	outOfBudget  = "the schemas combine to more cases than fit the limits"
)

// engine takes problems apart until a case contradicts itself or a document is
// written down.
type engine struct {
	*forms
	ctx      context.Context
	steps    int
	max      int
	spent    bool
	memo     map[string]answer
	programs map[string]*syntax.Prog
	stack    []frame
	open     map[string]int // places on the stack
	depth    int            // of the place in the document
	reasons  []string       // what could not be decided
}

// frame is a problem under way.
type frame struct{ depth int }

// maxDepth bounds the depth of a document and maxStack that of the recursion.
const (
	maxDepth = 200
	maxStack = 400
)

func newEngine(ctx context.Context, f *forms, steps int) *engine {
	return &engine{forms: f, ctx: ctx, max: steps, programs: map[string]*syntax.Prog{}, memo: map[string]answer{}, open: map[string]int{}}
}

// step reports whether there is budget for one more step.
func (e *engine) step() bool {
	e.steps++
	if !e.spent && (e.steps > e.max || e.steps%64 == 0 && e.ctx.Err() != nil) {
		e.spent = true
	}
	return !e.spent
}

func (e *engine) unsure(reason string) answer {
	if len(e.reasons) < 16 && !slices.Contains(e.reasons, reason) {
		e.reasons = append(e.reasons, reason)
	}
	return answer{state: unsure, rests: noAssumption}
}

func (e *engine) refuse(s *jsonschema.Schema) literal { return literal(-e.of(s)) }
func (e *engine) keep(s *jsonschema.Schema) literal   { return literal(e.of(s)) }

// solve looks for a document of one of the kinds.
//
// A problem may come up again within itself. Deeper in the document it has no
// solution there: the smallest document that solves it does not hold a smaller
// one. What rests on that is not remembered until the outer problem is decided.
// At the same depth nothing is known about it.
func (e *engine) solve(p problem, kinds kind) answer {
	k := p.key(kinds)
	if a, ok := e.memo[k]; ok {
		return a
	}
	if at, ok := e.open[k]; ok {
		if e.stack[at].depth < e.depth {
			return answer{state: none, rests: at}
		}
		return e.unsure("a schema depends on itself")
	}
	if !e.step() || len(e.stack) >= maxStack || e.depth > maxDepth {
		return e.unsure(outOfBudget)
	}
	at := len(e.stack)
	e.stack = append(e.stack, frame{depth: e.depth})
	e.open[k] = at
	a := e.kinds(p, kinds)
	delete(e.open, k)
	e.stack = e.stack[:at]
	if a.rests >= at {
		a.rests = noAssumption
		if !e.spent {
			e.memo[k] = a
		}
	}
	return a
}

// kinds tries one kind after the other, small documents first.
func (e *engine) kinds(p problem, kinds kind) answer {
	whole := answer{state: none, rests: noAssumption}
	for _, l := range p {
		if slices.Contains(p, -l) {
			return whole
		}
	}
	for k := nullKind; k <= objectKind; k <<= 1 {
		if kinds&k == 0 {
			continue
		}
		a := e.kind(p, k)
		if whole = whole.or(a); whole.state == found {
			break
		}
	}
	return whole
}

// or is the answer of two cases of which one has to hold.
func (a answer) or(b answer) answer {
	switch {
	case a.state == found:
		return a
	case b.state == found:
		return b
	}
	return answer{state: min(a.state, b.state), rests: min(a.rests, b.rests)}
}

// child solves a problem one level deeper in the document.
func (e *engine) child(p problem, kinds kind) answer {
	e.depth++
	defer func() { e.depth-- }()
	return e.solve(p, kinds)
}

func (e *engine) kind(p problem, k kind) answer {
	switch k {
	case nullKind:
		return e.oneOf(p, k, []any{nil})
	case booleanKind:
		return e.oneOf(p, k, []any{false, true})
	}
	b := &branch{engine: e, problem: p, kind: k, signs: map[literal]bool{}, text: newText(), object: newObject(), array: newArray()}
	for _, l := range p {
		if !b.assume(l) {
			return answer{state: none, rests: noAssumption}
		}
	}
	return b.decide()
}

// oneOf decides a problem whose documents are all known.
func (e *engine) oneOf(p problem, k kind, values []any) answer {
	for _, value := range values {
		if kindOf(value) != k {
			continue
		}
		if !e.step() {
			return e.unsure(outOfBudget)
		}
		if e.solves(value, p) {
			return answer{state: found, value: value, rests: noAssumption}
		}
	}
	return answer{state: none, rests: noAssumption}
}

func (e *engine) solves(value any, p problem) bool {
	for _, l := range p {
		if e.accepts(max(int(l), -int(l)), value) != (l > 0) {
			return false
		}
	}
	return true
}
