package outbox

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/factlinetest"
)

// ADR 5: a tenant with a hundred times the events, who goes on appending as fast
// as it can, delays another tenant's event by what stood before it and by
// nothing that came later.
func TestANoisyTenantDelaysOthersByNoMoreThanWhatCameBefore(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	noisy := func(i int) Event {
		e := event(fmt.Sprint("n", i%400), "")
		e.TenantID = "noisy"
		return e
	}
	appendNoisy := func(from int) error {
		var events []Event
		for i := range 200 {
			events = append(events, noisy(from+i))
		}
		return pgx.BeginFunc(context.Background(), b.pool, func(tx pgx.Tx) error { return b.outbox.Append(context.Background(), tx, events...) })
	}
	const quietEvents = 40
	for i := range quietEvents * 100 / 200 {
		if err := appendNoisy(i * 200); err != nil {
			t.Fatal(err)
		}
	}
	for i := range quietEvents {
		e := event(fmt.Sprint("q", i), "")
		e.TenantID = "quiet"
		b.append(e)
	}
	stopNoise := b.inBackground(func(i int) error { return appendNoisy(i * 200) })
	b.relay(func(c *RelayConfig) { c.ChunkEvents = 50 })
	factlinetest.Eventually(t, 20*time.Second, "the quiet tenant's events", func() (bool, error) {
		waiting, _, err := b.quiet()
		return waiting == 0, err
	})
	stopNoise()
	if _, overtaken, err := b.quiet(); err != nil || overtaken != 0 {
		t.Errorf("%d events of the quiet tenant waited for events that were appended after them (%v)", overtaken, err)
	}
}

// inBackground repeats do until it is stopped.
func (b *bundle) inBackground(do func(i int) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if err := do(i); err != nil {
				b.t.Error(err)
				return
			}
		}
	})
	stop = func() { cancel(); wait.Wait() }
	b.t.Cleanup(stop)
	return stop
}

// quiet counts the quiet tenant's events that are not out, and those that a
// later row of their lane came before.
func (b *bundle) quiet() (waiting, overtaken int, err error) {
	err = b.pool.QueryRow(b.t.Context(), `
		SELECT count(*) FILTER (WHERE r.lane IS NULL), count(*) FILTER (WHERE EXISTS (
			SELECT FROM factline.outbox_receipt x
			WHERE x.lane = e.lane AND x.published_at < r.published_at AND x.last_position > e.position))
		FROM factline.outbox_event e
		LEFT JOIN factline.outbox_receipt r ON r.lane = e.lane AND e.position = ANY(r.positions)
		WHERE e.tenant_id = 'quiet'`).Scan(&waiting, &overtaken)
	return waiting, overtaken, err
}
