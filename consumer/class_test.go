package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/outbox"
)

func TestOutcomesAreKnownByPredicate(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for _, tt := range []struct {
		name string
		err  error
		is   func(error) bool
	}{
		{"permanent", consumer.Permanent(cause), consumer.IsPermanent},
		{"rejected", consumer.Rejected(cause), consumer.IsRejected},
		{"unauthorized", consumer.Unauthorized(cause), consumer.IsUnauthorized},
		{"retry after", consumer.RetryAfter(time.Minute, cause), func(err error) bool {
			d, ok := consumer.RetryDelay(err)
			return ok && d == time.Minute
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wrapped := fmt.Errorf("handle: %w", tt.err)
			if !tt.is(wrapped) || !errors.Is(wrapped, cause) || tt.is(cause) {
				t.Errorf("%v: is %v, wraps its cause %v, another error is %v", wrapped, tt.is(wrapped), errors.Is(wrapped, cause), tt.is(cause))
			}
		})
	}
	if consumer.Unauthorized(nil) != nil || consumer.Permanent(nil) != nil || consumer.Rejected(nil) != nil || consumer.RetryAfter(1, nil) != nil {
		t.Error("nil does not stay nil")
	}
}

func TestViolationsOfRightsAreDeadLettersWithAnAlert(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		tenant string
		h      consumer.Handler
	}{
		{"a tenant the service may not process", "globex", record},
		{"an event that its handler calls unauthorized", "acme", func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
			if m.AggregateID == "a" {
				return fmt.Errorf("change order: %w", consumer.Unauthorized(errors.New("order of another tenant")))
			}
			return record(ctx, tx, m)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			e := order("a", 1)
			e.TenantID = tt.tenant
			var mu sync.Mutex
			var alerts []consumer.Alert
			b.send(e, order("b", 1))
			b.start(with(chained(newClock(), tt.h), func(c *consumer.Config) {
				c.Tenants = func(tenant string) bool { return tenant == "acme" }
				c.SecurityAlert = func(ctx context.Context, tx pgx.Tx, a consumer.Alert) error {
					mu.Lock()
					defer mu.Unlock()
					alerts = append(alerts, a)
					return b.outbox.Append(ctx, tx, outbox.Event{Type: "ProjectionAlertRaised", AggregateID: a.DeadLetterID, Payload: map[string]any{"reason": a.Reason}})
				}
			}))
			b.wantEffects("b/1")
			d := b.deadLetter()
			if d.ErrorClass != consumer.TenantViolation || d.AttemptCount != 1 {
				t.Errorf("dead letter = %s after %d, want TENANT_VIOLATION after 1", d.ErrorClass, d.AttemptCount)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(alerts) != 1 || alerts[0].DeadLetterID != d.ID || alerts[0].EventID != "evt_a_1" || alerts[0].TenantID != tt.tenant || alerts[0].Reason == "" {
				t.Errorf("alerts = %+v, want one of the dead letter", alerts)
			}
			if n := one[int64](b, `SELECT count(*) FROM factline.outbox_event WHERE event_type = 'ProjectionAlertRaised'`); n != 1 {
				t.Errorf("%d alert events, want 1, committed with the dead letter", n)
			}
			b.await("the alert counted", func() (bool, any) {
				n := b.counter("factline_consumer_security_alerts_total")
				return n == 1, n
			})
		})
	}
}

// Before, the hook ran as the tenant of the chunk's first event, and what it set
// stayed for that one's handler.
func TestASecurityAlertRunsAsTheEventsTenantAndLeavesTheHandlersTheirs(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var mu sync.Mutex
	var seen []string
	first, second := order("x", 1), order("y", 1)
	first.TenantID, second.TenantID = "globex", "initech"
	b.send(order("a", 1), first, order("a", 2), second)
	b.start(func(c *consumer.Config) {
		c.Tenants = func(tenant string) bool { return tenant == "acme" }
		c.SecurityAlert = func(ctx context.Context, tx pgx.Tx, _ consumer.Alert) error {
			mu.Lock()
			defer mu.Unlock()
			var tenant string
			err := tx.QueryRow(ctx, `SELECT current_setting('factline.tenant')`).Scan(&tenant)
			seen = append(seen, tenant)
			if err == nil {
				_, err = tx.Exec(ctx, `SELECT set_config('factline.tenant', 'umbrella', true)`)
			}
			return err
		}
	})
	b.wantEffects("a/1", "a/2")
	b.wantNext(4)
	if tenants := query[string](b, `SELECT tenant_setting FROM app.effect`); !slices.Equal(tenants, []string{"acme", "acme"}) {
		t.Errorf("the handlers ran as %v, want acme", tenants)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(seen, []string{"globex", "initech"}) {
		t.Errorf("the hook ran as %v, want each event's tenant", seen)
	}
}

func TestAnUnknownVersionWaitsForAnUpgradeWhereTheSubscriptionSaysSo(t *testing.T) {
	t.Parallel()
	wait := func(c *consumer.Config) { c.Subscriptions[0].UnknownVersionWait = 24 * time.Hour }
	newer := order("a", 2)
	newer.EventVersion = 2
	t.Run("and is applied after it", func(t *testing.T) {
		t.Parallel()
		b, clk, contracts := setup(t, 1), newClock(), &healable{}
		b.send(order("a", 1), newer, order("a", 3), order("b", 1))
		b.start(with(chained(clk, record), wait, func(c *consumer.Config) { c.Contracts = contracts }))
		b.wantEffects("a/1", "b/1")
		b.wantHeld("a/2 RETRY", "a/3 BLOCKED")
		contracts.healed.Store(true)
		clk.add(time.Minute)
		b.wantEffects("a/1", "b/1", "a/2", "a/3")
		if n := one[int](b, `SELECT attempts FROM factline.inbox WHERE event_id = 'evt_a_2'`); n != 1 {
			t.Errorf("attempts = %d, want the one that worked", n)
		}
	})
	t.Run("and is given up when that takes too long", func(t *testing.T) {
		t.Parallel()
		b, clk := setup(t, 1), newClock()
		b.send(order("a", 1), newer, order("a", 3))
		b.start(with(chained(clk, record), wait))
		b.wantHeld("a/2 RETRY", "a/3 BLOCKED")
		clk.add(23 * time.Hour)
		b.await("another look, without a verdict", func() (bool, any) {
			due := query[time.Time](b, `SELECT due_at FROM factline.held_event WHERE reason = 'RETRY'`)
			return len(due) == 1 && due[0].After(clk.now()), due
		})
		clk.add(time.Hour)
		if d := b.deadLetter(); d.ErrorClass != consumer.UnknownEventVersion || d.EventID != "evt_a_2" {
			t.Errorf("dead letter = %s of %s, want UNKNOWN_EVENT_VERSION of evt_a_2", d.ErrorClass, d.EventID)
		}
		b.wantHeld("a/3 BLOCKED")
	})
}
