package stack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"factline.dev/outbox"
	"factline.dev/platform"
)

// Run runs the platform's services on the stack until ctx ends, then drains
// them. ready is called when HTTP answers. It returns an error when the
// platform, the database or the broker fails.
func (s *Stack) Run(ctx context.Context, ready func()) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.watch(ctx) })
	group.Go(func() error {
		err := platform.Run(ctx, platform.Config{
			Databases: s.urls, Brokers: s.brokers, Contracts: s.contract, Listener: s.listener, LineDelay: s.cfg.LineDelay,
			Relay: outbox.RelayConfig{LeaseTTL: s.cfg.LeaseTTL}, Logger: s.logger, Ready: func(string) { ready() },
		})
		if err == nil && ctx.Err() == nil {
			return errors.New("stack: the platform ended by itself; read its log")
		}
		return err
	})
	return group.Wait()
}

// watch returns when ctx ends or when the ground below the services gives way.
func (s *Stack) watch(ctx context.Context) error {
	var database <-chan error
	if s.postgres != nil {
		database = s.postgres.Done()
	}
	var broker <-chan error
	if s.broker != nil {
		broker = s.broker.Failed()
	}
	select {
	case err := <-database:
		return fmt.Errorf("stack: the database ended: %w", err)
	case err := <-broker:
		return fmt.Errorf("stack: the broker failed: %w", err)
	case <-ctx.Done():
		return nil
	}
}

// Tally is how many accepted quotes have come to their end, over the whole life
// of the databases.
type Tally struct {
	// Accepted quotes, by their acceptance.
	Accepted int64 `json:"acceptedQuotes"`
	// Refused at capture, by a business rule.
	Refused int64 `json:"refusedAtCapture"`
	// Ended orders are completed or cancelled, in the read model.
	Ended int64 `json:"endedOrders"`
}

// Open is how many accepted quotes have no ended order yet.
func (t Tally) Open() int64 { return t.Accepted - t.Refused - t.Ended }

// Tally counts.
func (c *Connection) Tally(ctx context.Context) (t Tally, err error) {
	for service, count := range map[string]struct {
		sql  string
		into *int64
	}{
		"quote-service":      {statement("count_accepted"), &t.Accepted},
		"order-service":      {statement("count_refused"), &t.Refused},
		"projection-service": {statement("count_ended"), &t.Ended},
	} {
		if err := c.count(ctx, service, count.sql, count.into); err != nil {
			return Tally{}, err
		}
	}
	return t, nil
}

// Settle waits until no accepted quote is open, or until none has come to its
// end for so long, and returns the last count.
func (c *Connection) Settle(ctx context.Context, patience time.Duration) (Tally, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last Tally
	for moved := time.Now(); ; {
		t, err := c.Tally(ctx)
		if t.Ended > last.Ended {
			moved = time.Now()
		}
		if err == nil {
			last = t
		}
		if err == nil && t.Open() <= 0 || ctx.Err() != nil {
			return last, nil
		}
		if time.Since(moved) > patience {
			return last, err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
