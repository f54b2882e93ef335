package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"factline.dev/contract/policy"
)

// version adds a version of BasketPaid, with an edit of its schema.
func version(t *testing.T, files fstest.MapFS, number int, old, new string) {
	t.Helper()
	text := string(files[schema].Data)
	text = strings.ReplaceAll(text, "BasketPaid/v1", fmt.Sprintf("BasketPaid/v%d", number))
	text = strings.ReplaceAll(text, `"const": 1`, fmt.Sprintf(`"const": %d`, number))
	files[paid+fmt.Sprintf("v%d.schema.json", number)] = &fstest.MapFile{Data: []byte(strings.Replace(text, old, new, 1))}
}

func promise(t *testing.T, visibility, promise string) fstest.MapFS {
	t.Helper()
	return with(t, base(t), edit{topic, "visibility: public", "visibility: " + visibility}, edit{record, "compatibility: additive", "compatibility: " + promise})
}

// What is new was passed over in silence, as if it had been compared.
func TestWhatIsNewIsSaidToBeNew(t *testing.T) {
	t.Parallel()
	everything, err := policy.Check(t.Context(), policy.State{}, state(t, base(t)), today())
	if err != nil || len(everything) != 5 {
		t.Fatalf("%v: %v", err, everything)
	}
	for _, c := range everything {
		if c.Verdict != policy.New || c.Failed || !strings.Contains(c.Text(), "nothing was compared") {
			t.Errorf("got %v", c)
		}
	}
	now := base(t)
	for _, file := range []string{"event.yaml", "v1.schema.json", "CHANGELOG.md"} {
		if old, ok := now[paid+file]; ok {
			now["events/shop.basket.events/BasketLost/"+file] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(old.Data), "BasketPaid", "BasketLost"))}
		}
	}
	changes := check(t, base(t), now, today())
	if len(changes) != 1 || changes[0].Kind != policy.EventAdded || changes[0].Subject != "BasketLost v1" {
		t.Errorf("got %v", changes)
	}
}

func TestANewVersionIsHeldToWhatItsContractPromises(t *testing.T) {
	t.Parallel()
	const narrower, wider = `"maxLength": 50`, `"maxLength": 200`
	for _, tt := range []struct {
		promise, bound string
		kind           policy.Kind
		says           string
	}{
		{"additive", narrower, policy.VersionAdded, "not compatible with BasketPaid v1"},
		{"additive", wider, policy.VersionAdded, "not compatible with BasketPaid v1"},
		{"additive", `"maxLength": 100`, policy.VersionCompared, "was compared with BasketPaid v1: new readers, old events and old readers, new events (additive)"},
		{"backward", narrower, policy.VersionAdded, "not compatible with BasketPaid v1"},
		{"backward", wider, policy.VersionCompared, "was compared with BasketPaid v1: new readers, old events (backward)"},
		{"none", narrower, policy.EventAdded, "promises no compatibility with other versions (none)"},
	} {
		old := promise(t, "private", tt.promise)
		now := with(t, old)
		version(t, now, 2, `"maxLength": 100`, tt.bound)
		changes := check(t, old, now, today())
		if len(changes) != 1 || changes[0].Kind != tt.kind || !strings.Contains(changes[0].Message, tt.says) {
			t.Errorf("%s, %s: %v", tt.promise, tt.bound, changes)
		}
	}
}

// A version that took the place of the one before was compared with nothing.
func TestAVersionThatIsReplacedIsStillComparedWith(t *testing.T) {
	t.Parallel()
	now := base(t)
	version(t, now, 2, `"maxLength": 100`, `"maxLength": 50`)
	delete(now, schema)
	changes := check(t, base(t), now, today())
	added, removed := find(changes, policy.VersionAdded, "note"), find(changes, policy.VersionRemoved, "")
	if len(changes) != 2 || !added.Failed || !removed.Failed || removed.Subject != "BasketPaid v1" || !strings.Contains(removed.Message, "is read by "+group) {
		t.Errorf("got %v", changes)
	}
}

func TestAWeakerPromiseIsJudgedByIt(t *testing.T) {
	t.Parallel()
	narrower, wider := edit{schema, `"maxLength": 100`, `"maxLength": 50`}, edit{schema, `"maxLength": 100`, `"maxLength": 200`}
	voucher := edit{schema, `"voucherCode": {"type": "string"},`, ``}
	for _, tt := range []struct {
		visibility, promise string
		edit                edit
		path                string
		verdict             policy.Verdict
		failed              bool
	}{
		{"private", "additive", wider, "note", policy.Breaking, true},
		{"private", "backward", wider, "note", policy.Risky, false},
		{"private", "backward", narrower, "note", policy.Breaking, true},
		{"private", "backward", voucher, "voucherCode", policy.Breaking, true},
		{"public", "backward", wider, "note", policy.Risky, true},
		{"private", "none", narrower, "note", policy.Risky, false},
		{"operational", "none", voucher, "voucherCode", policy.Risky, false},
		{"public", "none", narrower, "note", policy.Breaking, true},
		{"integration", "none", voucher, "voucherCode", policy.Breaking, true},
	} {
		old := promise(t, tt.visibility, tt.promise)
		changes := check(t, old, with(t, old, tt.edit), today())
		if len(changes) != 1 || changes[0].Path != tt.path || changes[0].Verdict != tt.verdict || changes[0].Failed != tt.failed {
			t.Errorf("%s, %s, %s: %v", tt.visibility, tt.promise, tt.edit.new, changes)
		}
	}
	// to take the promise back does not free the same change
	both := check(t, promise(t, "private", "additive"), with(t, promise(t, "private", "none"), narrower), today())
	if c := find(both, policy.SchemaBroken, "note"); !c.Failed {
		t.Errorf("in one change: %v", both)
	}
}

func TestWhatATopicDoesWithItsRecordsIsJudgedBothWays(t *testing.T) {
	t.Parallel()
	odd := edit{topic, "retryTiers:", "onDeadLetter: continue\ncloudEvents: true\nretryTiers:"}
	changes := check(t, with(t, base(t), odd), base(t), today())
	blocks, dropped := find(changes, policy.DeadLetterBlocks, "onDeadLetter"), find(changes, policy.CloudEventsDropped, "cloudEvents")
	if len(changes) != 2 || blocks.Verdict != policy.Risky || dropped.Verdict != policy.Breaking {
		t.Errorf("got %v", changes)
	}
	headers := edit{record, "aggregateType:", "headers: [basketId]\naggregateType:"}
	if c := find(check(t, with(t, base(t), headers), base(t), today()), policy.HeaderRemoved, "headers"); c.Verdict != policy.Breaking {
		t.Errorf("a header that goes: %+v", c)
	}
}
