package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

// universe are all documents of a small world. Whatever two schemas say about
// them is known by asking the validator about each, without an idea of how a
// schema is taken apart.
func universe() []any {
	atoms := []any{nil, true, json.Number("0"), json.Number("1"), json.Number("1.5"), json.Number("-2"), "", "a", "ab"}
	few := []any{nil, json.Number("1"), "a"}
	all := append([]any{}, atoms...)
	inner := append([]any{}, few...)
	inner = append(inner, []any{}, map[string]any{}, []any{json.Number("1")}, map[string]any{"a": "a"}, map[string]any{"b": json.Number("1")}, map[string]any{"a": json.Number("1"), "b": nil})
	all = append(all, lists(inner, 2)...)
	all = append(all, lists(few, 3)...)
	return append(all, objects(inner, []string{"a", "b", "ca"}, 0)...)
}

func lists(of []any, longest int) []any {
	all := []any{[]any{}}
	from := 0
	for range longest {
		to := len(all)
		for _, start := range all[from:to] {
			for _, element := range of {
				all = append(all, append(append([]any{}, start.([]any)...), element))
			}
		}
		from = to
	}
	return all
}

func objects(of []any, names []string, at int) []any {
	if at == len(names) {
		return []any{map[string]any{}}
	}
	var all []any
	for _, rest := range objects(of, names, at+1) {
		all = append(all, rest)
		for _, value := range of {
			more := map[string]any{names[at]: value}
			maps.Copy(more, rest.(map[string]any))
			all = append(all, more)
		}
	}
	return all
}

// author writes schemas whose keywords stand beside those that they act upon:
// what is evaluated beside unevaluated, names beside patterns of names, counts
// beside what is counted, and all of it below conditions and references.
type author struct {
	*rand.Rand
	draft int
}

func (a author) one(of ...any) any { return of[a.IntN(len(of))] }

func (a author) schema(depth int) any {
	if depth <= 0 {
		return a.leaf()
	}
	switch a.IntN(12) {
	case 0:
		return a.leaf()
	case 1, 2, 3, 4:
		return a.mixed(a.object(depth), depth)
	case 5, 6, 7:
		return a.mixed(a.array(depth), depth)
	}
	return a.mixed(map[string]any{}, depth)
}

func (a author) leaf() any {
	leaves := []any{
		map[string]any{},
		map[string]any{"type": "string"},
		map[string]any{"type": []any{"integer", "null"}},
		map[string]any{"const": json.Number("1.0")},
		map[string]any{"enum": []any{nil, map[string]any{"a": "a"}, "a"}},
		map[string]any{"const": map[string]any{"b": json.Number("1")}},
		map[string]any{"multipleOf": json.Number("0.5"), "maximum": json.Number("1")},
		map[string]any{"maxLength": 1},
		map[string]any{"pattern": "^a"},
		map[string]any{"required": []any{"a"}},
		map[string]any{"maxProperties": 1},
		map[string]any{"maxItems": 1},
		map[string]any{"not": map[string]any{"type": "number"}},
		map[string]any{"minimum": json.Number("1")},
		map[string]any{"enum": []any{[]any{json.Number("1")}, json.Number("1"), true}},
	}
	if a.draft >= 2019 || a.draft == 7 {
		leaves = append(leaves, true, false, map[string]any{"exclusiveMaximum": json.Number("1")})
	} else {
		leaves = append(leaves, map[string]any{"maximum": json.Number("1"), "exclusiveMaximum": true})
	}
	return a.one(leaves...)
}

func (a author) object(depth int) map[string]any {
	s := map[string]any{}
	names := []any{"a", "b", "ca"}
	for range 1 + a.IntN(3) {
		switch a.IntN(9) {
		case 0, 1:
			s["properties"] = map[string]any{a.one(names...).(string): a.schema(depth - 1), a.one(names...).(string): a.leaf()}
		case 2:
			s["patternProperties"] = map[string]any{a.one("a", "^c", "^[ab]$").(string): a.schema(depth - 1)}
		case 3:
			s["additionalProperties"] = a.one(false, a.schema(depth-1))
		case 4:
			if a.draft != 4 {
				s["propertyNames"] = a.one(map[string]any{"maxLength": 1}, map[string]any{"pattern": "a"}, map[string]any{"enum": []any{"a", "ca"}}, map[string]any{"not": map[string]any{"const": "b"}})
			}
		case 5:
			s["required"] = []any{a.one(names...)}
		case 6:
			s[a.one("minProperties", "maxProperties").(string)] = 1 + a.IntN(2)
		case 7:
			if a.draft >= 2019 {
				s["dependentSchemas"] = map[string]any{a.one(names...).(string): a.schema(depth - 1)}
				s["dependentRequired"] = map[string]any{a.one(names...).(string): []any{a.one(names...)}}
			} else {
				s["dependencies"] = map[string]any{a.one(names...).(string): a.schema(depth - 1), a.one(names...).(string): []any{a.one(names...)}}
			}
		case 8:
			if a.draft >= 2019 {
				s["unevaluatedProperties"] = a.one(false, false, a.leaf())
			}
		}
	}
	return s
}

func (a author) array(depth int) map[string]any {
	s := map[string]any{}
	for range 1 + a.IntN(3) {
		switch a.IntN(6) {
		case 0:
			if a.draft == 2020 {
				s["prefixItems"] = []any{a.schema(depth - 1), a.leaf()}[:1+a.IntN(2)]
			} else {
				s["items"], s["additionalItems"] = []any{a.schema(depth - 1)}, a.one(a.leaf(), a.schema(depth-1))
			}
		case 1:
			s["items"] = a.schema(depth - 1)
		case 2:
			if a.draft != 4 {
				s["contains"] = a.schema(depth - 1)
			}
			if a.draft >= 2019 {
				s[a.one("minContains", "maxContains").(string)] = a.IntN(3)
			}
		case 3:
			s[a.one("minItems", "maxItems").(string)] = a.IntN(3)
		case 4:
			s["uniqueItems"] = true
		case 5:
			if a.draft == 2020 {
				s["unevaluatedItems"] = a.one(false, a.leaf())
			}
		}
	}
	return s
}

func (a author) mixed(s map[string]any, depth int) map[string]any {
	part := func() any { return a.schema(depth - 1) }
	for range a.IntN(3) {
		switch a.IntN(8) {
		case 0:
			s["allOf"] = []any{part(), part()}
		case 1:
			s["anyOf"] = []any{part(), part()}
		case 2:
			s["oneOf"] = []any{part(), map[string]any{"oneOf": []any{part(), part()}}, part()}[:2+a.IntN(2)]
		case 3:
			s["not"] = part()
		case 4:
			if a.draft >= 7 {
				s["if"], s["then"] = part(), part()
				if a.IntN(2) == 0 {
					s["else"] = part()
				}
			}
		case 5:
			s["$ref"] = a.one("#/definitions/x", "#/definitions/y", "#/definitions/loop")
		case 6:
			again := map[string]any{}
			switch a.draft {
			case 2020:
				again["$dynamicRef"] = "#node"
			case 2019:
				again["$recursiveRef"] = "#"
			}
			s[a.one("properties", "items").(string)] = map[string]any{"b": again, "a": again}
			if s["items"] != nil {
				s["items"] = again
			}
		case 7:
			s["type"] = a.one("object", "array", []any{"object", "array", "string"})
		}
	}
	return s
}

func (a author) document() map[string]any {
	s := a.mixed(map[string]any{}, 2)
	if a.IntN(3) > 0 {
		maps.Copy(s, a.object(2))
	}
	if a.IntN(3) == 0 {
		maps.Copy(s, a.array(2))
	}
	a.finish(s)
	return s
}

func (a author) finish(s map[string]any) {
	s["definitions"] = map[string]any{
		"x": a.schema(1), "y": a.schema(1),
		"loop": map[string]any{"properties": map[string]any{"a": map[string]any{"$ref": "#/definitions/loop"}}, "items": map[string]any{"$ref": "#/definitions/x"}},
	}
	switch a.draft {
	case 4, 7:
		s["$schema"] = fmt.Sprintf("http://json-schema.org/draft-0%d/schema#", a.draft)
	case 2019:
		s["$schema"] = "https://json-schema.org/draft/2019-09/schema"
		if a.IntN(2) == 0 {
			s["$recursiveAnchor"] = true
		}
	case 2020:
		if a.IntN(2) == 0 {
			s["$dynamicAnchor"] = "node"
		} else {
			s["definitions"].(map[string]any)["node"] = map[string]any{"$dynamicAnchor": "node", "not": map[string]any{"type": "null"}}
		}
	}
}

// next writes a successor: the same with a keyword more or less somewhere.
func (a author) next(s map[string]any) map[string]any {
	c := copied(s).(map[string]any)
	for range 1 + a.IntN(2) {
		a.edit(c, 3)
	}
	return c
}

func (a author) edit(s map[string]any, depth int) {
	keys := sortedNames(s)
	k := keys[a.IntN(len(keys))]
	switch inner := s[k].(type) {
	case map[string]any:
		if depth > 0 && len(inner) > 0 && a.IntN(4) > 0 && k != "const" {
			a.edit(inner, depth-1)
			return
		}
	case []any:
		if first, ok := inner[0].(map[string]any); ok && len(first) > 0 && k != "enum" && a.IntN(2) == 0 {
			a.edit(first, depth-1)
			return
		}
	}
	if k == "$schema" || k == "definitions" || k == "$dynamicAnchor" || k == "$recursiveAnchor" {
		return
	}
	more := a.object(1)
	if a.IntN(2) == 0 {
		more = a.array(1)
	}
	if a.IntN(2) == 0 {
		delete(s, k)
		return
	}
	maps.Copy(s, more)
}

func TestEveryDocumentOfASmallWorldAgreesWithTheVerdict(t *testing.T) {
	t.Parallel()
	docs := universe()
	drafts := []int{4, 7, 2019, 2020, 2020, 2020}
	var mu sync.Mutex
	count := map[Verdict]int{}
	var workers sync.WaitGroup
	n := runtime.GOMAXPROCS(0)
	for w := range n {
		workers.Go(func() {
			for i := w; i < *worlds && !t.Failed(); i += n {
				a := author{rand.New(rand.NewPCG(*seed, uint64(i))), drafts[i%len(drafts)]}
				verdict := a.judge(t, docs, i)
				mu.Lock()
				count[verdict]++
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("seed %d, %d pairs, %d documents: %v", *seed, *worlds, len(docs), count)
	if count[Compatible]*5 < *worlds || count[Breaking]*10 < *worlds {
		t.Error("the pairs do not test both verdicts")
	}
}

// judge compares one pair. A pair that cannot be read, such as a reference
// beside a number, has no verdict.
func (a author) judge(t *testing.T, docs []any, i int) Verdict {
	t.Helper()
	first := a.document()
	second := a.next(first)
	if a.IntN(2) == 0 {
		first, second = second, first
	}
	old, err := Parse("old", []byte(written(first)))
	if err != nil {
		return ""
	}
	next, err := Parse("next", []byte(written(second)))
	if err != nil {
		return ""
	}
	r := Compare(t.Context(), old, next, Options{MaxSteps: 200_000})
	switch r.Verdict {
	case Compatible:
		for _, d := range docs {
			if next.compiled.Validate(d) != nil && old.compiled.Validate(d) == nil {
				t.Errorf("pair %d is said to be compatible, but %s breaks it\nold  %s\nnext %s", i, written(d), written(first), written(second))
				break
			}
		}
	case Breaking:
		for _, f := range r.Findings {
			if f.Verdict == Breaking && !isWitness(old, next, f.Witness) {
				t.Errorf("pair %d: %s is no witness\nold  %s\nnext %s", i, f.Witness, written(first), written(second))
			}
		}
	}
	return r.Verdict
}
