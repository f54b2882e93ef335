package outbox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/internal/named"
)

// partitions remembers how many partitions each topic had when it was first
// published to, in this process and, through the database, in all. Keys keep
// their partitions by it: were new ones used, later events of a key would stand
// in another partition than earlier ones, and no consumer would see their order.
// Safe for concurrent use.
type partitions struct {
	mu    sync.Mutex
	first map[string]int
	now   map[string]int
	isNew bool // there are topics that are not stored
	// byKey hashes keys, whatever the topic. Nil before the first.
	byKey kgo.TopicPartitioner

	agreeing sync.Mutex
	// exchange stores what this relay saw and learns what others did. It is called
	// by the clients' partitioning, so it must end soon. Nil agrees with nobody.
	exchange func(*partitions)
}

// ForTopic makes partitions a [kgo.Partitioner]: murmur2, as Java's.
func (p *partitions) ForTopic(topic string) kgo.TopicPartitioner {
	return &topicPartitions{TopicPartitioner: kgo.StickyKeyPartitioner(nil).ForTopic(topic), all: p, topic: topic}
}

type topicPartitions struct {
	kgo.TopicPartitioner
	all      *partitions
	topic    string
	isAgreed bool
}

// Partition takes a key's partition among the first ones. It refuses where there
// are fewer than at first: the record then waits.
func (t *topicPartitions) Partition(r *kgo.Record, now int) int {
	if !t.RequiresConsistency(r) {
		return t.TopicPartitioner.Partition(r, now)
	}
	if !t.isAgreed {
		t.isAgreed = true
		t.all.agree(t.topic, now)
	}
	first := t.all.see(t.topic, now)
	if now < first {
		return -1
	}
	return t.TopicPartitioner.Partition(r, first)
}

// OnNewBatch is for records without a key.
func (t *topicPartitions) OnNewBatch() {
	if sticky, ok := t.TopicPartitioner.(kgo.TopicPartitionerOnNewBatch); ok {
		sticky.OnNewBatch()
	}
}

// agree learns, before the first record of a topic is sent, how many partitions
// the relays use of it: two that saw different numbers would put a key into two
// partitions. The other sender waits meanwhile. Where the database does not
// answer, the topic is sent to by what this relay sees.
func (p *partitions) agree(topic string, now int) {
	p.agreeing.Lock()
	defer p.agreeing.Unlock()
	p.see(topic, now)
	if p.exchange != nil && !p.areStored() {
		p.exchange(p)
	}
}

func (p *partitions) see(topic string, now int) (first int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first == nil {
		p.first, p.now = map[string]int{}, map[string]int{}
	}
	first, known := p.first[topic]
	if !known {
		first, p.first[topic], p.isNew = now, now, true
	}
	if p.now[topic] != now {
		p.now[topic] = now
	}
	return first
}

// learn takes what is stored: it is older than what this process saw.
func (p *partitions) learn(stored map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first == nil {
		p.first, p.now = map[string]int{}, map[string]int{}
	}
	maps.Copy(p.first, stored)
	p.isNew = len(p.first) > len(stored)
}

func (p *partitions) areStored() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.isNew
}

// snapshot returns the topics and how many partitions each had at first.
func (p *partitions) snapshot() (topics []string, counts []int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, topic := range slices.Sorted(maps.Keys(p.first)) {
		topics, counts = append(topics, topic), append(counts, int32(p.first[topic]))
	}
	return topics, counts
}

// areFewer reports whether the topic has fewer partitions than at first: records
// with a key wait then.
func (p *partitions) areFewer(topic string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now[topic] > 0 && p.now[topic] < p.first[topic]
}

// changed names the topics whose number of partitions is another than at first.
func (p *partitions) changed() (topics []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for topic, now := range p.now {
		if first := p.first[topic]; first != now {
			topics = append(topics, fmt.Sprintf("%s (%d, at first %d)", topic, now, first))
		}
	}
	slices.Sort(topics)
	return topics
}

// exchangePartitions stores what this process saw first and learns what others
// did.
func (s *store) exchangePartitions(ctx context.Context, p *partitions) error {
	topics, counts := p.snapshot()
	stored := map[string]int{}
	var b pgx.Batch
	b.Queue(statement("store_partitions"), named.Args{"topics": topics, "counts": counts})
	b.Queue(statement("partitions")).Query(func(rows pgx.Rows) error {
		var topic string
		var count int
		_, err := pgx.ForEachRow(rows, []any{&topic, &count}, func() error { stored[topic] = count; return nil })
		return err
	})
	if err := s.pool.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	p.learn(stored)
	return nil
}
