package deadletter_test

import (
	"errors"
	"testing"
	"time"

	"factline.dev/deadletter"
)

// lose makes letters be under way whose records never arrive: nothing relays the
// outbox of this bench yet.
func (b *bench) lose(plan deadletter.Plan, settings deadletter.Settings) {
	b.t.Helper()
	b.impatient(10 * time.Millisecond)
	if receipt := b.apply(plan.ID, settings); receipt.State != deadletter.Paused || receipt.Waiting == 0 {
		b.t.Fatalf("receipt = %+v, want it paused for want of outcomes", receipt)
	}
	exec(b.t, b.ops, `DELETE FROM factline.outbox_event`)
	b.now = b.now.Add(time.Minute)
	b.impatient(2 * time.Minute)
}

// impatient sets how long a redrive waits for outcomes.
func (b *bench) impatient(timeout time.Duration) {
	b.timeout = timeout
	b.store = b.newStore(b.contracts)
}

func TestAResumedRedriveSendsAgainWhatNeverReachedItsGroup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1), b.dead("a", 2), b.dead("b", 1))
	plan := b.plan(deadletter.Selection{})
	b.lose(plan, deadletter.Settings{Rate: -1, Canary: -1})
	b.connect(never)
	receipt := b.apply(plan.ID, fast)
	if receipt.State != deadletter.Done || receipt.Applied != 3 || b.forwarded() != 3 {
		t.Errorf("resumed = %+v, %d sent; want all 3 applied", receipt, b.forwarded())
	}
	b.checkOrder(3)
}

// A record that is late and not lost arrives beside the second one.
func TestWhatIsSentAgainIsAppliedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1), b.dead("b", 1))
	plan := b.plan(deadletter.Selection{})
	b.impatient(10 * time.Millisecond)
	b.apply(plan.ID, deadletter.Settings{Rate: -1, Canary: -1})
	b.now = b.now.Add(time.Minute)
	b.impatient(2 * time.Minute)
	b.connect(never)
	if receipt := b.apply(plan.ID, fast); receipt.State != deadletter.Done || receipt.Applied != 2 {
		t.Errorf("resumed = %+v, want both applied", receipt)
	}
	b.checkOrder(2)
}

func TestALetterThatFailedInAnEarlierRedriveOfItsGroupHasFailed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1))
	plan := b.plan(deadletter.Selection{})
	b.lose(plan, fast)
	exec(t, b.own, `UPDATE factline.dead_letter SET redrives = ARRAY[$1, 'rdr_of_somebody'], redrive_id = 'rdr_of_somebody'`, plan.ID)
	if receipt := b.apply(plan.ID, fast); receipt.State != deadletter.Stopped || receipt.Failed != 1 || b.forwarded() != 0 {
		t.Errorf("resumed = %+v, %d sent; want the failure counted", receipt, b.forwarded())
	}
}

func (b *bench) abandon(id string) (deadletter.Receipt, error) {
	return b.store.AbandonRedrive(b.t.Context(), deadletter.Abandon{ID: id, Operator: "lee", Reason: "the topic lost them"})
}

func TestAnAbandonedRedriveOpensWhatNoGroupTook(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1), b.dead("a", 2), b.dead("b", 1))
	plan := b.plan(deadletter.Selection{})
	b.lose(plan, deadletter.Settings{Rate: -1, Canary: -1})
	exec(t, b.own, `UPDATE factline.dead_letter SET state = 'APPLIED' WHERE dead_letter_id = 'dlt_b1'`)
	receipt, err := b.abandon(plan.ID)
	if err != nil || receipt.State != deadletter.Abandoned || receipt.Abandoned != 2 || receipt.Applied != 1 || receipt.EndedAt.IsZero() {
		t.Fatalf("receipt = %+v, %v; want one applied and two abandoned", receipt, err)
	}
	page, err := b.store.List(t.Context(), deadletter.Selection{State: deadletter.Open})
	if err != nil || len(page.Letters) != 2 {
		t.Errorf("%d open, %v, want the two of key a", len(page.Letters), err)
	}
	l, err := b.store.Get(t.Context(), "dlt_a1")
	if err != nil || l.History[len(l.History)-1].Kind != "ABANDONED" || l.History[len(l.History)-1].RedriveID != plan.ID {
		t.Errorf("a1 = %+v, %v", l, err)
	}
	var audited string
	err = b.ops.QueryRow(t.Context(), `SELECT operator || ': ' || reason FROM factline.operator_action WHERE action = 'deadletter.redrive.abandon'`).Scan(&audited)
	if err != nil || audited != "lee: the topic lost them" {
		t.Errorf("audited %q, %v", audited, err)
	}
	b.connect(never)
	if again := b.apply(b.plan(deadletter.Selection{}).ID, fast); again.State != deadletter.Done || again.Applied != 2 {
		t.Errorf("planned anew = %+v, want both applied", again)
	}
	if ended, err := b.abandon(plan.ID); err != nil || ended.OutcomeHash != receipt.OutcomeHash {
		t.Errorf("abandoned twice = %+v, %v, want the first receipt", ended, err)
	}
	if resumed := b.apply(plan.ID, fast); resumed.State != deadletter.Abandoned {
		t.Errorf("resumed = %+v, want it over", resumed)
	}
}

func TestAPlanThatNeverBeganCanBeAbandoned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1))
	receipt, err := b.abandon(b.plan(deadletter.Selection{}).ID)
	if err != nil || receipt.State != deadletter.Abandoned || receipt.Abandoned != 1 {
		t.Errorf("receipt = %+v, %v", receipt, err)
	}
}

func TestARedriveIsNotAbandonedWhileAGroupTriesItsLetters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1))
	plan := b.plan(deadletter.Selection{})
	b.lose(plan, fast)
	exec(t, b.own, `UPDATE factline.dead_letter SET state = 'REDRIVEN', redrives = ARRAY[$1]`, plan.ID)
	_, err := b.abandon(plan.ID)
	if err == nil {
		t.Fatal("it was abandoned")
	}
	contains(t, err.Error(), "dlt_a1", "resume the redrive")
	if _, receipt, err := b.store.Redrive(t.Context(), plan.ID); err != nil || receipt.State != deadletter.Paused || receipt.Waiting != 1 {
		t.Errorf("it is %+v, %v, want it as it was", receipt, err)
	}
}

func TestARunningRedriveIsNotAbandoned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1))
	plan := b.plan(deadletter.Selection{})
	exec(t, b.ops, `UPDATE deadletter.redrive SET state = 'RUNNING', lease_owner = 'x', leased_until = now() + interval '1 hour'`)
	var running *deadletter.RunningError
	if _, err := b.abandon(plan.ID); !errors.As(err, &running) {
		t.Errorf("abandon = %v, want a RunningError", err)
	}
	_, err := b.store.AbandonRedrive(t.Context(), deadletter.Abandon{})
	contains(t, err.Error(), "Abandon.ID", "Abandon.Operator", "Abandon.Reason")
}
