package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"factline.dev/prove/history"
)

// good is a history that every check accepts: two quotes became two orders, one
// event was repeated by a crash, one by the prover.
func good() history.History {
	h := history.History{}
	for _, n := range []string{"1", "2"} {
		quote, order := "q"+n, "o"+n
		h.Quotes = append(h.Quotes, history.Quote{QuoteID: quote, Outcome: history.OK})
		h.Accepted = append(h.Accepted, history.AcceptedQuote{QuoteID: quote, State: "CONVERTED", OrderID: order})
		h.Orders = append(h.Orders, history.Order{OrderID: order, QuoteID: quote, State: "COMPLETED", Version: 3, Lines: 2, Transitions: 3})
		h.Summaries = append(h.Summaries, history.Summary{OrderID: order, State: "COMPLETED", Version: 3, Lines: 2})
		for i, eventType := range []string{"OrderCaptured", "OrderValidated", "OrderCompleted"} {
			id := fmt.Sprintf("e%s%d", n, i+1)
			h.Committed = append(h.Committed, history.Event{
				Service: "order-service", EventID: id, EventType: eventType, AggregateType: "Order", AggregateID: order, Version: int64(i + 1), Topic: "orders",
			})
			h.Log = append(h.Log, history.Record{
				Topic: "orders", Offset: int64(len(h.Log)), EventID: id, EventType: eventType, AggregateType: "Order", AggregateID: order,
				Version: int64(i + 1), CausationID: "cause-" + quote,
			})
		}
	}
	again := h.Log[0]
	again.Offset = 6
	byProver := h.Log[1]
	byProver.Offset, byProver.Injected = 7, true
	h.Log = append(h.Log, again, byProver)
	h.Inboxes = []history.Settled{{Group: "g", EventID: "e11", State: "DONE"}}
	h.Waiting = []history.Waiting{{Service: "order-service"}, {Service: "projection-service", DeadLetters: 1}}
	return h
}

// wrong is a history changed for the worse, and what a check must say of it.
type wrong struct {
	name   string
	change func(*history.History)
	want   string
}

func run(t *testing.T, judge func(history.History) Result, cases []wrong) {
	t.Helper()
	if r := judge(good()); !r.OK() || r.Observed == "" || r.Name == "" {
		t.Errorf("a good history: %+v", r)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := good()
			c.change(&h)
			r := judge(h)
			if !strings.Contains(strings.Join(r.Problems, "\n"), c.want) || r.OK() {
				t.Errorf("problems %q, want one with %q", r.Problems, c.want)
			}
		})
	}
}

func TestCommittedAreOnLogFindsWhatIsLostOrInvented(t *testing.T) {
	t.Parallel()
	run(t, func(h history.History) Result { return CommittedAreOnLog(h.Committed, h.Log) }, []wrong{
		{"an event is missing on the log", func(h *history.History) { h.Log[4].EventID = "other"; h.Log[4].Injected = true }, "e22 of Order o2, version 2, is lost"},
		{"an event is there through the prover's hand alone", func(h *history.History) { h.Log[3].Injected = true }, "e21"},
		{"an event on the log was never committed", func(h *history.History) { h.Committed = h.Committed[1:] }, "e11 at orders/0/6 was never committed"},
		{"an event changed its version on the way", func(h *history.History) { h.Log[5].Version = 9 }, "e23 stands on the log as OrderCompleted o2 version 9"},
		{"an event stands on another topic", func(h *history.History) { h.Log[5].Topic = "elsewhere" }, "for orders"},
		{"nothing was committed", func(h *history.History) { h.Committed, h.Log = nil, nil }, "nothing is proved"},
	})
}

func TestFirstOccurrencesInOrderFindsInversionsAndGaps(t *testing.T) {
	t.Parallel()
	run(t, func(h history.History) Result { return FirstOccurrencesInOrder(h.Log) }, []wrong{
		{"two versions changed places", func(h *history.History) { h.Log[1].Offset, h.Log[2].Offset = 2, 1 }, "version 3 (OrderCompleted at orders/0/1) follows version 1"},
		{"a version is missing", func(h *history.History) { h.Log[4].Injected = true }, "version 3 (OrderCompleted at orders/0/5) follows version 1"},
		{"the first version is missing", func(h *history.History) { h.Log[3].Injected = true }, "version 2 (OrderValidated at orders/0/4) follows version 0"},
		{"an aggregate stands on two partitions", func(h *history.History) { h.Log[2].Partition = 1 }, "partitions 0 and 1"},
		{"a version was given twice", func(h *history.History) { h.Log[5].Version = 2 }, "version 2 (OrderCompleted at orders/0/5) follows version 2"},
		{"the log is empty", func(h *history.History) { h.Log = nil }, "nothing is proved"},
	})
}

func TestOneOrderPerQuoteFindsLostAndDoubledOrders(t *testing.T) {
	t.Parallel()
	run(t, func(h history.History) Result { return OneOrderPerQuote(h.Quotes, h.Accepted, h.Orders) }, []wrong{
		{"an accepted quote has no order", func(h *history.History) { h.Orders = h.Orders[:1] }, "quote q2 has 0 orders"},
		{"an accepted quote has two orders", func(h *history.History) {
			h.Orders = append(h.Orders, history.Order{OrderID: "o3", QuoteID: "q1", State: "COMPLETED", Lines: 1})
		}, "quote q1 has 2 orders"},
		{"an order has no quote", func(h *history.History) { h.Accepted = h.Accepted[:1] }, "order o2 has no accepted quote"},
		{"an answered acceptance is gone", func(h *history.History) { h.Accepted, h.Orders = h.Accepted[:1], h.Orders[:1] }, "quote q2 was answered as accepted"},
		{"an order did not end", func(h *history.History) { h.Orders[0].State = "ACTIVE" }, "order o1 is ACTIVE"},
		{"an order has no lines", func(h *history.History) { h.Orders[0].Lines = 0 }, "order o1 is COMPLETED with 0 lines"},
		{"a quote names another order", func(h *history.History) { h.Accepted[0].OrderID = "o9" }, `"o9"`},
		{"a quote was refused", func(h *history.History) {
			h.Quotes[0] = history.Quote{QuoteID: "q1", Outcome: history.Failed, Reason: "no"}
		}, "could not be accepted: no"},
		{"no quote was accepted", func(h *history.History) { h.Quotes, h.Accepted, h.Orders = nil, nil, nil }, "nothing is proved"},
	})
}

func TestEveryQuoteAnsweredCountsThoseThatNeverWere(t *testing.T) {
	t.Parallel()
	run(t, func(h history.History) Result { return EveryQuoteAnswered(h.Quotes) }, []wrong{
		{"an acceptance was never answered", func(h *history.History) {
			h.Quotes[1].Outcome, h.Quotes[1].Requests, h.Quotes[1].Reason = history.Unknown, 9, "503"
		}, "quote q2 was never answered, in 9 requests: 503"},
		{"a draft was never answered", func(h *history.History) { h.Quotes = append(h.Quotes, history.Quote{}) }, "a quote without id"},
		{"no quote was begun", func(h *history.History) { h.Quotes = nil }, "nothing is proved"},
	})
	quotes := slices.Concat(good().Quotes, []history.Quote{{Outcome: history.Unknown}})
	if r := EveryQuoteAnswered(quotes); r.Observed != "1 of 3 without a clear answer" {
		t.Errorf("observed %q", r.Observed)
	}
}

func TestAnUnknownAcceptanceMayBeEither(t *testing.T) {
	t.Parallel()
	h := good()
	h.Quotes = append(h.Quotes, history.Quote{QuoteID: "q3", Outcome: history.Unknown})
	h.Quotes[1].Outcome = history.Unknown
	if r := OneOrderPerQuote(h.Quotes, h.Accepted, h.Orders); !r.OK() {
		t.Errorf("%q", r.Problems)
	}
}

func TestEffectsOnceFindsDoubledEffects(t *testing.T) {
	t.Parallel()
	run(t, func(h history.History) Result { return EffectsOnce(h.Committed, h.Log, h.Orders) }, []wrong{
		{"one event captured two orders", func(h *history.History) { h.Log[3].CausationID = "cause-q1" }, "event cause-q1 captured two orders"},
		{"an order was captured twice", func(h *history.History) { h.Committed[1].EventType = "OrderCaptured" }, "order o1 was captured 2 times"},
		{"an order was captured by nobody", func(h *history.History) { h.Committed[0].EventType = "OrderActivated" }, "order o1 was captured 0 times"},
		{"a handler ran twice and counted a version too many", func(h *history.History) { h.Orders[0].Version = 4 }, "order o1 is at version 4"},
		{"a transition is written twice", func(h *history.History) { h.Orders[1].Transitions = 4 }, "4 transitions"},
		{"an event is appended twice", func(h *history.History) {
			e := h.Committed[5]
			e.EventID, e.Version = "e24", 4
			h.Committed = append(h.Committed, e)
		}, "events up to version 4"},
		{"there is no order", func(h *history.History) { h.Orders = nil }, "nothing is proved"},
	})
}

func TestProjectionShowsOrdersFindsWhatDiffers(t *testing.T) {
	t.Parallel()
	run(t, func(h history.History) Result { return ProjectionShowsOrders(h.Orders, h.Summaries, nil) }, []wrong{
		{"an order is missing", func(h *history.History) { h.Summaries = h.Summaries[:1] }, "order o2 is not shown"},
		{"an order is shown twice", func(h *history.History) { h.Summaries = append(h.Summaries, h.Summaries[0]) }, "order o1 is shown twice"},
		{"an order is invented", func(h *history.History) { h.Summaries = append(h.Summaries, history.Summary{OrderID: "o9"}) }, "order o9 is shown and does not exist"},
		{"an order is behind", func(h *history.History) { h.Summaries[0].Version = 2 }, "shown as COMPLETED at version 2"},
		{"a line is missing", func(h *history.History) { h.Summaries[0].Lines = 1 }, "with 1 lines"},
		{"both are empty", func(h *history.History) { h.Orders, h.Summaries = nil, nil }, "nothing is proved"},
	})
	h := good()
	h.Summaries[0].Version = 5
	if r := ProjectionShowsOrders(h.Orders, h.Summaries, map[string]int64{"o1": 2}); !r.OK() {
		t.Errorf("versions of the prover: %q", r.Problems)
	}
}

func TestNothingWaitsFindsWhatIsLeft(t *testing.T) {
	t.Parallel()
	expected := map[string]int64{"projection-service": 1}
	run(t, func(h history.History) Result { return NothingWaits(h.Waiting, expected) }, []wrong{
		{"an event is not published", func(h *history.History) { h.Waiting[0].Unpublished = 1 }, "1 unpublished"},
		{"an event is parked", func(h *history.History) { h.Waiting[0].Parked = 2 }, "2 parked"},
		{"an event is held", func(h *history.History) { h.Waiting[1].Held = 3 }, "3 held"},
		{"a key is blocked", func(h *history.History) { h.Waiting[1].Blocked = 4 }, "4 blocked"},
		{"a dead letter too many", func(h *history.History) { h.Waiting[0].DeadLetters = 1 }, "order-service has 1 open dead letters, 0 were caused"},
		{"a dead letter too few", func(h *history.History) { h.Waiting[1].DeadLetters = 0 }, "projection-service has 0 open dead letters, 1 were caused"},
		{"nobody was asked", func(h *history.History) { h.Waiting = nil }, "nothing is proved"},
	})
}

func TestFaultFiredWantsEvidence(t *testing.T) {
	t.Parallel()
	fired := history.Kill{Point: "between commit and publish", EventID: "e11", PID: 7, Signal: "killed", Evidence: "as it should", Confirmed: true}
	cases := []struct {
		name   string
		change func(*history.Kill)
		want   string
	}{
		{"no event was caught", func(k *history.Kill) { k.EventID = "" }, "never reached"},
		{"the process ended by itself", func(k *history.Kill) { k.Signal = "exit 1" }, `ended by "exit 1"`},
		{"the process was never known", func(k *history.Kill) { k.PID = 0 }, "process 0"},
		{"the event was through already", func(k *history.Kill) { k.Confirmed, k.Evidence = false, "1 times on the log" }, "1 times on the log"},
	}
	if r := FaultFired(fired); !r.OK() {
		t.Errorf("%q", r.Problems)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := fired
			c.change(&k)
			if r := FaultFired(k); r.OK() || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want %q", r.Problems, c.want)
			}
		})
	}
}

func TestKilledEventSurvivedFindsTheLostOne(t *testing.T) {
	t.Parallel()
	k := history.Kill{Point: "p", EventID: "e11"}
	run(t, func(h history.History) Result { return KilledEventSurvived(k, h.Log, h.Inboxes) }, []wrong{
		{"it is not on the log", func(h *history.History) { h.Log = h.Log[1:6] }, "e11 is not on the log"},
		{"it was given up", func(h *history.History) { h.Inboxes[0].State = "DEAD" }, "e11 is DEAD for g"},
	})
}

func TestSameStateFindsEveryDifference(t *testing.T) {
	t.Parallel()
	before := []history.Table{{Database: "d", Name: "a", Rows: 2, Hash: "h1"}, {Database: "d", Name: "b", Rows: 0, Hash: "h0"}}
	cases := []struct {
		name     string
		after    []history.Table
		mustHold string
		want     string
	}{
		{"other content with as many rows", []history.Table{{Database: "d", Name: "a", Rows: 2, Hash: "h2"}, before[1]}, "a", "other content"},
		{"a row more", []history.Table{{Database: "d", Name: "a", Rows: 3, Hash: "h2"}, before[1]}, "a", "had 2 rows and has 3"},
		{"a table is gone", before[1:], "a", "a of d is gone"},
		{"a table is new", append([]history.Table{{Database: "d", Name: "c"}}, before...), "a", "d c is new"},
		{"a table that must hold something is empty", before, "b", "b is empty or missing"},
		{"a table that must hold something is not there", before, "z", "z is empty or missing"},
	}
	if r := SameState(before, before, []string{"a"}); !r.OK() || r.Observed != "2 tables, 2 rows" {
		t.Errorf("%+v", r)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if r := SameState(before, c.after, []string{c.mustHold}); r.OK() || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want %q", r.Problems, c.want)
			}
		})
	}
}

func TestRebuildsEqualFindsEveryDifference(t *testing.T) {
	t.Parallel()
	table := history.Table{Rows: 3, Hash: "h"}
	same := Rebuilt{Projection: "order-summary", Before: table, After: table, Copy: table, SaysEqual: true, Applied: 9}
	cases := []struct {
		name   string
		change func(*Rebuilt)
		want   string
	}{
		{"the copy has other content", func(r *Rebuilt) { r.Copy.Hash = "x" }, "rebuilt it has 3 rows, hash x"},
		{"the copy has fewer rows", func(r *Rebuilt) { r.Copy.Rows = 2 }, "rebuilt it has 2 rows"},
		{"the live table was touched", func(r *Rebuilt) { r.Before.Hash = "x" }, "changed the live table"},
		{"the table is empty", func(r *Rebuilt) { r.Before.Rows = 0 }, "is empty: nothing is proved"},
		{"no event was applied", func(r *Rebuilt) { r.Applied = 0 }, "applied no event"},
		{"the replay itself reports a difference", func(r *Rebuilt) { r.SaysEqual = false }, "reports a difference"},
	}
	if r := RebuildsEqual([]Rebuilt{same}); !r.OK() {
		t.Errorf("%q", r.Problems)
	}
	if r := RebuildsEqual(nil); r.OK() {
		t.Error("nothing rebuilt passes")
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wrong := same
			c.change(&wrong)
			if r := RebuildsEqual([]Rebuilt{wrong}); r.OK() || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want %q", r.Problems, c.want)
			}
		})
	}
}

func TestDuplicatesIgnoredFindsChangesAndMissingCounts(t *testing.T) {
	t.Parallel()
	repeated := func() []Repeated {
		return []Repeated{{EventID: "e1", Topic: "t", Groups: []string{"g"}, Passed: []string{"g"}}}
	}
	counted := map[[2]string]float64{{"g", "t"}: 1}
	unchanged := Result{Observed: "2 tables"}
	cases := []struct {
		name     string
		repeated []Repeated
		counted  map[[2]string]float64
		state    Result
		want     string
	}{
		{"the state changed", repeated(), counted, Result{Problems: []string{"a row more"}}, "a row more"},
		{"the duplicate was not counted", repeated(), nil, unchanged, "g counted 0 duplicates of t, 1 were sent"},
		{"a group did not read it", []Repeated{{EventID: "e1", Topic: "t", Groups: []string{"g"}}}, counted, unchanged, "g has not read the repetition of e1"},
		{"nothing was repeated", nil, counted, unchanged, "nothing is proved"},
	}
	if r := DuplicatesIgnored(repeated(), counted, unchanged); !r.OK() {
		t.Errorf("%q", r.Problems)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if r := DuplicatesIgnored(c.repeated, c.counted, c.state); r.OK() || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want %q", r.Problems, c.want)
			}
		})
	}
}

func sentBroken() SentBroken {
	return SentBroken{
		Group: "g", EventID: "e1", EventType: "OrderCompleted", ErrorClass: "SCHEMA_VALIDATION_FAILED",
		Record: history.Record{Topic: "orders", Partition: 4, Offset: 17, Raw: history.RawRecord{
			Key: []byte("o1"), Value: []byte(`{"a":1}`), Headers: []history.Header{{Key: "eventId", Value: []byte("e1")}},
		}},
	}
}

func goodLetter() map[string]any {
	return map[string]any{
		"failedAt": "2026-07-02T09:00:00Z", "sourceTopic": "orders", "sourcePartition": 4, "sourceOffset": 17, "consumerGroup": "g",
		"eventId": "e1", "eventType": "OrderCompleted", "errorClass": "SCHEMA_VALIDATION_FAILED", "errorMessage": "payload.x is required", "attemptCount": 1,
		"originalRecord": map[string]any{"key": "o1", "headers": map[string]any{"eventId": "e1"}, "value": `{"a":1}`},
	}
}

func letterRecord(t *testing.T, letter map[string]any) history.Record {
	t.Helper()
	value, err := json.Marshal(letter)
	if err != nil {
		t.Fatal(err)
	}
	return history.Record{Topic: "dlt", Value: value}
}

func TestDeadLetterCompleteWantsEveryField(t *testing.T) {
	t.Parallel()
	if r := DeadLetterComplete(sentBroken(), []history.Record{letterRecord(t, goodLetter())}); !r.OK() {
		t.Errorf("%q", r.Problems)
	}
	for field := range goodLetter() {
		t.Run("without "+field, func(t *testing.T) {
			t.Parallel()
			letter := goodLetter()
			delete(letter, field)
			if r := DeadLetterComplete(sentBroken(), []history.Record{letterRecord(t, letter)}); r.OK() {
				t.Error("it passes")
			}
		})
	}
	for _, field := range []string{"key", "headers", "value"} {
		t.Run("without originalRecord."+field, func(t *testing.T) {
			t.Parallel()
			letter := goodLetter()
			delete(letter["originalRecord"].(map[string]any), field)
			if r := DeadLetterComplete(sentBroken(), []history.Record{letterRecord(t, letter)}); r.OK() {
				t.Error("it passes")
			}
		})
	}
}

func TestDeadLetterCompleteFindsWhatIsNotTheOriginal(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(map[string]any)
		want   string
	}{
		{"the value lost a space", func(l map[string]any) { l["originalRecord"].(map[string]any)["value"] = `{"a": 1}` }, "byte by byte"},
		{"the key is another", func(l map[string]any) { l["originalRecord"].(map[string]any)["key"] = "o2" }, "originalRecord.key"},
		{"a header has another value", func(l map[string]any) {
			l["originalRecord"].(map[string]any)["headers"] = map[string]any{"eventId": "x"}
		}, "lacks eventId"},
		{"base64 is no base64", func(l map[string]any) { l["originalRecord"].(map[string]any)["valueEncoding"] = "base64" }, "byte by byte"},
		{"the class is another", func(l map[string]any) { l["errorClass"] = "HANDLER_FAILED" }, "errorClass"},
		{"nothing was attempted", func(l map[string]any) { l["attemptCount"] = 0 }, "attemptCount"},
		{"it tells of another record", func(l map[string]any) { l["sourceOffset"] = 18 }, "0 dead letters of g tell of orders/4/17"},
		{"it is another group's", func(l map[string]any) { l["consumerGroup"] = "h" }, "0 dead letters"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			letter := goodLetter()
			c.change(letter)
			if r := DeadLetterComplete(sentBroken(), []history.Record{letterRecord(t, letter)}); r.OK() || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want %q", r.Problems, c.want)
			}
		})
	}
	twice := []history.Record{letterRecord(t, goodLetter()), letterRecord(t, goodLetter())}
	if r := DeadLetterComplete(sentBroken(), twice); r.OK() {
		t.Error("two dead letters of one record pass")
	}
	if r := DeadLetterComplete(sentBroken(), []history.Record{{Value: []byte("no json")}}); r.OK() {
		t.Error("a record that is no dead letter passes")
	}
}

func TestDeadLetterCompleteReadsBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	sent, letter := sentBroken(), goodLetter()
	sent.Record.Raw.Value = []byte{0xff, 0}
	letter["originalRecord"].(map[string]any)["value"] = "/wA="
	letter["originalRecord"].(map[string]any)["valueEncoding"] = "base64"
	if r := DeadLetterComplete(sent, []history.Record{letterRecord(t, letter)}); !r.OK() {
		t.Errorf("%q", r.Problems)
	}
}

func TestKeyHeldThenReleasedFindsEachMissingStep(t *testing.T) {
	t.Parallel()
	fine := Hold{Group: "g", BlockedBefore: true, HeldBefore: 1, VersionBefore: 3, VersionAfter: 5, VersionWanted: 5, Actions: []string{"deadletter.skip"}}
	cases := []struct {
		name   string
		change func(*Hold)
		want   string
	}{
		{"the key was not blocked", func(h *Hold) { h.BlockedBefore = false }, "not blocked"},
		{"the successor was not held", func(h *Hold) { h.HeldBefore = 0 }, "no successor was held"},
		{"the successor overtook", func(h *Hold) { h.VersionBefore = 5 }, "before the skip"},
		{"the key stays blocked", func(h *Hold) { h.BlockedAfter = true }, "after the skip the key is blocked (true)"},
		{"the successor stays held", func(h *Hold) { h.HeldAfter = 1 }, "events are held (1)"},
		{"the successor had no effect", func(h *Hold) { h.VersionAfter = 4 }, "version 4 is shown"},
		{"nobody was made accountable", func(h *Hold) { h.Actions = nil }, "no audited action"},
	}
	if r := KeyHeldThenReleased(fine); !r.OK() {
		t.Errorf("%q", r.Problems)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := fine
			c.change(&h)
			if r := KeyHeldThenReleased(h); r.OK() || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want %q", r.Problems, c.want)
			}
		})
	}
}

func goodSamples() []history.Sample {
	g := map[string]string{"group": "g"}
	return []history.Sample{
		{Name: "factline_outbox_published_total", Value: 4},
		{Name: "factline_outbox_published_total", Value: 3},
		{Name: "factline_outbox_oldest_age_seconds"},
		{Name: "factline_consumer_lag_records", Labels: g},
		{Name: "factline_consumer_events_total", Labels: map[string]string{"group": "g", "outcome": "applied"}, Value: 5},
		{Name: "factline_consumer_processing_seconds_count", Labels: g, Value: 5},
		{Name: "factline_consumer_processing_seconds_sum", Labels: g, Value: 0.5},
	}
}

func TestMetricsPlausibleFindsMissingAndUntrueOnes(t *testing.T) {
	t.Parallel()
	seen := Seen{Groups: map[string]int64{"g": 5}, Published: 7, SinceStart: 10}
	if r := MetricsPlausible(goodSamples(), seen); !r.OK() {
		t.Errorf("%q", r.Problems)
	}
	for i, s := range goodSamples() {
		t.Run("without "+s.Name, func(t *testing.T) {
			t.Parallel()
			samples := goodSamples()
			samples[i].Name = "another"
			if r := MetricsPlausible(samples, seen); r.OK() {
				t.Error("it passes")
			}
		})
	}
	cases := []struct {
		name string
		at   int
		to   float64
		want string
	}{
		{"a lag that the databases do not show", 3, 9, "is 9 although"},
		{"fewer applied than the inbox holds", 4, 4, "counts 4 applied events, its inbox holds 5"},
		{"fewer published than the log holds", 0, 1, "is 4, the log holds 7"},
		{"longer than the process lived", 6, 500, "100.000 s an event"},
		{"no time at all", 6, 0, "0.000 s an event"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			samples := goodSamples()
			samples[c.at].Value = c.to
			if r := MetricsPlausible(samples, seen); r.OK() || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want %q", r.Problems, c.want)
			}
		})
	}
	if r := MetricsPlausible(goodSamples(), Seen{}); r.OK() {
		t.Error("no group passes")
	}
}

func TestAReportOfManyProblemsStaysShort(t *testing.T) {
	t.Parallel()
	var r Result
	for i := range 1000 {
		r.problem("problem %d", i)
	}
	if len(r.Problems) != mostProblems+1 || r.Problems[mostProblems] != "and more" {
		t.Errorf("%d problems, the last %q", len(r.Problems), r.Problems[len(r.Problems)-1])
	}
}
