package check

import (
	"strings"
	"testing"
	"time"

	"factline.dev/prove/history"
)

func at(ms int) time.Time {
	return time.Date(2026, 7, 2, 9, 0, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
}

func goodCrash() history.Crash {
	return history.Crash{Number: 1, PID: 7, Signal: "killed", Servers: []int{8, 9}, IsUnclean: true, WasUp: true, At: at(100), Dead: at(110)}
}

func TestCrashKilledAllWantsEvidence(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*history.Crash)
		want   string
	}{
		{"it ended by itself", func(c *history.Crash) { c.Signal = "exit 1" }, `ended by "exit 1"`},
		{"it was never started", func(c *history.Crash) { c.PID = 0 }, "process 0"},
		{"the database lived on", func(c *history.Crash) { c.Servers = nil }, "0 processes were killed"},
		{"the database shut down while all of it was starting", func(c *history.Crash) {
			c.WasUp, c.Servers, c.IsUnclean, c.IsShutDown = false, nil, false, true
		}, "its control file says so"},
		{"the database shut down in time", func(c *history.Crash) { c.IsUnclean = false }, "shut down cleanly (true)"},
	}
	if r := CrashKilledAll(goodCrash()); !r.OK() {
		t.Errorf("%q", r.Problems)
	}
	starting := goodCrash()
	starting.WasUp, starting.Servers, starting.IsUnclean = false, nil, false
	if r := CrashKilledAll(starting); !r.OK() {
		t.Errorf("a platform without a database yet: %q", r.Problems)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			crash := goodCrash()
			c.change(&crash)
			if r := CrashKilledAll(crash); r.OK() || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want %q", r.Problems, c.want)
			}
		})
	}
}

func TestUnderWayCountsWhatTheCrashFellUpon(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		committed time.Time
		records   []history.Record
		applied   time.Time
		want      Work
	}{
		{"all was done before", at(10), []history.Record{{EventID: "e", At: at(20)}}, at(30), Work{}},
		{"all was begun after", at(120), []history.Record{{EventID: "e", At: at(130)}}, at(140), Work{}},
		{"committed before and published after", at(10), []history.Record{{EventID: "e", At: at(130)}}, at(140), Work{Unpublished: 1}},
		{"committed before and lost", at(10), nil, time.Time{}, Work{Unpublished: 1}},
		{"published before and applied after", at(10), []history.Record{{EventID: "e", At: at(20)}}, at(140), Work{Unapplied: 1}},
		{"published on both sides: the first counts", at(10), []history.Record{{EventID: "e", At: at(130)}, {EventID: "e", At: at(20)}}, at(30), Work{}},
		{"published again by the prover", at(10), []history.Record{{EventID: "e", At: at(130)}, {EventID: "e", At: at(20), Injected: true}}, at(140), Work{Unpublished: 1}},
		{"while processes died", at(101), []history.Record{{EventID: "e", At: at(105)}}, at(109), Work{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var inboxes []history.Settled
			if !c.applied.IsZero() {
				inboxes = []history.Settled{{Group: "g", EventID: "e", State: "DONE", At: c.applied}}
			}
			got := UnderWay([]history.Crash{goodCrash()}, []history.Event{{EventID: "e", Version: 1, At: c.committed}}, c.records, inboxes)
			if len(got) != 1 || got[0] != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestAcceptancesCountWhereThePlatformCouldAnswer(t *testing.T) {
	t.Parallel()
	up, starting := goodCrash(), goodCrash()
	up.Unanswered, starting.Unanswered, starting.WasUp = 3, 3, false
	got := UnderWay([]history.Crash{up, starting}, nil, nil, nil)
	if got[0].Unanswered != 3 || !got[1].IsNone() {
		t.Errorf("%+v", got)
	}
}

func TestCrashesOfAnIdlePlatformProveNothing(t *testing.T) {
	t.Parallel()
	two := []history.Crash{goodCrash(), goodCrash()}
	if r := CrashesHitWork(two, []Work{{}, {Unpublished: 2}}); !r.OK() || !strings.Contains(r.Observed, "1 of 2 kills, 1 of 2 that found it up: 2 events") {
		t.Errorf("%+v", r)
	}
	starting := goodCrash()
	starting.WasUp = false
	busy := Work{Unpublished: 1}
	if r := CrashesHitWork(append(two, starting, starting), []Work{{}, busy, {}, {}}); !r.OK() {
		t.Errorf("one of two that found it up, and two starts: %q", r.Problems)
	}
	most := CrashesHitWork(append(two, goodCrash(), starting, starting), []Work{{}, {}, busy, busy, busy})
	if most.OK() || !strings.Contains(most.Problems[0], "1 of 3 kills that found it up") {
		t.Errorf("one of three that found it up: %+v", most)
	}
	for _, works := range [][]Work{nil, {{}, {}}, {{Unapplied: 1}}} {
		if r := CrashesHitWork(two, works); r.OK() || !strings.Contains(r.Problems[0], "nothing is proved") {
			t.Errorf("%+v passes: %+v", works, r)
		}
	}
}

// applied is the good history with an inbox that holds every OrderCaptured.
func applied(h history.History) Result {
	return AppliedOnce(h.Inboxes, h.Log, []Handles{{Group: "g", Topic: "orders", Types: []string{"OrderCaptured"}}})
}

func withInbox(change func(*history.History)) func(*history.History) {
	return func(h *history.History) {
		h.Inboxes = nil
		for _, id := range []string{"e11", "e21"} {
			h.Inboxes = append(h.Inboxes, history.Settled{Group: "g", EventID: id, State: "DONE", Topic: "orders"})
		}
		change(h)
	}
}

func TestAppliedOnceFindsWhatAnInboxLacksOrHoldsTwice(t *testing.T) {
	t.Parallel()
	h := good()
	withInbox(func(*history.History) {})(&h)
	if r := applied(h); !r.OK() {
		t.Errorf("%q", r.Problems)
	}
	cases := []wrong{
		{"an event had no effect", func(h *history.History) { h.Inboxes = h.Inboxes[:1] }, "OrderCaptured e21 at orders/0/3 had no effect in g"},
		{"an event had its effect twice", func(h *history.History) { h.Inboxes = append(h.Inboxes, h.Inboxes[0]) }, "e11 stands twice in the inbox of g"},
		{"an event was given up", func(h *history.History) { h.Inboxes[0].State = "DEAD" }, "e11 is DEAD for g"},
		{"an effect has no event", func(h *history.History) { h.Inboxes[0].EventID = "e99" }, "e99 is settled for g and not on the log"},
		{"all of a type that is expected had no effect", func(h *history.History) {
			h.Inboxes[0].EventID, h.Inboxes[1].EventID = "e13", "e23"
		}, "OrderCaptured e11 at orders/0/0 had no effect in g"},
		{"one of a type that is not expected had no effect", func(h *history.History) {
			h.Inboxes = append(h.Inboxes, history.Settled{Group: "g", EventID: "e12", State: "DONE", Topic: "orders"})
		}, "OrderValidated e22 at orders/0/4 had no effect in g"},
		{"a group did nothing", func(h *history.History) { h.Inboxes = nil }, "the inbox of g is empty"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := good()
			withInbox(c.change)(&h)
			if r := applied(h); r.OK() || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want one with %q", r.Problems, c.want)
			}
		})
	}
}

func TestAppliedOnceProvesNothingAboutAGroupOfWhichNothingIsExpected(t *testing.T) {
	t.Parallel()
	h := good()
	withInbox(func(*history.History) {})(&h)
	if r := AppliedOnce(h.Inboxes, h.Log, []Handles{{Group: "g", Topic: "orders"}}); r.OK() || !strings.Contains(r.Problems[0], "nothing is proved") {
		t.Errorf("%+v", r)
	}
}

func TestLogIsWholeFindsDroppedRecords(t *testing.T) {
	t.Parallel()
	run(t, func(h history.History) Result { return LogIsWhole(h.Log) }, []wrong{
		{"the first records are gone", func(h *history.History) { h.Log = h.Log[2:6] }, "orders/0 begins at offset 2"},
	})
}

func TestValuesAsCommittedComparesEveryByte(t *testing.T) {
	t.Parallel()
	plain, value := []byte(`{"a":1}`), `{"a":1,"publishedAt":"2026-07-02T09:00:00.000Z"}`
	cases := []struct {
		name, key, value string
		stamped          bool
		want             string
	}{
		{"the relay added when it published", "k", value, true, ""},
		{"a record that is forwarded stays as it is", "k", string(plain), false, ""},
		{"a forwarded record was stamped", "k", value, false, "another value"},
		{"the stamp is missing", "k", string(plain), true, "another value"},
		{"the value changed", "k", strings.Replace(value, "1", "2", 1), true, "another value"},
		{"the value was cut", "k", value[:10], true, "another value"},
		{"more than the stamp was added", "k", strings.Replace(value, `,"pub`, `,"b":2,"pub`, 1), true, "another value"},
		{"the value is gone", "k", "", true, "another value"},
		{"the key changed", "l", value, true, `has key "l", committed with "k"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			committed := []history.Event{{EventID: "e", Version: 1, Key: []byte("k"), Value: plain, Stamped: c.stamped}}
			first := history.Record{EventID: "e", Raw: history.RawRecord{Key: []byte("k"), Value: []byte(value)}}
			if !c.stamped {
				first.Raw.Value = plain
			}
			repeated := history.Record{EventID: "e", Offset: 1, Raw: history.RawRecord{Key: []byte(c.key), Value: []byte(c.value)}}
			r := ValuesAsCommitted(committed, []history.Record{first, repeated})
			if text := strings.Join(r.Problems, "\n"); r.OK() != (c.want == "") || !strings.Contains(text, c.want) {
				t.Errorf("problems %q, want %q", text, c.want)
			}
		})
	}
	if r := ValuesAsCommitted(nil, nil); r.OK() {
		t.Error("nothing compared passes")
	}
}
