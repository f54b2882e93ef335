package prove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"factline.dev/prove/history"
	"factline.dev/prove/report"
)

// storm is the proof of cut connections while it runs.
type storm struct {
	*stormStack

	report  *report.Report
	dice    *rand.Rand
	logger  *slog.Logger
	log     *os.File
	clients []*stormClient
	parts   []*part
	// assignments are what members were given.
	assignments assignments
	// known is what the final history is made of, beside what is read.
	known   history.History
	endings map[string]string
	final   history.History
}

// Storm runs the proof that cut connections lose, double and reorder nothing:
// proxies before database and broker end every connection of writers, relays
// and members after about a second, and now and then one of them, or all,
// reaches a server not at all. Then the storm ends, everything has to drain,
// and what databases and log hold is compared. The error says why it could not
// be run to its end; what it found is in the report, whose verdict is FAIL or
// INCONCLUSIVE then too.
func Storm(ctx context.Context, cfg StormConfig) (*report.Report, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("prove: check configuration: %w", err)
	}
	started := time.Now()
	s := &storm{
		stormStack: &stormStack{observer: observer{patience: cfg.Drain}, cfg: cfg},
		dice:       rand.New(rand.NewPCG(cfg.Seed, 0x73746f726d)), //nolint:gosec // a test's dice, no secret
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.shut(ctx, false))
	}
	cfg.OnHead(s.report)
	err := perform(ctx, s.steps(), s.report, cfg.OnStep)
	conclude(s.report, started, err)
	keep := cfg.Keep || s.report.Verdict != report.Pass
	err = errors.Join(err, s.shut(ctx, keep))
	conclude(s.report, started, err)
	return s.report, err
}

func (s *storm) steps() []step {
	return []step{
		{"connections are cut while writers append, relays publish and members apply", s.rage},
		{fmt.Sprintf("after the storm everything drains within %s", s.cfg.Drain), s.drain},
		{"relays and members stop when they are told to", s.end},
		{"what was committed is what its writers were told, and what had no answer is there whole or not at all", s.judgeOperations},
		{"every committed event is on the log as it was committed, in the order of its aggregate", s.judgeLog},
		{"each event has had its effect once, in the order of its aggregate", s.judgeEffects},
		{"nothing is parked, held back or given up", s.judgeRest},
	}
}

func (s *storm) open(ctx context.Context) (err error) {
	if err := s.start(ctx); err != nil {
		return err
	}
	if s.log, err = os.Create(filepath.Join(s.dir, "storm.log")); err != nil {
		return fmt.Errorf("prove: make a log: %w", err)
	}
	s.logger = slog.New(slog.NewJSONHandler(s.log, nil))
	s.report = &report.Report{
		Scenario: "storm", Seed: s.cfg.Seed, Facts: factsOf(ctx, s.recorder.Pool(history.StormSource), s.broker != nil, s.brokers, s.dir),
		CannotShow: append(limitsOf(ctx, s.broker != nil, s.brokers, "power cuts and killed brokers: only connections and relays end here"),
			"killed members, brokers and databases: see prove slice and prove kills"),
	}
	s.report.Facts = append(s.report.Facts,
		report.Fact{Name: "storm", Value: fmt.Sprintf("%s, every connection ends after %s to %s", s.cfg.For, s.cfg.MinLife, s.cfg.MaxLife)},
		report.Fact{Name: "load", Value: fmt.Sprintf("%g transactions a second on %d aggregates", s.cfg.Rate, s.cfg.Aggregates)},
		report.Fact{Name: "parts", Value: fmt.Sprintf("%d relays for each of 2 databases, %d members of one group", stormRelays, stormMembers)},
	)
	return nil
}

// shut ends what still runs.
func (s *storm) shut(ctx context.Context, keep bool) error {
	var errs []error
	if s.endings == nil {
		s.stop(20 * time.Second)
	}
	for _, c := range s.clients {
		errs = append(errs, c.close()...)
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(append(errs, s.close(ctx, keep))...)
}

func (s *storm) save(h history.History) error {
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
