package prove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"factline.dev/prove/check"
	"factline.dev/prove/history"
	"factline.dev/prove/report"
	"factline.dev/prove/workload"
)

// slice is the proof of the event backbone while it runs.
type slice struct {
	*stack
	report  *report.Report
	planner *workload.Planner
	client  *workload.Client
	// known is what the final history is made of, beside what is read.
	known history.History
	// expected are open dead letters that the prover caused and left.
	expected map[string]int64
	// ahead are versions that the prover put on an order's topic behind its
	// owner's back.
	ahead map[string]int64
}

// step does its part and reports what it saw. An error means that the proof
// cannot go on.
type step struct {
	name string
	do   func(*slice, context.Context, *outcome) error
}

func steps() []step {
	all := []step{
		{"quotes accepted over HTTP become completed orders", (*slice).acceptQuotes},
		{"a replay from the first record gives the same database state", (*slice).replayAll},
		{"a repeated event id is ignored", (*slice).repeatEvents},
		{"lag and processing metrics are visible", (*slice).readMetrics},
		{"an invalid event goes to the dead letters, blocks its key, and a skip releases it", (*slice).breakEvent},
		{"an unreadable record goes to the dead letters and blocks nothing", (*slice).breakRecord},
	}
	for _, k := range kills() {
		all = append(all, step{"SIGKILL " + k.title, func(s *slice, ctx context.Context, out *outcome) error { return s.kill(ctx, k, out) }})
	}
	return append(all, step{"after all of it nothing is lost or doubled, and a replay gives the same state", (*slice).judgeAll})
}

// Slice runs the proof. The error says why it could not be run to its end; what
// it found is in the report, whose verdict is FAIL or INCONCLUSIVE then too.
func Slice(ctx context.Context, cfg Config) (*report.Report, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("prove: check configuration: %w", err)
	}
	started := time.Now()
	stack, err := startStack(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &slice{
		stack: stack, planner: workload.NewPlanner(stack.prefix, cfg.Seed), client: workload.NewClient(stack.base()),
		expected: make(map[string]int64), ahead: make(map[string]int64),
		report: &report.Report{Scenario: "slice", Seed: cfg.Seed, Facts: stack.facts(ctx), CannotShow: stack.cannotShow(ctx)},
	}
	cfg.OnHead(s.report)
	err = s.run(ctx)
	s.client.Close()
	err = errors.Join(err, stack.close(ctx))
	s.report.Seconds = time.Since(started).Seconds()
	s.report.Judge()
	if err != nil && s.report.Verdict == report.Pass {
		s.report.Verdict = report.Inconclusive
	}
	return s.report, err
}

func (s *slice) run(ctx context.Context) error {
	for _, st := range steps() {
		started := time.Now()
		out := &outcome{step: report.Step{Name: st.name, Verdict: report.Pass}}
		err := st.do(s, ctx, out)
		if err != nil {
			out.fail(err.Error())
		}
		out.step.Seconds = time.Since(started).Seconds()
		s.report.Steps = append(s.report.Steps, out.step)
		s.cfg.OnStep(out.step)
		if err != nil {
			return fmt.Errorf("prove: the proof ended early at %q: %w", st.name, err)
		}
	}
	return nil
}

// outcome gathers what a step saw.
type outcome struct{ step report.Step }

func (o *outcome) saw(format string, args ...any) {
	o.step.Observed = append(o.step.Observed, fmt.Sprintf(format, args...))
}

func (o *outcome) fail(problems ...string) {
	if len(problems) > 0 {
		o.step.Problems = append(o.step.Problems, problems...)
		o.step.Verdict = report.Fail
	}
}

// check adds a judgement; a problem fails the step.
func (o *outcome) check(r check.Result) {
	o.saw("%s: %s", r.Name, r.Observed)
	o.fail(r.Problems...)
}

// fired adds the evidence of a fault; without it the step tested nothing.
func (o *outcome) fired(r check.Result) {
	o.saw("%s: %s", r.Name, r.Observed)
	if !r.OK() {
		o.step.Problems = append(o.step.Problems, r.Problems...)
		if o.step.Verdict == report.Pass {
			o.step.Verdict = report.Inconclusive
		}
	}
}

// record reads everything that checks look at.
func (s *slice) record(ctx context.Context) (h history.History, err error) {
	h = s.known
	h.Seed, h.TakenAt = s.report.Seed, time.Now().UTC()
	for _, f := range s.report.Facts {
		h.Versions = append(h.Versions, [2]string{f.Name, f.Value})
	}
	read := func(part func() error) {
		if err == nil {
			err = part()
		}
	}
	r := s.recorder
	read(func() error { h.Accepted, err = r.Accepted(ctx); return err })
	read(func() error { h.Orders, err = r.Orders(ctx); return err })
	read(func() error { h.Summaries, err = r.Summaries(ctx); return err })
	read(func() error { h.Committed, err = r.Committed(ctx); return err })
	read(func() error { h.Log, err = r.Log(ctx); return err })
	read(func() error { h.Inboxes, err = r.Inboxes(ctx); return err })
	read(func() error { h.Tables, err = r.Tables(ctx); return err })
	read(func() error { h.Waiting, err = r.Waiting(ctx); return err })
	return h, err
}

func (s *slice) save(h history.History) error {
	if s.cfg.HistoryFile == "" {
		return nil
	}
	text, err := json.Marshal(h)
	if err == nil {
		err = os.WriteFile(s.cfg.HistoryFile, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("prove: write the history: %w", err)
	}
	return nil
}

// judge runs the checks over a whole history.
func (s *slice) judge(h history.History, out *outcome) {
	out.check(check.OneOrderPerQuote(h.Quotes, h.Accepted, h.Orders))
	out.check(check.CommittedAreOnLog(h.Committed, h.Log))
	out.check(check.FirstOccurrencesInOrder(h.Log))
	out.check(check.EffectsOnce(h.Committed, h.Log, h.Orders))
	out.check(check.ProjectionShowsOrders(h.Orders, h.Summaries, s.ahead))
	out.check(check.NothingWaits(h.Waiting, s.expected))
}
