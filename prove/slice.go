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

func (s *slice) steps() []step {
	all := []step{
		{"quotes accepted over HTTP become completed orders", s.acceptQuotes},
		{"a replay from the first record gives the same database state", s.replayAll},
		{"a repeated event id is ignored", s.repeatEvents},
		{"lag and processing metrics are visible", s.readMetrics},
		{"an invalid event goes to the dead letters, blocks its key, and a skip releases it", s.breakEvent},
		{"an unreadable record goes to the dead letters and blocks nothing", s.breakRecord},
	}
	for _, k := range kills() {
		all = append(all, step{"SIGKILL " + k.title, func(ctx context.Context, out *outcome) error { return s.kill(ctx, k, out) }})
	}
	return append(all, step{"after all of it nothing is lost or doubled, and a replay gives the same state", s.judgeAll})
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
	err = perform(ctx, s.steps(), s.report, cfg.OnStep)
	s.client.Close()
	err = errors.Join(err, stack.close(ctx))
	conclude(s.report, started, err)
	return s.report, err
}

// settleAndRecord waits for rest and records. Where there is none it judges what
// there is, so that the report names what is lost and not only that one waits.
func (s *slice) settleAndRecord(ctx context.Context, out *outcome) (history.History, error) {
	restless := s.settle(ctx)
	h, err := s.record(ctx)
	if restless != nil && err == nil {
		s.judge(h, out)
	}
	return h, errors.Join(restless, err)
}

// record reads everything that checks look at.
func (s *slice) record(ctx context.Context) (history.History, error) {
	h := s.known
	h.Seed = s.report.Seed
	for _, f := range s.report.Facts {
		h.Versions = append(h.Versions, [2]string{f.Name, f.Value})
	}
	return s.read(ctx, h)
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
	out.check(check.EveryQuoteAnswered(h.Quotes))
	out.check(check.OneOrderPerQuote(h.Quotes, h.Accepted, h.Orders))
	out.check(check.CommittedAreOnLog(h.Committed, h.Log))
	out.check(check.ValuesAsCommitted(h.Committed, h.Log))
	out.check(check.FirstOccurrencesInOrder(h.Log))
	out.check(check.EffectsOnce(h.Committed, h.Log, h.Orders))
	out.check(check.ProjectionShowsOrders(h.Orders, h.Summaries, s.ahead))
	out.check(check.NothingWaits(h.Waiting, s.expected))
}
