package outbox

import (
	"strings"
	"testing"
)

// A topic that never comes: what waits for it is given up, and nothing else.
func TestATopicThatNeverComesCanBeSkipped(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	other := b.withOther()
	b.mixed(60)
	stop := b.relay()
	b.awaitAside(60)
	stop() // or a try under way may still succeed
	ask := SkipTopicRequest{Topic: other, Reason: "it was a mistake", Operator: "kim"}
	result, err := SkipTopic(t.Context(), b.pool, ask)
	if err != nil || result.Events != 60 {
		t.Fatalf("%d events are given up (%v), want 60", result.Events, err)
	}
	b.settled()
	b.nothingParked()
	var action, target, operator, detail string
	err = b.pool.QueryRow(t.Context(), "SELECT action, target, operator, detail->>'events' FROM factline.operator_action WHERE action_id = $1", result.ActionID).
		Scan(&action, &target, &operator, &detail)
	if err != nil || action != "outbox.skip_topic" || target != other || operator != "kim" || detail != "60" {
		t.Errorf("audited: %s of %s by %s, %s events (%v)", action, target, operator, detail, err)
	}
	b.relay()
	b.mixed(20)
	b.awaitAside(20)
	b.kafka.CreateTopic(t, other, 3, nil)
	b.settled()
	b.once(80)
	// What was given up stays so.
	all := b.of(other).published(20)
	if len(all) != 20 {
		t.Errorf("%d events of the other topic are on the log, want the 20 that came later", len(all))
	}
	if again, err := SkipTopic(t.Context(), b.pool, ask); err != nil || again != (SkipTopicResult{}) {
		t.Errorf("a second one gave %+v (%v), want nothing done", again, err)
	}
}

func TestSkipTopicNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := SkipTopic(t.Context(), nil, SkipTopicRequest{Topic: " "})
	for _, field := range []string{"Topic", "Reason", "Operator"} {
		if err == nil || !strings.Contains(err.Error(), "outbox.SkipTopicRequest."+field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
}

// A relay of the version before parked a culprit where it was set aside.
func TestASkippedCulpritLeavesItsShelf(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	other := b.withOther()
	b.append(event("x1", ""), event("x1", ""))
	stop := b.relay()
	b.awaitAside(2)
	stop()
	var id string
	err := b.pool.QueryRow(t.Context(), "UPDATE factline.outbox_parked SET is_culprit = true WHERE aggregate_version = 1 RETURNING parked_id").Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	b.resolve(id, Skip)
	b.kafka.CreateTopic(t, other, 3, nil)
	b.relay()
	b.settled()
	if all := b.of(other).published(1); len(all) != 1 || all[0].AggregateVersion != 2 {
		t.Errorf("%d events are on the log, the first with version %d; want version 2 alone", len(all), all[0].AggregateVersion)
	}
}
