package outbox

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/factlinetest"
)

// Pitfall 18: the hashes are those of Kafka's own UtilsTest.
func TestKeysGoWhereJavaClientsPutThem(t *testing.T) {
	t.Parallel()
	p := (&partitions{}).ForTopic("t")
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		const count = 7
		if got, want := p.Partition(&kgo.Record{Key: []byte(key)}, count), int(hash&0x7fffffff)%count; got != want {
			t.Errorf("%s goes to partition %d, Java puts it into %d", key, got, want)
		}
	}
}

// Pitfall 18: partitions are added to a topic that is in use. The relay that
// goes on and the next one keep every key where it was, and say so.
func TestNewPartitionsMoveNoKey(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	appendAll := func() {
		for i := range 60 {
			b.append(event(fmt.Sprint("k", i), ""))
		}
	}
	stop := b.relay()
	appendAll()
	b.published(60)
	b.settled()
	stop()
	if _, err := kadm.NewClient(b.kafka.Client(t)).CreatePartitions(t.Context(), 5, b.topic); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	b.relay(func(c *RelayConfig) { c.Registerer = registry })
	appendAll()
	at := map[string]int32{}
	for _, r := range b.records(120) {
		if before, seen := at[string(r.Key)]; seen && before != r.Partition {
			t.Fatalf("key %s stands in partitions %d and %d", r.Key, before, r.Partition)
		}
		at[string(r.Key)] = r.Partition
	}
	factlinetest.Eventually(t, 15*time.Second, "the changed topic in the metrics", func() (bool, error) {
		return counter(t, registry, "factline_outbox_repartitioned_topics", "") == 1, nil
	})
}

// Fewer partitions than at first: whoever publishes now breaks the order.
func TestRecordsWaitWhereATopicHasFewerPartitionsThanAtFirst(t *testing.T) {
	t.Parallel()
	all := &partitions{}
	all.learn(map[string]int{"t": 6})
	p := all.ForTopic("t")
	if got := p.Partition(&kgo.Record{Key: []byte("k")}, 3); got >= 0 {
		t.Errorf("a key goes to partition %d of 3, although it had 6", got)
	}
	if got := fmt.Sprint(all.changed()); got != "[t (3, at first 6)]" {
		t.Errorf("changed are %s", got)
	}
	if got := p.Partition(&kgo.Record{Value: []byte("no key")}, 3); got < 0 {
		t.Error("a record without a key waits")
	}
}

// Another relay is about to store the topic with another number: whoever waits
// for it must learn that number and not keep its own.
func TestTheRelayThatIsSecondLearnsTheNumberOfTheFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := first.Exec(t.Context(), "INSERT INTO factline.outbox_topic VALUES ('t', 3)"); err != nil {
		t.Fatal(err)
	}
	second := &partitions{}
	second.see("t", 6)
	exchanged := make(chan error, 1)
	go func() {
		exchanged <- (&store{pool: b.pool}).exchangePartitions(context.WithoutCancel(t.Context()), second)
	}()
	factlinetest.Eventually(t, 10*time.Second, "the second to wait for the first", func() (bool, error) {
		var waits bool
		err := b.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits)
		return waits, err
	})
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-exchanged; err != nil {
		t.Fatal(err)
	}
	if got := second.see("t", 6); got != 3 {
		t.Errorf("the second uses %d partitions, the first 3", got)
	}
}

// A relay that runs meets a topic that another has sent to meanwhile.
func TestATopicIsAgreedOnBeforeItsFirstRecord(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	all := &partitions{exchange: func(p *partitions) {
		if err := (&store{pool: b.pool}).exchangePartitions(t.Context(), p); err != nil {
			t.Error(err)
		}
	}}
	s, err := newSender(RelayConfig{Brokers: b.kafka.Addrs()}.WithDefaults(), all)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	if _, err := b.pool.Exec(t.Context(), "INSERT INTO factline.outbox_topic VALUES ($1, 1)", b.topic); err != nil {
		t.Fatal(err)
	}
	l := newLane(0, 1, 0)
	var rows []outRow
	for i := range 20 {
		rows = append(rows, outRow{position: int64(i + 1), topic: b.topic, key: fmt.Append(nil, "k", i), value: []byte("{}")})
	}
	c := newChunk(l, rows)
	s.send(t.Context(), []*chunk{c})
	if len(c.sent) != 20 {
		t.Fatalf("%d records were sent (%v), want 20", len(c.sent), c.failure)
	}
	for _, r := range c.sent {
		if r.partition != 0 {
			t.Fatalf("a record stands in partition %d; the other relay uses only the first", r.partition)
		}
	}
}
