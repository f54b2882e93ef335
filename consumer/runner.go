package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// Runner reads topics and runs handlers. Make one with [New]. Run may be called
// once at a time.
type Runner struct {
	cfg     Config
	topics  map[string]*topicPlan
	metrics *metrics
	// clock is the database's, which Config.Now takes the place of.
	clock *clock
}

// New returns a runner. It touches neither database nor broker. The error joins
// everything that is wrong with cfg.
func New(cfg Config) (*Runner, error) {
	cfg = cfg.WithDefaults()
	clock := &clock{host: time.Now}
	if cfg.Now == nil {
		cfg.Now = clock.now
	}
	fail := func(err error) (*Runner, error) {
		return nil, fmt.Errorf("consumer: check configuration of %s: %w", cmp.Or(cfg.Group, "a group without name"), err)
	}
	if err := cfg.validate(); err != nil {
		return fail(err)
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return fail(fmt.Errorf("consumer.Config.Registerer: %w", err))
	}
	r := &Runner{cfg: cfg, metrics: m, clock: clock, topics: make(map[string]*topicPlan, len(cfg.Subscriptions))}
	for _, s := range cfg.Subscriptions {
		p := planTopic(s, cfg.Contracts)
		r.topics[s.Topic] = p
		if p.redrivesFrom != "" {
			r.topics[p.redrivesFrom] = planRedrives(p.redrivesFrom)
		}
	}
	return r, nil
}

// Run reads and handles events until ctx is cancelled; then it lets the
// transactions under way end, commits their offsets, leaves the group and
// returns nil. A database or broker that is away is waited for. Run returns an
// error only when it cannot go on: the database lacks the library's tables, or
// the Kafka options are refused.
func (r *Runner) Run(ctx context.Context) error {
	if err := r.checkSchema(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	for {
		err := r.runSession(ctx)
		if !errors.Is(err, errRewound) || ctx.Err() != nil {
			return err
		}
		r.cfg.Logger.Warn("the database was restored to an earlier state; starting over from there", "group", r.cfg.Group)
	}
}

// checkSchema waits for a database that is away and refuses one without the
// library's tables, or with those of an earlier version.
func (r *Runner) checkSchema(ctx context.Context) error {
	for failures := 1; ; failures++ {
		var lacking int
		err := r.cfg.Pool.QueryRow(ctx, statement("find_schema")).Scan(&lacking)
		if err == nil {
			err = r.clock.ask(ctx, r.cfg.Pool)
		}
		switch {
		case err == nil && lacking == 0:
			return nil
		case err == nil:
			return fmt.Errorf("consumer: start %s: its database lacks %d of the library's tables or columns; run migrate.Up on it first", r.cfg.Group, lacking)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		r.cfg.Logger.Warn("database not reached yet", "group", r.cfg.Group, "attempt", failures, "error", err.Error())
		select {
		case <-time.After(r.outagePause(failures)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
