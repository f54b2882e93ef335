package outbox

import (
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
