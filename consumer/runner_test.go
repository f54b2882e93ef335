package consumer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"factline.dev/consumer"
)

func TestEventsTakeEffectOnceInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	stop := b.start(nil)
	b.send(order("a", 1), order("a", 2), order("b", 1), order("a", 2), order("b", 1), order("a", 3))
	b.wantEffects("a/1", "a/2", "b/1", "a/3")
	b.wantNext(6)
	b.wantCommitted(6)
	if err := stop(); err != nil {
		t.Fatalf("Run = %v, want nil after a graceful drain", err)
	}
	if states := query[string](b, `SELECT DISTINCT state FROM factline.inbox`); len(states) != 1 || states[0] != "DONE" {
		t.Errorf("inbox states = %v, want DONE alone", states)
	}
	if tenants := query[string](b, `SELECT DISTINCT tenant_setting FROM app.effect`); len(tenants) != 1 || tenants[0] != "acme" {
		t.Errorf("factline.tenant was %v, want acme", tenants)
	}
	b.start(nil)
	b.send(order("a", 4))
	b.wantEffects("a/1", "a/2", "b/1", "a/3", "a/4")
}

func TestADatabaseThatLacksATableOrColumnIsRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	for _, drop := range []string{"DROP TABLE factline.consumer_gap", "DROP TABLE factline.held_event", "ALTER TABLE factline.held_event DROP COLUMN suspect"} {
		t.Run(drop, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			if _, err := b.pool.Exec(t.Context(), drop); err != nil {
				t.Fatal(err)
			}
			runner, err := consumer.New(b.cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patient)
			defer cancel()
			if err := runner.Run(ctx); err == nil || !strings.Contains(err.Error(), "lacks 1 of the library's tables or columns; run migrate.Up") {
				t.Errorf("Run = %v, want a refusal that says what to do", err)
			}
		})
	}
}

func TestBulkHandlerGetsOneTenantAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	foreign := order("x", 1)
	foreign.TenantID = "globex"
	b.send(order("a", 1), foreign, order("a", 2))
	b.start(func(c *consumer.Config) {
		c.Subscriptions[0].Handlers = nil
		c.Subscriptions[0].Bulk, c.Subscriptions[0].BulkTypes = recordBulk, []string{"OrderCaptured"}
	})
	b.wantNext(3)
	if n := one[int64](b, `SELECT count(*) FROM app.effect WHERE tenant_setting = tenant_id`); n != 3 {
		t.Errorf("%d effects under their own tenant, want 3: %v", n, b.effects())
	}
}

func TestLargeEventsGoThroughInSmallerChunks(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var want []string
	for v := int64(1); v <= 40; v++ { // 34 MiB: more than a chunk and more than the queue
		e := order("a", v)
		e.Payload = json.RawMessage(`{"orderId":"a","note":"` + strings.Repeat("x", 870<<10) + `"}`)
		b.send(e)
		want = append(want, fmt.Sprintf("a/%d", v))
	}
	b.start(nil)
	b.wantEffects(want...)
	if n := b.counter("factline_consumer_chunk_records"); n < 4 {
		t.Errorf("%v chunks, want at least 4 of 8 MiB", n)
	}
}
