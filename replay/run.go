package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"factline.dev/inbox"
)

// Report is what a replay did and found.
type Report struct {
	Preview Preview `json:"plan"`
	// Records were read; the rest says what became of them. A held event is
	// counted again when its turn comes.
	Records    int64 `json:"records"`
	Applied    int64 `json:"applied"`
	Advanced   int64 `json:"advanced"`
	Duplicates int64 `json:"duplicates"`
	Held       int64 `json:"held"`
	// GivenUp are dead letters of the live group, met again.
	GivenUp int64 `json:"givenUp"`
	// ClosedCalls are calls to other systems that the projection asked for and
	// that were neither stored nor made.
	ClosedCalls int64 `json:"closedCalls"`
	// At is how far each partition was read, which is the instant compared.
	At []Span `json:"at"`
	Comparison
	// Kept reports whether the rebuilt table is still there.
	Kept bool `json:"kept"`
	// Seconds is how long it took, the plan included.
	Seconds float64 `json:"seconds"`
}

// maxRounds bounds how often the replay runs after live traffic before it takes
// the snapshot whatever is missing.
const maxRounds = 20

// Run plans the replay, rebuilds the projection beside the live one up to an
// instant of the live group, and compares both. Errors: [*RefusedError],
// [ErrDecisionChanged], [ErrLiveRestless]. Cancelling ctx ends it and tidies up.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return Report{}, fmt.Errorf("replay: check configuration: %w", err)
	}
	started := time.Now()
	report, err := run(ctx, cfg)
	report.Seconds = time.Since(started).Seconds()
	return report, err
}

func run(ctx context.Context, cfg Config) (report Report, err error) {
	if report.Preview, err = preview(ctx, cfg); err != nil {
		return report, err
	}
	r := &rebuild{cfg: cfg, table: cfg.table(), applied: cfg.applied(), sources: make(map[string]Source)}
	for _, s := range cfg.Projection.Sources {
		r.sources[s.Topic] = s
	}
	defer func() {
		kept := cfg.Keep && err == nil
		err = errors.Join(err, r.tidy(ctx, kept))
		report.Kept = kept
	}()
	if err := r.prepare(ctx, report.Preview.Spans); err != nil {
		return report, err
	}
	reader, err := newReader(cfg, report.Preview.Spans)
	if err != nil {
		return report, err
	}
	defer reader.close()
	if err := r.replay(ctx, reader); err != nil {
		return report, err
	}
	report.Comparison, report.At, err = r.compare(ctx, reader)
	r.tally.fill(&report)
	return report, err
}

// prepare makes the table and the scope's row of every partition.
func (r *rebuild) prepare(ctx context.Context, spans []Span) error {
	err := pgx.BeginFunc(ctx, r.cfg.Pool, func(tx pgx.Tx) error {
		if err := r.cfg.Projection.Create(ctx, tx, r.table); err != nil {
			return fmt.Errorf("replay: make table %s: %w", r.table.Sanitize(), err)
		}
		starts := make([]inbox.Progress, len(spans))
		for i, s := range spans {
			starts[i] = inbox.Progress{Topic: s.Topic, Partition: s.Partition, NextOffset: s.Start}
		}
		return inbox.StartPartition(ctx, tx, r.cfg.scope(), r.cfg.Now(), starts...)
	})
	if err == nil {
		r.cfg.Logger.Info("replay begins", "projection", r.cfg.Projection.Name, "scope", r.cfg.scope(), "table", r.table.Sanitize())
	}
	return err
}

// tidy removes what the replay made. It works after a cancellation too.
func (r *rebuild) tidy(ctx context.Context, keep bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if _, err := r.cfg.Pool.Exec(ctx, statement("forget"), r.cfg.scope()); err != nil {
		return fmt.Errorf("replay: remove the rows of %s: %w", r.cfg.scope(), err)
	}
	if keep {
		return nil
	}
	if _, err := r.cfg.Pool.Exec(ctx, "DROP TABLE IF EXISTS "+r.table.Sanitize()); err != nil {
		return fmt.Errorf("replay: drop table %s: %w; drop it by hand", r.table.Sanitize(), err)
	}
	return nil
}

// replay runs after the live group until little is missing.
func (r *rebuild) replay(ctx context.Context, reader *reader) error {
	for range maxRounds {
		at, err := readPoint(ctx, r.cfg)
		if err != nil {
			return err
		}
		if r.at.offsets != nil && missing(reader, at) <= r.cfg.CatchUpRecords {
			return nil
		}
		if err := r.advance(ctx, reader, at, "replay"); err != nil {
			return err
		}
	}
	return nil
}

func missing(reader *reader, at point) (records int64) {
	for p, offset := range at.offsets {
		records += max(0, offset-reader.next[p])
	}
	return records
}

// advance applies every record below a point of the live group.
func (r *rebuild) advance(ctx context.Context, reader *reader, at point, step string) error {
	if err := r.adopt(at); err != nil {
		return err
	}
	pace := newPace(r.cfg, step, missing(reader, at))
	return reader.readTo(ctx, at.offsets, func(batches []batch) error {
		if err := r.applyAll(ctx, batches); err != nil {
			return err
		}
		for _, b := range batches {
			pace.add(len(b))
		}
		return nil
	})
}

// adopt takes over the live group's decisions. One that was reversed after the
// replay acted on it cannot be acted on again.
func (r *rebuild) adopt(at point) error {
	for id, now := range at.decisions {
		if before, ok := r.at.decisions[id]; ok && before.State != now.State {
			return ErrDecisionChanged
		}
	}
	r.at = at
	return nil
}

func (r *rebuild) applyAll(ctx context.Context, batches []batch) error {
	group, inside := errgroup.WithContext(ctx)
	group.SetLimit(r.cfg.Workers)
	for _, records := range batches {
		group.Go(func() error {
			for part := range slices.Chunk(records, r.cfg.MaxChunkRecords) {
				if err := r.applyChunk(inside, part); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (r *rebuild) applyChunk(ctx context.Context, records batch) error {
	last := records[len(records)-1]
	c := r.newChunk(last.Topic, last.Partition)
	c.next = last.Offset + 1
	c.records = make([]item, len(records))
	for i, record := range records {
		c.records[i] = r.readRecord(record)
	}
	if err := c.do(ctx); err != nil || !c.touchedHeld() {
		return err
	}
	return r.releaseDue(ctx, last.Topic, last.Partition)
}

// releaseDue applies held events whose turn came and that the chunk before did
// not look at: it held them itself, or they were too many.
func (r *rebuild) releaseDue(ctx context.Context, topic string, partition int32) error {
	for {
		due, err := inbox.Due(ctx, r.cfg.Pool, r.cfg.scope(), topic, []int32{partition}, 1000)
		if err != nil || len(due[partition]) == 0 {
			return err
		}
		c := r.newChunk(topic, partition)
		for _, w := range due[partition] {
			c.release = append(c.release, w.Aggregate)
		}
		if err := c.do(ctx); err != nil {
			return err
		}
	}
}

// compare takes a snapshot of the live side, catches up to exactly its offsets
// and judges. The snapshot takes no lock: live traffic goes on.
func (r *rebuild) compare(ctx context.Context, reader *reader) (Comparison, []Span, error) {
	tx, at, err := r.restingSnapshot(ctx)
	if err != nil {
		return Comparison{}, nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := r.advance(ctx, reader, at, "catch up"); err != nil {
		return Comparison{}, nil, err
	}
	r.cfg.OnProgress(Progress{Step: "compare"})
	live, err := openSide(ctx, tx, r.cfg.Projection.Live, r.cfg.Projection.SeeAll)
	if err != nil {
		return Comparison{}, nil, err
	}
	var judged Comparison
	err = pgx.BeginTxFunc(ctx, r.cfg.Pool, snapshotOptions(), func(tx pgx.Tx) error {
		rebuilt, err := openSide(ctx, tx, r.table, r.cfg.Projection.SeeAll)
		if err != nil {
			return err
		}
		judged, err = compareTables(ctx, live, rebuilt, r.cfg.MaxDifferences)
		return err
	})
	return judged, spansAt(at), err
}

// restingSnapshot waits for an instant at which the live table is what the live
// offsets say: nothing released is still to be applied.
func (r *rebuild) restingSnapshot(ctx context.Context) (pgx.Tx, point, error) {
	deadline := time.Now().Add(r.cfg.StallTimeout)
	for {
		tx, at, restless, err := r.snapshot(ctx)
		if err != nil || !restless {
			return tx, at, err
		}
		if time.Now().After(deadline) {
			return nil, point{}, ErrLiveRestless
		}
		select {
		case <-ctx.Done():
			return nil, point{}, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (r *rebuild) snapshot(ctx context.Context) (tx pgx.Tx, at point, restless bool, err error) {
	if tx, err = r.cfg.Pool.BeginTx(ctx, snapshotOptions()); err != nil {
		return nil, at, false, fmt.Errorf("replay: take a snapshot of the live side: %w", err)
	}
	if at, err = pointIn(ctx, tx, r.cfg); err == nil {
		restless, err = isRestless(ctx, tx, r.cfg, at)
	}
	if err != nil || restless {
		_ = tx.Rollback(context.WithoutCancel(ctx))
	}
	return tx, at, restless, err
}

func spansAt(at point) (spans []Span) {
	for p, offset := range at.offsets {
		spans = append(spans, Span{Topic: p.topic, Partition: p.partition, Live: offset, End: offset})
	}
	sortSpans(spans)
	return spans
}

// tally counts what committed chunks did. Safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	report Report
}

func (t *tally) count(c *chunk) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Records += int64(len(c.records))
	t.report.ClosedCalls += c.closedCalls
	for _, s := range c.plan.Steps {
		switch s.Verdict {
		case inbox.Apply:
			t.report.Applied++
		case inbox.Advance:
			t.report.Advanced++
		case inbox.Duplicate:
			t.report.Duplicates++
		case inbox.HoldGap, inbox.HoldBlocked:
			t.report.Held++
		case inbox.Dead, inbox.Conflict:
			t.report.GivenUp++
		}
	}
}

func (t *tally) fill(r *Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Records, r.Applied, r.Advanced = t.report.Records, t.report.Applied, t.report.Advanced
	r.Duplicates, r.Held, r.GivenUp = t.report.Duplicates, t.report.Held, t.report.GivenUp
	r.ClosedCalls = t.report.ClosedCalls
}
