package outbox

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"factline.dev/contract"
	"factline.dev/factlinetest"
)

// twoTopics sends the events of aggregates that begin with x to another topic.
type twoTopics struct {
	testContracts
	other string
}

func (c twoTopics) Route(eventType string, version int, payload []byte) (contract.Route, error) {
	route, err := c.testContracts.Route(eventType, version, payload)
	if strings.HasPrefix(route.Key, "x") {
		route.Topic = c.other
	}
	return route, err
}

// withOther makes a second topic, which the broker does not have yet.
func (b *bundle) withOther() (other string) {
	b.t.Helper()
	other = b.topic + ".other"
	o, err := New(Config{Contracts: twoTopics{testContracts{b.topic}, other}, Producer: "test-service"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.outbox = o
	return other
}

// mixed appends n events on keys of both topics, in every lane.
func (b *bundle) mixed(n int) {
	b.t.Helper()
	var events []Event
	for i := range n {
		events = append(events, event(fmt.Sprint("a", i%40), ""), event(fmt.Sprint("x", i%40), ""))
	}
	b.append(events...)
}

// aside is how many events are set aside.
func (b *bundle) aside() (events int64) {
	b.t.Helper()
	report, err := Status(b.t.Context(), b.pool)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, n := range report.SetAside {
		events += n
	}
	return events
}

func (b *bundle) awaitAside(n int64) {
	b.t.Helper()
	factlinetest.Eventually(b.t, time.Minute, fmt.Sprint(n, " events set aside"), func() (bool, error) {
		if got := b.aside(); got != n {
			return false, fmt.Errorf("%d are", got)
		}
		return true, nil
	})
}

// of is the bundle for what is published to another topic.
func (b *bundle) of(topic string) *bundle {
	other := *b
	other.topic = topic
	return &other
}

// once checks that the topic has each of n events once and in order.
func (b *bundle) once(n int) {
	b.t.Helper()
	all := b.published(n)
	checkOrder(b.t, all, n)
	if len(all) != n {
		b.t.Errorf("%d records of %d events are on %s", len(all), n, b.topic)
	}
}

// An event of a topic that the broker does not have used to stop its lane for
// every other topic.
func TestATopicThatIsMissingHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	other := b.withOther()
	b.mixed(200)
	registry := prometheus.NewRegistry()
	b.relay(func(c *RelayConfig) { c.ChunkEvents, c.Registerer = 20, registry })
	b.awaitAside(200)
	b.once(200)
	b.mixed(100)
	b.awaitAside(300)
	b.once(300)
	report, err := Status(t.Context(), b.pool)
	if err != nil || report.Pending() != 300 || report.Parked() != 0 || report.Oldest() <= 0 || report.SetAside[other] != 300 {
		t.Errorf("the status is %d pending, %d parked, oldest %s, set aside %v (%v), want 300 that wait", report.Pending(), report.Parked(), report.Oldest(), report.SetAside, err)
	}
	factlinetest.Eventually(t, time.Minute, "the topic in the metrics", func() (bool, error) {
		return counter(t, registry, "factline_outbox_unaccepted_events", other) == 300, nil
	})
	l := limit{most: 1}
	if err := b.in(func(tx pgx.Tx) error { _ = l.check(t.Context(), tx); return nil }); err != nil || l.pending < 1 {
		t.Errorf("%d events count towards the limit (%v), want those that are set aside", l.pending, err)
	}
	b.kafka.CreateTopic(t, other, 5, nil)
	b.mixed(100)
	b.settled()
	b.once(400)
	b.of(other).once(400)
	// Nothing goes the long way any more.
	b.mixed(10)
	b.settled()
	if n := b.aside(); n != 0 {
		t.Errorf("%d events are set aside although the topic is there", n)
	}
	b.of(other).once(410)
}

// One partition has no leader or too few replicas: the keys of the others go on.
func TestAPartitionThatIsNotAcceptedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	fault := b.kafka.Fake().Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: b.topic, Partitions: []int32{1}, Err: kerr.NotEnoughReplicas, Count: -1,
	})
	blocked := int64(0)
	for i := range 300 {
		key := fmt.Sprint("a", i%60)
		b.append(event(key, ""))
		if (&partitions{}).shelfAmong(3, b.topic, []byte(key)).part == "1/3" {
			blocked++
		}
	}
	b.relay(func(c *RelayConfig) { c.ChunkEvents = 20 })
	b.awaitAside(blocked)
	factlinetest.Eventually(t, time.Minute, "all others published", func() (bool, error) {
		report, err := Status(t.Context(), b.pool)
		return report.Pending() == blocked, err
	})
	b.published(300 - int(blocked))
	fault.Remove()
	b.settled()
	b.once(300)
}

// A relay stops, and another takes over, while events are set aside.
func TestWhatIsSetAsideOutlivesItsRelay(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	other := b.withOther()
	b.mixed(100)
	stop := b.relay()
	b.awaitAside(100)
	stop()
	b.mixed(100)
	b.relay()
	b.awaitAside(200)
	b.once(200)
	b.kafka.CreateTopic(t, other, 3, nil)
	b.settled()
	b.of(other).once(200)
}

// A try of what was refused went on to its last attempt while a relay was
// stopping, and the stop with it.
func TestAStopWaitsForNoTopicThatIsRefused(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	other := b.withOther()
	b.kafka.CreateTopic(t, other, 3, nil)
	var isAside, isCounting atomic.Bool
	var tries atomic.Int32
	tried := make(chan struct{})
	refusal := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: other, Err: kerr.NotLeaderForPartition, Count: -1, When: func(kmsg.Request) bool {
		if isCounting.Load() && tries.Add(1) == 1 {
			close(tried)
		}
		return true
	}})
	b.mixed(100)
	stop := b.relay(func(c *RelayConfig) {
		// A round that is under way by then has fewer tries left.
		c.Hooks = beforeFunc(func() { isCounting.Store(isAside.Load()) })
	})
	b.awaitAside(100)
	isAside.Store(true)
	<-tried
	before := tries.Load()
	stop()
	// Two may be on their way. Without the remedy there are four.
	if more := tries.Load() - before; more > 2 {
		t.Errorf("the topic was tried %d times more", more)
	}
	refusal.Remove()
	b.mixed(100)
	b.relay()
	b.settled()
	b.once(200)
	b.of(other).once(200)
}

type beforeFunc func()

func (f beforeFunc) BeforePublish(string) { f() }

// The broker takes records from a shelf and the relay is gone before it notes
// that: the next one repeats them, in order.
func TestACrashWhileAShelfIsSentLosesNothing(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	other := b.withOther()
	b.mixed(60)
	stop := b.relay()
	b.awaitAside(60)
	stop()
	b.kafka.CreateTopic(t, other, 3, nil)
	hook := newHoldHook(t)
	stop = b.relay(func(c *RelayConfig) { c.Hooks, c.DrainTimeout = holdAfter{hook}, time.Millisecond })
	<-hook.reached
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	factlinetest.Eventually(t, time.Minute, "a relay that has given up", func() (bool, error) {
		select {
		case <-stopped:
			return true, nil
		default:
			return false, nil
		}
	})
	b.mixed(20)
	b.relay()
	b.settled()
	hook.letGo()
	checkOrder(t, b.of(other).published(80), 80)
	b.once(80)
}

// A record that the broker blames turns up among those of a shelf: what follows
// it of its key is parked behind it, wherever it stands.
func TestACulpritOnAShelfHoldsItsKeyAlone(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	other := b.withOther()
	rejectPoison(b.kafka.Fake())
	b.append(event("x1", ""), event("x1", "POISON"), event("x2", ""))
	for range 30 {
		b.append(event("x1", "behind"), event("x2", ""))
	}
	b.relay(uncompressed, func(c *RelayConfig) { c.ChunkEvents = 5 })
	b.awaitAside(63)
	b.kafka.CreateTopic(t, other, 3, nil)
	b.settled()
	found := b.of(other).parkedOne()
	if found.AggregateID != "x1" || found.AggregateVersion != 2 || found.HeldEvents != 30 {
		t.Errorf("parked is %+v, want x1 at version 2 with 30 behind it", found)
	}
	b.append(event("x1", "behind"), event("x2", ""))
	b.settled()
	b.of(other).published(33)
	b.resolve(found.ID, Skip)
	b.nothingParked()
	last := map[string]int64{"x1": 0, "x2": 0}
	for _, e := range b.of(other).published(64) {
		if e.AggregateVersion <= last[e.AggregateID] {
			t.Errorf("%s: version %d stands after version %d", e.AggregateID, e.AggregateVersion, last[e.AggregateID])
		}
		last[e.AggregateID] = e.AggregateVersion
	}
}

// A relay of the version before owns the lane meanwhile: it knows no shelves and
// parks a later event behind what it takes for released.
func TestShelvesAndParkedRowsOfAKeyAreNotSentSideBySide(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	other := b.withOther()
	for range 4 {
		b.append(event("x1", ""))
	}
	stop := b.relay()
	b.awaitAside(4)
	stop()
	if _, err := b.pool.Exec(t.Context(), "UPDATE factline.outbox_parked SET shelf = NULL WHERE aggregate_version > 2"); err != nil {
		t.Fatal(err)
	}
	b.kafka.CreateTopic(t, other, 1, nil)
	b.relay(func(c *RelayConfig) { c.ChunkEvents = 1 })
	b.nothingParked()
	b.of(other).once(4)
}

// Property: whatever is refused when, and whoever relays, each key reaches the
// log whole and in order, and nothing stays behind.
func TestOrderHoldsWhateverIsRefusedWhen(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	other := b.withOther()
	fake := b.kafka.Fake()
	errs := []*kerr.Error{kerr.NotEnoughReplicas, kerr.TopicAuthorizationFailed, kerr.NotLeaderForPartition, kerr.PolicyViolation}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test repeats
	var mu sync.Mutex
	appended := 0
	stopWriting := b.inBackground(func(i int) error {
		err := pgx.BeginFunc(context.Background(), b.pool, func(tx pgx.Tx) error {
			return b.outbox.Append(context.Background(), tx, event(fmt.Sprint("a", i%13), ""), event(fmt.Sprint("x", i%11), ""))
		})
		mu.Lock()
		defer mu.Unlock()
		appended++
		return err
	})
	change := func(c *RelayConfig) { c.ChunkEvents = 10 }
	stop := b.relay(change)
	for round := range 8 {
		topic := []string{b.topic, other}[random.IntN(2)]
		fault := fake.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{int32(random.IntN(3))}, Err: errs[random.IntN(len(errs))], Count: -1,
		})
		if round == 2 {
			b.kafka.CreateTopic(t, other, 3, nil)
		}
		factlinetest.Eventually(t, time.Minute, "refused requests", func() (bool, error) { return fault.Hits() > 2 || round < 2, nil })
		if random.IntN(2) == 0 {
			stop()
			stop = b.relay(change)
		}
		fault.Remove()
	}
	stopWriting()
	factlinetest.Eventually(t, 2*time.Minute, "an empty outbox", func() (bool, error) {
		report, err := Status(t.Context(), b.pool)
		return report.Pending() == 0, err
	})
	if got := b.parked(); len(got) > 0 {
		t.Errorf("%d events stay behind", len(got))
	}
	checkOrder(t, b.published(appended), appended)
	checkOrder(t, b.of(other).published(appended), appended)
}

// What waits decides where a later event goes, whether or not the broker would
// take it by now.
func TestALaterEventWaitsBehindWhatIsSetAside(t *testing.T) {
	t.Parallel()
	const part = "1/3"
	for _, test := range []struct {
		name    string
		shelves []shelf
		at      shelf
		want    string
	}{
		{"nothing waits", nil, shelf{"t", part}, "straight"},
		{"its partition waits", []shelf{{"t", part}}, shelf{"t", part}, "1/3"},
		{"another partition waits", []shelf{{"t", "0/3"}}, shelf{"t", part}, "straight"},
		{"another topic waits", []shelf{{"u", part}}, shelf{"t", part}, "straight"},
		{"events wait of which no partition was known", []shelf{{"t", ""}}, shelf{"t", part}, ""},
		{"its partition is not known", []shelf{{"t", "0/3"}}, shelf{"t", ""}, ""},
		{"partitions were counted otherwise", []shelf{{"t", "0/6"}, {"t", part}}, shelf{"t", part}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLane(0, 1, 0)
			for _, s := range test.shelves {
				l.put(s)
			}
			got, waits := l.shelfFor(test.at)
			if !waits {
				got.part = "straight"
			}
			if got.part != test.want {
				t.Errorf("it goes to %q, want %q", got.part, test.want)
			}
		})
	}
}

// Events from a shelf may be in flight for ever, as those of a lane.
func TestAShelfThatIsStalledIsReported(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	r := &Relay{cfg: RelayConfig{StallAfter: time.Minute}.WithDefaults()}
	r.metrics, _ = newRelayMetrics(nil)
	sending := newLane(0, 1, 0)
	sending.aside, sending.isAsideSending = &chunk{lane: sending, shelf: shelf{topic: "t"}}, true
	l := &loop{relay: r, log: slog.New(slog.NewTextHandler(&text, nil)), lanes: map[int16]*lane{0: sending}}
	sending.asideSince = time.Now().Add(-time.Second)
	if l.reportStalls(); text.Len() > 0 {
		t.Errorf("a second is reported: %s", &text)
	}
	sending.asideSince = time.Now().Add(-2 * time.Minute)
	if l.reportStalls(); !strings.Contains(text.String(), "set aside are stalled") || !strings.Contains(text.String(), "topic=t") {
		t.Errorf("two minutes are not reported: %s", &text)
	}
}

// The broker takes the topic again, and earlier events of it are still aside.
func TestAReadEventOvertakesNothingThatIsSetAside(t *testing.T) {
	t.Parallel()
	waiting := newLane(0, 1, 0)
	waiting.put(shelf{topic: "t"})
	waiting.next = newChunk(waiting, []outRow{{position: 1, topic: "t", key: []byte("k")}, {position: 2, topic: "u", key: []byte("k")}})
	l := &loop{relay: &Relay{partitions: &partitions{}}, lanes: map[int16]*lane{0: waiting}, idle: []*sender{{}}}
	l.sift()
	if c := waiting.next; c == nil || len(c.rows) != 1 || c.rows[0].topic != "u" {
		t.Errorf("next is %+v, want the other topic's event alone", c)
	}
	if len(l.finished) != 1 || len(l.finished[0].aside) != 1 || l.finished[0].aside[0].position != 1 {
		t.Errorf("set aside are %+v, want the event at 1", l.finished)
	}
	if got := waiting.lowWater(); got != 0 {
		t.Errorf("low water is %d, want 0", got)
	}
}
