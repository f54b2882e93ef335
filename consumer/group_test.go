package consumer_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"factline.dev/consumer"
)

// commits records what every member of the group asks the broker to commit.
type commits struct {
	mu sync.Mutex
	by map[int32][]int64
}

func (b *bundle) watchCommits() *commits {
	c := &commits{by: make(map[int32][]int64)}
	b.kafka.Fake().ControlKey(int16(kmsg.OffsetCommit), func(request kmsg.Request) (kmsg.Response, error, bool) {
		b.kafka.Fake().KeepControl()
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, t := range request.(*kmsg.OffsetCommitRequest).Topics {
			for _, p := range t.Partitions {
				c.by[p.Partition] = append(c.by[p.Partition], p.Offset)
			}
		}
		return nil, nil, false
	})
	return c
}

func TestOffsetCommitsNeverGoBackWhileMembersComeAndGo(t *testing.T) {
	t.Parallel()
	const partitions, perPartition = 6, 150
	b := setup(t, partitions)
	seen := b.watchCommits()
	quick := func(c *consumer.Config) {
		c.MaxChunkRecords, c.MaxQueuedRecords, c.CommitInterval = 5, 20, time.Millisecond
		c.ClientOptions = []kgo.Opt{kgo.HeartbeatInterval(20 * time.Millisecond)}
	}
	b.start(quick)
	var want []string
	for v := int64(1); v <= perPartition; v++ {
		for p := range int32(partitions) {
			r := b.recordOf(order(fmt.Sprintf("o%d", p), v))
			r.Partition = p
			b.client.Produce(t.Context(), r, nil)
			want = append(want, fmt.Sprintf("o%d/%d", p, v))
		}
		if v%50 == 0 { // a second member joins, takes some, and leaves
			second := &logBuffer{}
			stop := b.start(func(c *consumer.Config) { quick(c); c.Logger = textLogger(second) })
			b.await("the second member owning partitions", func() (bool, any) {
				return contains(second.String(), "partition assigned"), second.String()
			})
			if err := stop(); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.await("all effects", func() (bool, any) { n := len(b.effects()); return n >= len(want), n })
	got := b.effects()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d effects, want %d, each once", len(got), len(want))
	}
	b.wantCommitted(perPartition)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for p, offsets := range seen.by {
		if !slices.IsSorted(offsets) {
			t.Errorf("partition %d: commits went back: %v", p, offsets)
		}
	}
}

func TestARebalanceDuringACommitIsNoFailure(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	fault := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.RebalanceInProgress, Count: 3})
	b.start(nil)
	b.send(order("a", 1))
	b.wantEffects("a/1")
	b.wantCommitted(1)
	if fault.Hits() != 3 {
		t.Errorf("the fault hit %d times, want 3", fault.Hits())
	}
	if n := b.counter("factline_consumer_offset_commit_failures_total"); n != 0 {
		t.Errorf("failures counted = %v, want none", n)
	}
}

func TestAnOffsetThatTheLogLostStopsItsPartitionAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	stop := b.start(nil)
	b.send(order("a", 1), order("a", 2))
	b.wantCommitted(2)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.send(order("b", 1), order("b", 2), order("c", 1))
	b.deleteRecords(4)
	b.start(nil)
	other := b.recordOf(order("d", 1))
	other.Partition = 1
	b.sendRecords(other)
	b.wantEffects("a/1", "a/2", "d/1")
	b.await("the partition reported as stopped", func() (bool, any) {
		return b.counter("factline_consumer_stopped_partitions") == 1, b.logs.String()
	})
	if !contains(b.logs.String(), "partition stopped: the log no longer holds its next offset") {
		t.Error("the log does not say that a partition stopped")
	}
	if got := b.effects(); len(got) != 3 {
		t.Errorf("effects = %v, want nothing from behind the gap", got)
	}
}

func TestAKafkaOffsetThatExpiredIsReplacedByTheDatabases(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	stop := b.start(nil)
	b.send(order("a", 1), order("a", 2))
	b.wantCommitted(2)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.rewindGroup(0)
	b.deleteRecords(2) // retention took what has taken effect already
	b.send(order("a", 3))
	b.start(nil)
	b.wantEffects("a/1", "a/2", "a/3")
}

func TestRunWaitsForTheOffsetsToBeKnown(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	fault := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.NotLeaderForPartition, Count: 2})
	b.send(order("a", 1))
	b.start(nil)
	b.wantEffects("a/1")
	if fault.Hits() == 0 {
		t.Error("the fault did not fire")
	}
}
