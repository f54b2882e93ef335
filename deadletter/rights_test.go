package deadletter_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/deadletter"
)

func (b *bench) planFor(team string) deadletter.Plan {
	b.t.Helper()
	plan, err := b.store.PlanRedrive(b.t.Context(), deadletter.PlanRequest{Operator: "kim", Team: team, Reason: "fixed in 1.2"})
	if err != nil {
		b.t.Fatal(err)
	}
	return plan
}

func TestOnlyTheTeamsOfTheCatalogueMayRedrive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1), b.dead("a", 2), b.dead("b", 1))
	for _, team := range []string{"OMS Platform Team", "Platform Team"} { // the event's owner; the reader, and the owner of dead letters
		if plan := b.planFor(team); plan.Ready != 3 || plan.Team != team {
			t.Errorf("%s: %+v, want all of it ready", team, plan)
		}
	}
	plan := b.planFor("CPQ Quote Team")
	if plan.Ready != 0 || len(plan.Refusals) != 1 || plan.Refusals[0].Code != deadletter.RefusedRights || plan.Refusals[0].Letters != 3 {
		t.Fatalf("plan = %+v, want everything refused for its rights", plan)
	}
	contains(t, plan.Refusals[0].Detail, "CPQ Quote Team may not bring OrderCaptured back", "OMS Platform Team, Platform Team may")
	if len(plan.Rights) != 1 || !slices.Equal(plan.Rights[0].Teams, []string{"OMS Platform Team", "Platform Team"}) || plan.Warned {
		t.Errorf("rights = %+v, want the two teams and no warning for a read model", plan.Rights)
	}
}

// warning is a catalogue that warns of one event in the group of the test.
type warning struct {
	*contract.Catalogue
	text       string
	replaySafe bool
	// newer says that only a later version of the event warns.
	newer bool
}

func (w warning) Events() []*contract.Event {
	events := w.Catalogue.Events()
	for i, e := range events {
		if e.Type == "OrderCaptured" {
			other := *e
			other.SideEffectWarning, other.ReplaySafe = w.text, w.replaySafe
			if w.newer {
				return append(events, &other)
			}
			events[i] = &other
		}
	}
	return events
}

func TestAWarnedRedriveWantsToBeAcknowledged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		warn   warning
		warned bool
	}{
		{"a warning for this group", warning{text: "projection-service tells the customer", replaySafe: true}, true},
		{"a warning of a later version of the event", warning{text: "projection-service tells the customer", replaySafe: true, newer: true}, true},
		{"a warning for another one", warning{text: "notification-service mails", replaySafe: true}, false},
		{"an event that is not safe to repeat, in a group without side effects", warning{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			tt.warn.Catalogue = b.contracts
			b.store = b.newStore(tt.warn)
			b.connect(never)
			b.give(b.dead("a", 1))
			plan := b.plan(deadletter.Selection{})
			if plan.Warned != tt.warned {
				t.Fatalf("plan = %+v, want warned %v", plan, tt.warned)
			}
			receipt, err := b.store.ApplyRedrive(t.Context(), deadletter.Apply{ID: plan.ID, Operator: "kim", Settings: fast})
			if !tt.warned {
				if err != nil || receipt.Applied != 1 || receipt.SideEffectsAcknowledged {
					t.Errorf("receipt = %+v, %v", receipt, err)
				}
				return
			}
			var effects *deadletter.SideEffectsError
			if !errors.As(err, &effects) || b.forwarded() != 0 || !strings.Contains(err.Error(), tt.warn.text) {
				t.Fatalf("apply = %v, %d sent; want the warning and nothing sent", err, b.forwarded())
			}
			receipt, err = b.store.ApplyRedrive(t.Context(), deadletter.Apply{ID: plan.ID, Operator: "kim", Settings: fast, AcknowledgeSideEffects: true})
			if err != nil || receipt.Applied != 1 || !receipt.SideEffectsAcknowledged || receipt.Team != "Platform Team" {
				t.Errorf("receipt = %+v, %v; want it applied, with who said so", receipt, err)
			}
		})
	}
}

func TestALetterThatSomethingNewerMadeNeedlessIsSupersededInTheReceipt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(func(id string) bool {
		if id != "dlt_a1" {
			return false
		}
		exec(t, b.own, `UPDATE factline.dead_letter SET state = 'SUPERSEDED', redrives = redrives || 'x'::text WHERE dead_letter_id = $1`, id)
		return true
	})
	b.give(b.dead("a", 1), b.dead("a", 2))
	plan := b.plan(deadletter.Selection{})
	receipt := b.apply(plan.ID, fast)
	if receipt.State != deadletter.Done || receipt.Superseded != 1 || receipt.Applied != 1 || receipt.Planned != 2 {
		t.Errorf("receipt = %+v, want one superseded and the next applied", receipt)
	}
	l, err := b.store.Get(t.Context(), "dlt_a1")
	if err != nil || l.State != deadletter.Superseded || l.History[len(l.History)-1].Kind != "SUPERSEDED" {
		t.Errorf("letter = %+v, %v", l, err)
	}
	outcomes, err := b.store.Outcomes(t.Context(), plan.ID, "SUPERSEDED")
	if err != nil || len(outcomes) != 1 || outcomes[0].LetterID != "dlt_a1" {
		t.Errorf("outcomes = %+v, %v", outcomes, err)
	}
}

// reorganised is a catalogue in which every service has another team by now.
type reorganised struct{ *contract.Catalogue }

func (c reorganised) Service(name string) (*contract.Service, bool) {
	s, ok := c.Catalogue.Service(name)
	if ok {
		s = &contract.Service{Name: s.Name, Team: "Another Team"}
	}
	return s, ok
}

// A plan used to be sent whatever the catalogue said of its team by then.
func TestARedriveSendsNothingThatItsTeamMayNoLongerBringBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1), b.dead("a", 2))
	plan := b.plan(deadletter.Selection{})
	b.timeout = time.Second // what was sent all the same is not waited for
	b.store = b.newStore(reorganised{b.contracts})
	receipt := b.apply(plan.ID, fast)
	if receipt.NotSent != 2 || receipt.Planned != 2 || b.forwarded() != 0 {
		t.Errorf("receipt = %+v, %d sent, want nothing sent", receipt, b.forwarded())
	}
	outcomes, err := b.store.Outcomes(t.Context(), plan.ID, "")
	if err != nil || len(outcomes) != 2 {
		t.Fatalf("outcomes = %+v, %v", outcomes, err)
	}
	contains(t, outcomes[0].Detail, "Platform Team may not bring OrderCaptured back", "Another Team may")
}

// The store used to call such a letter APPLIED, for good, where its group says that
// it was corrected.
func TestARedriveOfACorrectedLetterLeavesItCorrected(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(func(id string) bool {
		exec(t, b.own, `UPDATE factline.dead_letter SET state = 'CORRECTED', redrives = redrives || 'x'::text WHERE dead_letter_id = $1`, id)
		return true
	})
	b.give(b.dead("a", 1))
	receipt := b.apply(b.plan(deadletter.Selection{}).ID, fast)
	if receipt.State != deadletter.Done || receipt.Applied != 1 {
		t.Errorf("receipt = %+v, want it applied", receipt)
	}
	l, err := b.store.Get(t.Context(), "dlt_a1")
	if err != nil || l.State != deadletter.Corrected || l.History[len(l.History)-1].Kind != "CORRECTED" {
		t.Errorf("letter = %+v, %v, want it corrected", l, err)
	}
}

func TestTheStoreFollowsACorrection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.dead("a", 1)
	b.give(d)
	exec(t, b.own, `INSERT INTO factline.consumer_offset VALUES ($1, $2, 0, $3, false, now())`, group, topic, d.offset+1)
	var fields map[string]any
	if err := json.Unmarshal(d.value, &fields); err != nil {
		t.Fatal(err)
	}
	fields["payload"].(map[string]any)["customerId"] = "cust_corrected"
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := deadletter.Get(t.Context(), b.own, d.id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := deadletter.Correct(t.Context(), b.own, deadletter.CorrectRequest{
		ID: d.id, Event: text, Contracts: b.contracts, Reason: "wrong customer", Operator: "kim", Team: "Platform Team",
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // it is written down once
		if err := b.store.RecordCorrection(context.Background(), entry, c); err != nil {
			t.Fatal(err)
		}
	}
	l, err := b.store.Get(t.Context(), d.id)
	if err != nil || len(l.History) != 2 || l.History[1].Kind != "CORRECTION" || l.History[1].Operator != "kim" || l.History[1].Reason != "wrong customer" {
		t.Fatalf("letter = %+v, %v, want the act in its history", l.History, err)
	}
	// It failed again: the record on the dead-letter topic holds the corrected event.
	held, err := deadletter.Get(t.Context(), b.own, d.id)
	if err != nil {
		t.Fatal(err)
	}
	again := held.Record
	again.ID, again.FailedAt, again.RedriveID, again.ErrorClass = d.id, b.now.Add(time.Minute), c.ID, consumer.HandlerFailed
	value, err := json.Marshal(again)
	if err != nil {
		t.Fatal(err)
	}
	record := b.letter(d)
	record.Value = value
	b.collect(record)
	if l, err = b.store.Get(t.Context(), d.id); err != nil || l.Failures != 2 || l.Record.EventID != c.EventID || !strings.Contains(string(l.Record.OriginalValue), "cust_corrected") {
		t.Errorf("letter = %+v, %v, want what its group holds", l, err)
	}
	exec(t, b.own, `UPDATE factline.dead_letter SET state = 'CORRECTED'`)
	page, err := b.store.List(t.Context(), deadletter.Selection{State: deadletter.Open})
	if err != nil || len(page.Letters) != 0 {
		t.Errorf("open = %+v, %v, want none", page.Letters, err)
	}
	if l, err = b.store.Get(t.Context(), d.id); err != nil || l.State != deadletter.Corrected {
		t.Errorf("state = %s, %v, want it to follow its group", l.State, err)
	}
	// A failure of the correction that comes after its success is late.
	again.FailedAt = b.now.Add(2 * time.Minute)
	if record.Value, err = json.Marshal(again); err != nil {
		t.Fatal(err)
	}
	b.collect(record)
	if l, err = b.store.Get(t.Context(), d.id); err != nil || l.State != deadletter.Corrected {
		t.Errorf("state after a late failure = %s, %v, want CORRECTED", l.State, err)
	}
}
