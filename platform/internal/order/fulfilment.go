package order

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/internal/named"
	"factline.dev/platform/internal/database"
)

// Request asks for the fulfilment of one line.
type Request struct {
	TenantID, OrderID, LineID string
	Attempt                   int
	RequestedAt               time.Time
}

// Fulfilment is the port to whatever gets a line done.
//
// Request is called in the transaction that put lines of one order to REQUESTED
// and must only write there; the call to another system comes after the commit.
// The results arrive later through [Service.Complete]. A request may be repeated
// with the same line and attempt and must then have one effect.
type Fulfilment interface {
	Request(ctx context.Context, tx pgx.Tx, requests []Request) error
}

// Delayed fulfils every line after a fixed time, through the table timer. It
// stands in for the fulfilment adapter.
type Delayed struct{ Delay time.Duration }

const timerKind = "line.complete"

// timerBody is what a timer carries beside its columns: the answer it stands
// for, and the request that it continues.
type timerBody struct {
	LineID        string `json:"lineId"`
	Attempt       int    `json:"attempt"`
	CorrelationID string `json:"correlationId"`
	Traceparent   string `json:"traceparent"`
}

// Request sets a timer for each line.
func (f Delayed) Request(ctx context.Context, tx pgx.Tx, requests []Request) error {
	cause := envelope.CauseFrom(ctx)
	var ids, tenants, orders, bodies []string
	var due []time.Time
	for _, r := range requests {
		body, err := json.Marshal(timerBody{r.LineID, r.Attempt, cause.CorrelationID, cause.Traceparent})
		if err != nil {
			return fmt.Errorf("order: write timer of line %s: %w", r.LineID, err)
		}
		ids, tenants, orders = append(ids, "tmr_"+envelope.NewID()), append(tenants, r.TenantID), append(orders, r.OrderID)
		bodies, due = append(bodies, string(body)), append(due, r.RequestedAt.Add(f.Delay))
	}
	_, err := tx.Exec(ctx, statement("insert_timers"), named.Args{
		"kind": timerKind, "timer_ids": ids, "tenant_ids": tenants, "aggregate_ids": orders, "due_at": due, "bodies": bodies,
	})
	if err != nil {
		return fmt.Errorf("order: set timers: %w", err)
	}
	return nil
}

type timer struct {
	TimerID     string    `db:"timer_id"`
	TenantID    string    `db:"tenant_id"`
	AggregateID string    `db:"aggregate_id"`
	Body        timerBody `db:"body"`
}

const (
	timerPollMin = 20 * time.Millisecond
	timerPollMax = 250 * time.Millisecond
	timerBackoff = 5 * time.Second
	// keepTimers is how long a fired timer stays for those who look into it.
	keepTimers = 24 * time.Hour
)

// fireTimers fires what is due until ctx ends. Several may run at once: a timer
// is claimed by its row lock, for the transaction that fires it.
func (s *Service) fireTimers(ctx context.Context) error {
	wait := time.Duration(0)
	pause := time.NewTimer(wait)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.requested:
			wait = timerPollMin
			pause.Reset(wait)
			continue
		case <-pause.C:
		}
		fired, err := s.fireDue(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.host.Logger.Error("timer failed", "service", Name, "error", err)
			wait = time.Second
		case fired:
			wait = 0
		default:
			wait = min(max(2*wait, timerPollMin), timerPollMax)
		}
		pause.Reset(wait)
	}
}

// wakeTimers tells a worker that a timer was set, so that an idle one looks
// often again. It never blocks; the slow poll finds the timer without it.
func (s *Service) wakeTimers() {
	select {
	case s.requested <- struct{}{}:
	default:
	}
}

// fireDue fires the oldest due timer, and with it the other due ones of the same
// order, in one transaction. It reports whether there was one. Timers that fail
// are put back for a while, so that they do not stand before others.
func (s *Service) fireDue(ctx context.Context) (bool, error) {
	var due []timer
	err := database.Retrying(ctx, func() error {
		return database.InTenant(ctx, s.host.Pool, database.Platform, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, statement("claim_timer"), named.Args{"kind": timerKind, "now": s.now()})
			if err != nil {
				return err
			}
			if due, err = pgx.CollectRows(rows, pgx.RowToStructByName[timer]); err != nil || len(due) == 0 {
				return err
			}
			return s.fire(ctx, tx, due)
		})
	})
	switch {
	case len(due) == 0 || ctx.Err() != nil:
		return false, err
	case err != nil:
		return false, errors.Join(fmt.Errorf("order: fire timer %s: %w", due[0].TimerID, err), s.putBack(ctx, due))
	}
	s.outbox.Wake()
	return true, nil
}

func (s *Service) fire(ctx context.Context, tx pgx.Tx, due []timer) error {
	first := due[0]
	if err := database.SetTenant(ctx, tx, first.TenantID); err != nil {
		return err
	}
	source := "timer_" + first.TimerID
	ctx = envelope.WithCause(ctx, envelope.Cause{
		TenantID: first.TenantID, CorrelationID: first.Body.CorrelationID, CausationID: source, Traceparent: first.Body.Traceparent,
		Metadata: map[string]string{"actorType": "TIMER", "actorId": source},
	})
	results := make([]Result, len(due))
	for i, t := range due {
		results[i] = Result{LineID: t.Body.LineID, Attempt: t.Body.Attempt, ExternalReference: "SIM-" + t.Body.LineID}
	}
	if err := s.Complete(ctx, tx, first.TenantID, first.AggregateID, source, results...); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, statement("close_timer"), named.Args{"timer_ids": idsOf(due)})
	return err
}

func idsOf(timers []timer) []string {
	ids := make([]string, len(timers))
	for i, t := range timers {
		ids[i] = t.TimerID
	}
	return ids
}

func (s *Service) putBack(ctx context.Context, timers []timer) error {
	return database.InTenant(ctx, s.host.Pool, database.Platform, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, statement("delay_timer"), named.Args{"timer_ids": idsOf(timers), "until": s.now().Add(timerBackoff)})
		return err
	})
}

// sweepTimers deletes what fired long ago, every hour.
func (s *Service) sweepTimers(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		err := database.InTenant(ctx, s.host.Pool, database.Platform, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, statement("sweep_timers"), named.Args{"before": s.now().Add(-keepTimers)})
			return err
		})
		if err != nil && ctx.Err() == nil {
			s.host.Logger.Warn("fired timers stay for now", "service", Name, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
