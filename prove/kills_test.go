package prove

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"factline.dev/prove/history"
	"factline.dev/prove/report"
)

func TestKillsConfigErrorsNameTheField(t *testing.T) {
	t.Parallel()
	_, err := Kills(t.Context(), KillsConfig{Times: -1, Rate: -1, Patience: 1})
	for _, field := range []string{"Binary", "Find", "Times", "Rate", "Patience"} {
		if err == nil || !strings.Contains(err.Error(), "prove.KillsConfig."+field+":") {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

func newKiller(cfg KillsConfig) *killer {
	return &killer{cfg: cfg.WithDefaults(), dice: newDice(cfg.Seed)}
}

func TestTheSameSeedKillsAtTheSameMomentsAndSomeFallIntoAStart(t *testing.T) {
	t.Parallel()
	a, b, other := newKiller(KillsConfig{Seed: 7}), newKiller(KillsConfig{Seed: 7}), newKiller(KillsConfig{Seed: 8})
	inStart, same := 0, 0
	for n := 1; n <= 100; n++ {
		m := a.next(n)
		if again := b.next(n); m != again {
			t.Errorf("kill %d: %+v, again %+v", n, m, again)
		}
		if m == other.next(n) {
			same++
		}
		if m.duringStart {
			inStart++
		}
		if m.after < 0 || m.after > 3*time.Second || m.into < 0 || m.into > 60*time.Millisecond {
			t.Errorf("kill %d: %s", n, m.after)
		}
	}
	if inStart < 10 || inStart > 50 || same > 5 {
		t.Errorf("%d of 100 fall into a start, %d as with another seed", inStart, same)
	}
}

func TestTheFirstKillNeverFallsIntoTheFirstStart(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		if m := newKiller(KillsConfig{Seed: seed + 1}).next(1); m.duringStart {
			t.Errorf("seed %d: %+v", seed+1, m)
		}
	}
}

func TestKillsUsesNoFolderWithContent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	missing := newKiller(KillsConfig{Folder: filepath.Join(dir, "new")})
	if err := missing.makeFolder(); err != nil || missing.dir != filepath.Join(dir, "new") {
		t.Errorf("%q, %v", missing.dir, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "letter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newKiller(KillsConfig{Folder: dir}).makeFolder(); err == nil || !strings.Contains(err.Error(), "empty or missing") {
		t.Errorf("got %v", err)
	}
}

func TestKillsStartsWithItsPortsAndWithoutTheCallersSettings(t *testing.T) {
	t.Parallel()
	k := newKiller(KillsConfig{})
	if err := k.choosePorts(); err != nil {
		t.Fatal(err)
	}
	line := strings.Join(k.flags, " ")
	for _, want := range []string{"--http " + strings.TrimPrefix(k.base, "http://"), "--postgres=", "--kafka=", "--postgres-port ", "--kafka-port "} {
		if !strings.Contains(line, want) {
			t.Errorf("%q lacks %q", line, want)
		}
	}
}

func moment0(ms int) time.Time {
	return time.Date(2026, 7, 2, 9, 0, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
}

// sound is what a platform leaves that lost nothing: one quote became one order,
// and one of its events was published only after the crash.
func sound() history.History {
	h := history.History{
		Quotes:    []history.Quote{{QuoteID: "q1", Outcome: history.OK}},
		Accepted:  []history.AcceptedQuote{{QuoteID: "q1", State: "CONVERTED", OrderID: "o1"}},
		Orders:    []history.Order{{OrderID: "o1", QuoteID: "q1", State: "COMPLETED", Version: 2, Lines: 1, Transitions: 2}},
		Summaries: []history.Summary{{OrderID: "o1", State: "COMPLETED", Version: 2, Lines: 1}},
		Crashes: []history.Crash{{
			Number: 1, PID: 7, Signal: "killed", Servers: []int{8}, IsUnclean: true, WasUp: true, At: moment0(50), Dead: moment0(60),
		}},
	}
	add := func(id, eventType, topic, kind, aggregate string, version int64, committed, published int) {
		value := fmt.Appendf(nil, `{"eventId":%q}`, id)
		h.Committed = append(h.Committed, history.Event{
			Service: "s", EventID: id, EventType: eventType, AggregateType: kind, AggregateID: aggregate, Version: version, Topic: topic,
			At: moment0(committed), Key: []byte(aggregate), Value: value,
		})
		h.Log = append(h.Log, history.Record{
			Topic: topic, Offset: version - 1, EventID: id, EventType: eventType, AggregateType: kind, AggregateID: aggregate, Version: version,
			CausationID: "e1", At: moment0(published), Raw: history.RawRecord{Key: []byte(aggregate), Value: value},
		})
	}
	add("e1", "QuoteAccepted", quoteTopic, "Quote", "q1", 1, 10, 11)
	add("e2", "OrderCaptured", orderTopic, "Order", "o1", 1, 20, 21)
	add("e3", "OrderCompleted", orderTopic, "Order", "o1", 2, 40, 70)
	for _, r := range readings() {
		event := map[string]string{quoteTopic: "e1", orderTopic: "e2"}[r.topic]
		h.Inboxes = append(h.Inboxes, history.Settled{Group: r.group, EventID: event, State: "DONE", Topic: r.topic, At: moment0(30)})
	}
	return h
}

func judged(t *testing.T, h history.History) report.Step {
	t.Helper()
	out := &outcome{step: report.Step{Verdict: report.Pass}}
	judgeWhole(h, out)
	if err := (&killer{final: h}).judgeCrashes(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	return out.step
}

func TestKillsFailsOnWhatIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	if got := judged(t, sound()); got.Verdict != report.Pass {
		t.Fatalf("nothing is wrong: %s %q", got.Verdict, got.Problems)
	}
	cases := []struct {
		name    string
		change  func(*history.History)
		verdict report.Verdict
		want    string
	}{
		{"a committed event is not on the log", func(h *history.History) { h.Log = h.Log[:2] }, report.Fail, "OrderCompleted e3 of Order o1, version 2, is lost"},
		{"an event on the log was never committed", func(h *history.History) { h.Committed = h.Committed[:2] }, report.Fail, "e3 at oms.order.events.v1/0/1 was never committed"},
		{"a value changed on the way", func(h *history.History) { h.Log[2].Raw.Value = []byte(`{}`) }, report.Fail, "e3 at oms.order.events.v1/0/1 has another value"},
		{"versions changed places", func(h *history.History) { h.Log[1].Offset, h.Log[2].Offset = 1, 0 }, report.Fail, "version 2 (OrderCompleted at oms.order.events.v1/0/0) follows version 0"},
		{"an answered acceptance is gone", func(h *history.History) {
			h.Quotes = append(h.Quotes, history.Quote{QuoteID: "q2", Outcome: history.OK})
		}, report.Fail, "quote q2 was answered as accepted"},
		{"an accepted quote has a second order", func(h *history.History) {
			second := h.Orders[0]
			second.OrderID = "o2"
			h.Orders = append(h.Orders, second)
		}, report.Fail, "quote q1 has 2 orders"},
		{"an accepted quote has no order", func(h *history.History) { h.Orders = nil }, report.Fail, "quote q1 has 0 orders"},
		{"an order is not finished", func(h *history.History) { h.Orders[0].State = "CAPTURED" }, report.Fail, "order o1 is CAPTURED"},
		{"an effect was given up", func(h *history.History) { h.Inboxes[0].State = "DEAD" }, report.Fail, "e2 is DEAD"},
		{"an effect is missing", func(h *history.History) { h.Inboxes = h.Inboxes[:3] }, report.Fail, "the inbox of " + readModelGroup + " is empty"},
		{"the read model shows an order of old", func(h *history.History) { h.Summaries[0].Version = 1 }, report.Fail, "shown as COMPLETED at version 1"},
		{"the kill fell upon nothing", func(h *history.History) { h.Log[2].At = moment0(45) }, report.Inconclusive, "0 of 1 kills fell upon work under way"},
		{"the broker has forgotten the first records", func(h *history.History) {
			for i := range h.Log {
				h.Log[i].Offset += 5
			}
		}, report.Inconclusive, "begins at offset 5"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := sound()
			c.change(&h)
			if got := judged(t, h); got.Verdict != c.verdict || !strings.Contains(strings.Join(got.Problems, "\n"), c.want) {
				t.Errorf("%s %q, want %s with %q", got.Verdict, got.Problems, c.verdict, c.want)
			}
		})
	}
}
