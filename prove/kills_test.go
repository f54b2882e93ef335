package prove

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"factline.dev/internal/devstack"
	"factline.dev/platform"
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
		Orders:    []history.Order{{OrderID: "o1", QuoteID: "q1", State: "COMPLETED", Version: 3, Lines: 1, Transitions: 3}},
		Summaries: []history.Summary{{OrderID: "o1", State: "COMPLETED", Version: 3, Lines: 1}},
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
	add("e3", "OrderActivated", orderTopic, "Order", "o1", 2, 22, 23)
	add("e4", "OrderCompleted", orderTopic, "Order", "o1", 3, 40, 70)
	for _, r := range readings() {
		for _, id := range handled()[r.group] {
			h.Inboxes = append(h.Inboxes, history.Settled{Group: r.group, EventID: id, State: "DONE", Topic: r.topic, At: moment0(30)})
		}
	}
	return h
}

// handled are the events of the sound history that each group has dealt with.
// OrderCaptured is one that order-service may handle and need not.
func handled() map[string][]string {
	return map[string][]string{
		"quote-service.order-events.consumer": {"e2"},
		captureGroup:                          {"e1"},
		"order-service.order-events.consumer": {"e2", "e3"},
		readModelGroup:                        {"e2", "e3", "e4"},
	}
}

// without takes an event of a group out of its inbox.
func without(h *history.History, group, eventID string) {
	h.Inboxes = slices.DeleteFunc(h.Inboxes, func(s history.Settled) bool { return s.Group == group && s.EventID == eventID })
}

func judged(t *testing.T, h history.History) report.Step {
	t.Helper()
	out := &outcome{step: report.Step{Verdict: report.Pass}}
	catalogue, err := platform.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	k := &killer{observer: observer{catalogue: catalogue}, final: h}
	judgeWhole(h, k.handles(), out)
	if err := k.judgeCrashes(t.Context(), out); err != nil {
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
		{"a committed event is not on the log", func(h *history.History) { h.Log = h.Log[:3] }, report.Fail, "OrderCompleted e4 of Order o1, version 3, is lost"},
		{"an event on the log was never committed", func(h *history.History) { h.Committed = h.Committed[:3] }, report.Fail, "e4 at oms.order.events.v1/0/2 was never committed"},
		{"a value changed on the way", func(h *history.History) { h.Log[2].Raw.Value = []byte(`{}`) }, report.Fail, "e3 at oms.order.events.v1/0/1 has another value"},
		{"versions changed places", func(h *history.History) { h.Log[1].Offset, h.Log[2].Offset = 1, 0 }, report.Fail, "version 2 (OrderActivated at oms.order.events.v1/0/0) follows version 0"},
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
		{"a group had no effect", func(h *history.History) {
			for _, id := range handled()[readModelGroup] {
				without(h, readModelGroup, id)
			}
		}, report.Fail, "the inbox of " + readModelGroup + " is empty"},
		{"order-service never handled an activation", func(h *history.History) {
			without(h, "order-service.order-events.consumer", "e3")
		}, report.Fail, "OrderActivated e3 at oms.order.events.v1/0/1 had no effect in order-service.order-events.consumer"},
		{"the read model never handled a completion", func(h *history.History) { without(h, readModelGroup, "e4") }, report.Fail, "OrderCompleted e4 at oms.order.events.v1/0/2 had no effect in " + readModelGroup},
		{"a quote was never answered after the last start", func(h *history.History) {
			h.Quotes = append(h.Quotes, history.Quote{QuoteID: "q2", Outcome: history.Unknown, Reason: "503"})
		}, report.Fail, "quote q2 was never answered"},
		{"the read model shows an order of old", func(h *history.History) { h.Summaries[0].Version = 1 }, report.Fail, "shown as COMPLETED at version 1"},
		{"the kill fell upon nothing", func(h *history.History) { h.Log[3].At = moment0(45) }, report.Inconclusive, "0 of 1 kills fell upon work under way"},
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

func TestAGroupAtTheEndOfItsTopicHasNeitherLagNorRecordsThatAreNotThere(t *testing.T) {
	t.Parallel()
	at := func(partition int32) history.Place { return history.Place{Topic: orderTopic, Partition: partition} }
	ends := map[history.Place]int64{at(0): 10, at(1): 10}
	cases := []struct {
		name   string
		first  int64
		second int64
		want   []string
	}{
		{"it has read all", 10, 10, nil},
		{"it has read a part", 10, 7, []string{readModelGroup + " is 3 records behind"}},
		{"it stands beyond the end of one partition", 13, 10, []string{readModelGroup + " goes on at oms.order.events.v1/0/13, beyond the end of the log at 10"}},
		{"that hides no lag on another", 13, 7, []string{
			readModelGroup + " goes on at oms.order.events.v1/0/13, beyond the end of the log at 10", readModelGroup + " is 3 records behind",
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			next := make(map[string]map[history.Place]int64)
			for _, r := range readings() {
				next[r.group] = map[history.Place]int64{at(0): 10, at(1): 10}
			}
			next[readModelGroup] = map[history.Place]int64{at(0): c.first, at(1): c.second}
			if got := notAtEnd(readings(), ends, next); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			delete(next, readModelGroup)
			if got := notAtEnd(readings(), ends, next); !slices.Equal(got, []string{readModelGroup + " is 20 records behind"}) {
				t.Errorf("a group without places: %q", got)
			}
		})
	}
}

// A start could make its server right after the look for one: it was asked to
// shut down by the death of the services and lived on to do so.
func TestAServerThatComesUpBesideTheKillIsKilledAfterIt(t *testing.T) {
	t.Parallel()
	looks := 0
	var crash history.Crash
	looked := make(chan struct{})
	err := killAll(&crash, func() (string, error) {
		<-looked
		return "killed", nil
	}, func() (devstack.KilledPostgres, error) {
		if looks++; looks == 1 {
			defer close(looked)
			return devstack.KilledPostgres{}, nil
		}
		return devstack.KilledPostgres{PIDs: []int{8, 9}, IsUnclean: true}, nil
	})
	if err != nil || crash.Signal != "killed" || !slices.Equal(crash.Servers, []int{8, 9}) || crash.Late != 2 || !crash.IsUnclean {
		t.Errorf("%+v, %v", crash, err)
	}
}

func TestTheControlFileTellsAShutdownFromADeath(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		content []byte
		want    bool
		wantErr string
	}{
		{"it shut down", controlFile(1), true, ""},
		{"it shut down while it recovered", controlFile(2), true, ""},
		{"it died on its way down", controlFile(3), false, ""},
		{"it died while it recovered", controlFile(4), false, ""},
		{"it died at work", controlFile(6), false, ""},
		{"the file is cut off", controlFile(6)[:10], false, "has 10 bytes"},
		{"there is none", nil, false, "pg_control"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "global"), 0o700); err != nil {
				t.Fatal(err)
			}
			if c.content != nil {
				if err := os.WriteFile(filepath.Join(dir, "global", "pg_control"), c.content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := isShutDown(dir)
			if got != c.want || (err != nil) != (c.wantErr != "") || !strings.Contains(fmt.Sprint(err), c.wantErr) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func controlFile(state uint32) []byte {
	return append(binary.NativeEndian.AppendUint32(make([]byte, 16), state), make([]byte, 100)...)
}
