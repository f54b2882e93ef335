package deadletter

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/internal/named"
	"factline.dev/outbox"
)

// Headers that a redrive adds beside consumer.HeaderRetryGroup, HeaderRedriveID
// and HeaderDeadLetterID: where the event stood first.
const (
	headerSourceTopic     = "source-topic"
	headerSourcePartition = "source-partition"
	headerSourceOffset    = "source-offset"
)

// The pause between two looks at outcomes doubles while nothing moves.
const (
	pauseMin = 5 * time.Millisecond
	pauseMax = 250 * time.Millisecond
)

// run sends and waits until every letter has its outcome, or the stop rule says
// so. It returns how it ended.
func (r *redrive) run(ctx context.Context) (state, why string, err error) {
	settings := r.receipt.Settings
	p := &pace{rate: settings.Rate}
	r.heard, r.told, r.began = time.Now(), time.Now(), time.Now()
	defer func() { r.report(p, true) }()
	if err := r.findLost(ctx); err != nil {
		return "", "", err
	}
	pause, renewed := pauseMin, time.Now()
	for {
		settled, err := r.settle(ctx)
		if err != nil {
			return "", "", err
		}
		why := r.mustStop(settings)
		if state, why := r.over(why); state != "" {
			return state, why, nil
		}
		sent := 0
		if why == "" {
			if sent, err = r.send(ctx, p); err != nil {
				return "", "", err
			}
		}
		if pause = min(2*pause, pauseMax); settled+sent > 0 {
			pause, renewed = pauseMin, time.Now()
		}
		if time.Since(renewed) > r.store.cfg.LeaseTTL/3 {
			if err := r.renew(ctx, r.store.cfg.Pool); err != nil {
				return "", "", err
			}
			renewed = time.Now()
		}
		r.report(p, false)
		select {
		case <-ctx.Done():
			return Paused, "", nil
		case <-time.After(pause):
		}
	}
}

// over says how the run ended, if it did. What was sent is waited for in any
// case, so that the receipt is complete.
func (r *redrive) over(stop string) (state, why string) {
	timeout := r.store.cfg.OutcomeTimeout
	switch {
	case len(r.queue.sent) > 0 && timeout >= 0 && time.Since(r.heard) > timeout:
		return Paused, fmt.Sprintf("none of %d letters that were sent had an outcome for %s: see that their groups run; the next run sends again what never arrived", len(r.queue.sent), timeout)
	case len(r.queue.sent) > 0:
		return "", ""
	case stop != "":
		return Stopped, stop
	case r.queue.counts.Pending == 0:
		return Done, ""
	}
	return "", ""
}

// mustStop is the stop rule.
func (r *redrive) mustStop(settings Settings) string {
	c := r.queue.counts
	outcomes := c.Applied + c.Failed + c.Skipped + c.Superseded
	switch {
	case r.queue.canaryFailed:
		return "a canary failed"
	case settings.StopAfter >= 0 && c.Failed >= settings.StopAfter:
		return fmt.Sprintf("%d letters failed again", c.Failed)
	case settings.StopShare >= 0 && outcomes >= 20 && float64(c.Failed) > settings.StopShare*float64(outcomes):
		return fmt.Sprintf("%d of %d letters failed again", c.Failed, outcomes)
	}
	return ""
}

func (r *redrive) report(p *pace, last bool) {
	if r.onProgress == nil || (!last && time.Since(r.told) < 500*time.Millisecond) {
		return
	}
	r.told = time.Now()
	r.onProgress(Progress{Phase: r.queue.phase(), Counts: r.queue.counts, Left: p.left(r.queue.counts.Pending, r.told)})
}

// findLost looks for letters that an earlier run sent and that their groups never
// took: a retry topic may lose a record, and a group may have been restored from a
// backup. They go again, which is safe where a record is only late, because a
// group takes one redrive id once.
func (r *redrive) findLost(ctx context.Context) error {
	waiting := r.queue.sentBefore(r.store.cfg.Now().Add(-r.store.cfg.LeaseTTL))
	if len(waiting) == 0 {
		return nil
	}
	standings, err := r.standings(ctx, waiting)
	if err != nil {
		return err
	}
	for n, i := range waiting {
		if s := standings[n]; s.State == Open && !s.took(r.id) {
			r.queue.lost = append(r.queue.lost, i)
		}
	}
	return nil
}

type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (commandTag, error)
}

// send forwards as many letters as may go now, in one transaction with what is
// recorded of them: a kill can neither lose nor repeat one.
func (r *redrive) send(ctx context.Context, p *pace) (int, error) {
	room := r.receipt.Settings.MaxInFlight - len(r.queue.sent)
	batch := r.queue.next(room, p.allow(time.Now()))
	if len(batch) == 0 {
		return 0, nil
	}
	var changed map[int]string
	err := r.store.inTx(ctx, func(tx pgx.Tx) (err error) {
		changed, err = r.forward(ctx, tx, batch)
		return err
	})
	if err != nil {
		return 0, err
	}
	r.store.cfg.Outbox.Wake()
	p.spend(len(batch) - len(changed))
	for _, i := range batch {
		if changed[i.seq] == "" {
			r.queue.move(i, itemSent)
			continue
		}
		r.drop(i, itemNotSent)
	}
	r.heard = time.Now()
	return len(batch), nil
}

// forward returns why some of the letters cannot go any more.
func (r *redrive) forward(ctx context.Context, tx pgx.Tx, batch []*item) (map[int]string, error) {
	if err := r.renew(ctx, tx); err != nil {
		return nil, err
	}
	locked, err := r.lockLetters(ctx, tx, batch)
	if err != nil {
		return nil, err
	}
	changed := map[int]string{}
	var records []outbox.Record
	var moves moves
	var ids []string
	for _, i := range batch {
		o := locked[i.letterID]
		if why := r.changed(i, o); why != "" {
			changed[i.seq] = why
			moves.add(i, itemNotSent, why)
			moves.addBehind(r.queue.behind(i.lane), i)
			continue
		}
		record, err := r.record(i, o)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
		ids = append(ids, i.letterID)
		moves.add(i, itemSent, "")
	}
	if err := r.store.cfg.Outbox.Forward(ctx, tx, records...); err != nil {
		return nil, err
	}
	if err := r.moveLetters(ctx, tx, ids, Redriven, Redriven); err != nil {
		return nil, err
	}
	return changed, r.moveItems(ctx, tx, moves)
}

// lockedLetter is a letter that is about to go.
type lockedLetter struct {
	LetterID, State              string
	Failures                     int
	EventID, EventType, TenantID string
	RecordKey, Headers, Value    []byte
}

func (r *redrive) lockLetters(ctx context.Context, tx pgx.Tx, batch []*item) (map[string]lockedLetter, error) {
	ids := make([]string, len(batch))
	for n, i := range batch {
		ids[n] = i.letterID
	}
	rows, err := tx.Query(ctx, statement("lock_letters"), named.Args{"letter_ids": ids})
	if err != nil {
		return nil, err
	}
	letters, err := pgx.CollectRows(rows, pgx.RowToStructByPos[lockedLetter])
	byID := make(map[string]lockedLetter, len(letters))
	for _, l := range letters {
		byID[l.LetterID] = l
	}
	return byID, err
}

// changed looks once more: hours may lie between the plan and this moment. What
// was lost on the way passed this before, and may still arrive from then.
func (r *redrive) changed(i *item, l lockedLetter) string {
	switch {
	case i.state == itemSent:
		return ""
	case l.State != Open:
		return "it is no longer open"
	case l.Failures != i.failures:
		return "it failed again since the plan was made"
	}
	if right := rightOf(r.store.cfg.Contracts, i.Topic, i.ConsumerGroup, l.EventType); !right.allows(r.receipt.Team) {
		return right.refusal(r.receipt.Team)
	}
	return r.store.contractFault(l.Value)
}

// record is the original one, for its group alone.
func (r *redrive) record(i *item, l lockedLetter) (outbox.Record, error) {
	headers, err := envelope.DecodeHeaders(l.Headers)
	if err != nil {
		return outbox.Record{}, fmt.Errorf("headers of %s: %w", i.letterID, err)
	}
	for _, h := range []struct{ name, value string }{
		{consumer.HeaderRetryGroup, i.ConsumerGroup},
		{consumer.HeaderRedriveID, r.id},
		{consumer.HeaderDeadLetterID, i.groupLetterID},
		{headerSourceTopic, i.Topic},
		{headerSourcePartition, strconv.Itoa(int(i.Partition))},
		{headerSourceOffset, strconv.FormatInt(i.Offset, 10)},
	} {
		headers = append(headers, envelope.Header{Key: h.name, Value: []byte(h.value)})
	}
	return outbox.Record{
		Topic: i.retryTopic, Key: l.RecordKey, Headers: headers, Value: l.Value,
		EventID: l.EventID, EventType: l.EventType, TenantID: l.TenantID,
	}, nil
}
