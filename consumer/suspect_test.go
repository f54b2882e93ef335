package consumer_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
)

// marksSeen fails until it is healed, and looks in each later attempt at what is marked
// meanwhile.
type marksSeen struct {
	b      *bundle
	healed atomic.Bool
	mu     sync.Mutex
	seen   map[string][]string // by event
}

func (m *marksSeen) handle(ctx context.Context, tx pgx.Tx, msg consumer.Message) error {
	if !m.healed.Load() {
		return errors.New("not yet")
	}
	rows, err := m.b.pool.Query(ctx, `SELECT event_id FROM factline.held_event WHERE suspect ORDER BY 1`)
	if err != nil {
		return err
	}
	marked, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.seen[msg.EventID] = marked
	m.mu.Unlock()
	return record(ctx, tx, msg)
}

// wantMarks has the first events of some orders wait for their next attempt together,
// and wants each to find all of them marked in it.
func (b *bundle) wantMarks(ids ...string) {
	b.t.Helper()
	clk, seen := newClock(), &marksSeen{b: b, seen: make(map[string][]string)}
	var held, effects, marked []string
	for _, id := range ids {
		b.send(order(id, 1))
		held, effects, marked = append(held, id+"/1 RETRY"), append(effects, id+"/1"), append(marked, "evt_"+id+"_1")
	}
	b.start(with(chained(clk, seen.handle), func(c *consumer.Config) { c.InPlaceAttempts = 1 }))
	b.wantHeld(held...)
	seen.healed.Store(true)
	clk.add(time.Minute)
	b.wantEffects(effects...)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for id, found := range seen.seen {
		if !slices.Equal(found, marked) {
			b.t.Errorf("%s found %v marked, want %v", id, found, marked)
		}
	}
}

// Before, a mark that failed was taken for one that was made, and whoever was tried
// together was so without it.
func TestAMarkThatFailedIsMadeBeforeTheNextRun(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	for _, sql := range []string{
		`CREATE SEQUENCE app.mark`,
		`CREATE FUNCTION app.fail_once() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN IF nextval('app.mark') = 1 THEN RAISE EXCEPTION 'not this time'; END IF; RETURN NEW; END $$`,
		`CREATE TRIGGER fail_once BEFORE UPDATE ON factline.held_event FOR EACH ROW WHEN (NEW.suspect AND NOT OLD.suspect) EXECUTE FUNCTION app.fail_once()`,
	} {
		if _, err := b.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	b.wantMarks("a", "b")
	if n := one[int64](b, `SELECT last_value FROM app.mark`); n < 3 {
		t.Errorf("%d marks were tried, want one that failed and two that did not", n)
	}
}

// Before, the only event that was due was not marked: after a death it was tried with
// what had come due meanwhile.
func TestAnEventThatIsTriedAgainAloneIsMarked(t *testing.T) {
	t.Parallel()
	setup(t, 1).wantMarks("a")
}
