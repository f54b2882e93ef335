package deadletter_test

import (
	"fmt"
	"testing"
	"time"

	"factline.dev/deadletter"
	"factline.dev/factlinetest"
)

const day = 24 * time.Hour

// rows counts what the store holds.
func (b *bench) rows() string {
	b.t.Helper()
	var letters, history, items, redrives int
	err := b.ops.QueryRow(b.t.Context(), `SELECT (SELECT count(*) FROM deadletter.letter), (SELECT count(*) FROM deadletter.history),
		(SELECT count(*) FROM deadletter.redrive_item), (SELECT count(*) FROM deadletter.redrive)`).Scan(&letters, &history, &items, &redrives)
	if err != nil {
		b.t.Fatal(err)
	}
	return fmt.Sprintf("%d letters, %d of history, %d items, %d redrives", letters, history, items, redrives)
}

func (b *bench) expire(retention, later time.Duration) {
	b.t.Helper()
	if err := deadletter.Expire(b.t.Context(), b.ops, retention, b.now.Add(later)); err != nil {
		b.t.Fatal(err)
	}
}

func TestWhatWasSettledLongAgoIsDeletedAndItsReceiptKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(never)
	b.give(b.dead("a", 1), b.dead("b", 1))
	receipt := b.apply(b.plan(deadletter.Selection{}).ID, fast)
	b.give(b.dead("c", 1)) // stays open
	b.expire(0, 59*day)
	if got, want := b.rows(), "3 letters, 7 of history, 2 items, 1 redrives"; got != want {
		t.Errorf("after 59 days there are %s, want %s", got, want)
	}
	b.expire(0, 61*day)
	if got, want := b.rows(), "1 letters, 1 of history, 0 items, 1 redrives"; got != want {
		t.Errorf("after 61 days there are %s, want %s", got, want)
	}
	_, kept, err := b.store.Redrive(t.Context(), receipt.RedriveID)
	if err != nil || kept.Applied != 2 || kept.OutcomeHash != receipt.OutcomeHash {
		t.Errorf("the receipt is now %+v, %v, want it as it was", kept, err)
	}
}

func TestWhatARedriveMayStillNeedIsKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1), b.dead("b", 1))
	b.lose(b.plan(deadletter.Selection{}), deadletter.Settings{Rate: -1, Canary: -1})
	exec(t, b.ops, `UPDATE deadletter.letter SET state = 'SKIPPED' WHERE letter_id = 'dlt_a1'`)
	before := b.rows()
	b.expire(day, 2*day)
	if got := b.rows(); got != before {
		t.Errorf("there were %s, and now %s", before, got)
	}
}

func TestAPlanWhoseLettersExpiredIsMadeAnew(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1))
	plan := b.plan(deadletter.Selection{})
	b.expire(day, 2*day)
	if _, err := b.store.ApplyRedrive(t.Context(), deadletter.Apply{ID: plan.ID, Operator: "kim"}); err == nil {
		t.Error("a plan without its letters was applied")
	}
}

func TestMoreThanABatchExpires(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1))
	exec(t, b.ops, `INSERT INTO deadletter.letter SELECT (l).* FROM (
		SELECT jsonb_populate_record(l, jsonb_build_object('letter_id', 'x' || n, 'offset', 1000000 + n, 'state', 'SKIPPED', 'state_at', '2020-01-01')) AS l
		FROM deadletter.letter l, generate_series(1, 2500) n) many`)
	b.expire(0, 0)
	if got, want := b.rows(), "1 letters, 1 of history, 0 items, 0 redrives"; got != want {
		t.Errorf("there are %s, want %s", got, want)
	}
}

func TestARunningCollectorDeletesWhatHasExpired(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(never)
	b.give(b.dead("a", 1))
	exec(t, b.ops, `UPDATE deadletter.letter SET state = 'SKIPPED', state_at = now() - interval '61 days'`)
	b.collector(nil)
	factlinetest.Eventually(t, time.Minute, "the old letter being deleted", func() (bool, error) {
		page, err := b.store.List(t.Context(), deadletter.Selection{})
		return len(page.Letters) == 0, err
	})
}
