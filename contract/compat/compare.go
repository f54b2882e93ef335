package compat

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Compare says whether next can follow old. It stops when ctx ends; what is not
// decided by then is [Unknown].
func Compare(ctx context.Context, old, next *Schema, o Options) Result {
	o = o.WithDefaults()
	r := Result{Verdict: Compatible, Direction: o.Direction, Findings: []Finding{}}
	if o.Direction != Forward {
		r.add(compare(ctx, old, next, Backward, o))
	}
	if o.Direction != Backward {
		r.add(compare(ctx, next, old, Forward, o))
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return rank(b.Verdict) - rank(a.Verdict) })
	for _, f := range r.Findings {
		r.Verdict = worse(r.Verdict, f.Verdict)
		if f.Witness != nil && (r.Witness == nil || len(f.Witness) < len(r.Witness)) {
			r.Witness = f.Witness
		}
	}
	if r.Verdict == Unknown {
		r.Reason = r.Findings[0].Message
	}
	return r
}

func (r *Result) add(findings []Finding, steps int) {
	r.Findings = append(r.Findings, findings...)
	r.Steps += steps
}

// maxFindings bounds what one direction reports.
const maxFindings = 50

// comparison is one direction: does every document of the writer suit the
// reader?
type comparison struct {
	writer, reader *Schema
	direction      Direction
	options        Options
	engine         *engine
	whole          problem
	asked          map[int]requirement // what the writer asks itself
	places         map[string]requirement
	findings       []Finding
}

func compare(ctx context.Context, writer, reader *Schema, d Direction, o Options) ([]Finding, int) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	c := &comparison{writer: writer, reader: reader, direction: d, options: o}
	from, to, lost := normalized(writer, reader, o)
	if lost != "" {
		return []Finding{c.unknown(requirement{rule: "schema"}, lost)}, 0
	}
	f := newForms()
	f.add(from, to)
	c.engine = newEngine(ctx, f, o.MaxSteps)
	if f.of(from) == f.of(to) {
		return nil, 0
	}
	c.whole = newProblem(c.engine.keep(from))
	c.asked, c.places = map[int]requirement{}, map[string]requirement{}
	for _, q := range requirements(from) {
		c.asked[f.of(q.schema)] = q
		c.places[q.place()] = q
	}
	c.checkAll(requirements(to))
	return c.findings, c.engine.steps
}

// checkAll leaves to the end what says again what other requirements say: a
// schema that comes up within itself, and an unevaluated keyword, which looks at
// everything beside it.
func (c *comparison) checkAll(all []requirement) {
	var plain, last []requirement
	var others problem
	for _, q := range all {
		if q.rule == "schema" || strings.HasPrefix(q.rule, "unevaluated") {
			last = append(last, q)
			continue
		}
		plain = append(plain, q)
		others = append(others, c.engine.keep(q.schema))
	}
	for _, q := range plain {
		c.check(q, c.whole)
	}
	broken := slices.ContainsFunc(c.findings, func(f Finding) bool { return f.Verdict == Breaking })
	for _, q := range last {
		if q.rule != "schema" || !broken {
			c.check(q, c.whole.with(others...))
		}
	}
}

// place finds the same requirement in the other schema.
func (q requirement) place() string {
	p := q.path + " " + q.rule
	if q.rule == "required" {
		p += " " + q.name
	}
	return p
}

// normalized returns the schemas as the engine reads them, or what keeps it from
// reading them.
func normalized(writer, reader *Schema, o Options) (from, to *jsonschema.Schema, lost string) {
	w, r := normalizerOf(writer, o), normalizerOf(reader, o)
	from, to = w.schema(writer.compiled), r.schema(reader.compiled)
	switch {
	case w.lost != "":
		return nil, nil, w.lost
	case r.lost != "":
		return nil, nil, r.lost
	case circular(from) || circular(to):
		return nil, nil, "a schema refers to itself without going into the document"
	}
	return applyPolicy(from, to, o)
}

// circular reports whether a schema applies to a value again before anything of
// the value was passed.
func circular(root *jsonschema.Schema) bool {
	const begun, ended = 1, 2
	visits := map[*jsonschema.Schema]int{}
	var visit func(s *jsonschema.Schema) bool
	visit = func(s *jsonschema.Schema) bool {
		if visits[s] != 0 {
			return visits[s] == begun
		}
		visits[s] = begun
		if slices.ContainsFunc(inPlace(s), visit) {
			return true
		}
		visits[s] = ended
		return false
	}
	return slices.ContainsFunc(reachable([]*jsonschema.Schema{root}), visit)
}

// check decides one requirement of the reader for the documents that keep what is
// given, with at most half of what is left of the budget.
func (c *comparison) check(q requirement, given problem) {
	e := c.engine
	if _, same := c.asked[e.of(q.schema)]; same || len(c.findings) >= maxFindings {
		return
	}
	e.spent = false
	e.max = e.steps + (c.options.MaxSteps-e.steps+1)/2
	reasons := len(e.reasons)
	a := e.solve(given.with(e.refuse(q.schema)), anyKind)
	switch {
	case a.state == none:
	case a.state == found && c.breaks(a.value):
		c.findings = append(c.findings, c.breaking(q, a.value))
	default:
		reason := "the validator did not confirm what was found"
		if a.state == unsure && len(e.reasons) > 0 {
			reason = e.reasons[min(reasons, len(e.reasons)-1)]
		}
		c.findings = append(c.findings, c.unknown(q, reason))
	}
}

// breaks asks the validator about the schemas as they were written.
func (c *comparison) breaks(value any) bool {
	return c.writer.compiled.Validate(value) == nil && c.reader.compiled.Validate(value) != nil
}

func (c *comparison) breaking(q requirement, value any) Finding {
	refuses := q.schema
	small := shrink(value, func(v any) bool {
		return c.engine.ctx.Err() == nil && c.breaks(v) && refuses.Validate(v) != nil
	})
	f := c.finding(q, Breaking)
	f.Witness, _ = json.Marshal(small)
	f.Message = c.message(q, f)
	return f
}

func (c *comparison) unknown(q requirement, reason string) Finding {
	f := c.finding(q, Unknown)
	f.Message = c.message(q, f) + ", but that could not be decided: " + reason
	return f
}

func (c *comparison) finding(q requirement, v Verdict) Finding {
	f := Finding{Rule: q.rule, Name: q.name, Verdict: v, Direction: c.direction, Path: q.path}
	mine, theirs := c.reader.pointer(q.location), ""
	reads, writes := c.reader.value(q.location), json.RawMessage(nil)
	if other, ok := c.places[q.place()]; ok {
		theirs, writes = c.writer.pointer(other.location), c.writer.value(other.location)
	}
	if c.direction == Forward {
		f.OldPath, f.NewPath, f.Old, f.New = mine, theirs, reads, writes
	} else {
		f.OldPath, f.NewPath, f.Old, f.New = theirs, mine, writes, reads
	}
	return f
}
