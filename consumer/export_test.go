package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/inbox"
)

// HandleAlone handles records of one partition as a member that believes it
// owns it, whatever the group says.
func (r *Runner) HandleAlone(ctx context.Context, topic string, id int32, records []*kgo.Record) error {
	o, err := r.Own(ctx, topic, map[int32][]*kgo.Record{id: records})
	for err == nil && len(o.partitions[id].queue) > 0 {
		err = o.Handle(id)
	}
	return err
}

// TryAgain makes one more attempt of the event at an offset, as a member that
// believes it owns the partition.
func (r *Runner) TryAgain(ctx context.Context, topic string, id int32, offset int64) error {
	o, err := r.Own(ctx, topic, map[int32][]*kgo.Record{id: nil})
	if err != nil {
		return err
	}
	p := o.partitions[id]
	p.tries.claimed = []inbox.DueRecord{{Offset: offset}}
	return p.tryAgain(p.takeDue())
}

// TierName is how a pause is called in the name of its topic.
func TierName(d time.Duration) string { return tierName(d) }

// Statements returns every embedded statement by name.
func Statements() map[string]string {
	all := make(map[string]string)
	entries, _ := statements.ReadDir("sql")
	for _, e := range entries {
		text, _ := statements.ReadFile("sql/" + e.Name())
		all[e.Name()] = string(text)
	}
	return all
}

// Owner is a member that believes it owns some partitions, whatever the group
// says, and works on them only when it is told to.
type Owner struct {
	s          *session
	partitions map[int32]*partition
}

// Own makes the first partitions of topic an owner's, with records that were
// fetched from them.
func (r *Runner) Own(ctx context.Context, topic string, fetched map[int32][]*kgo.Record) (*Owner, error) {
	o := &Owner{s: r.newSession(ctx, func(error) {}), partitions: make(map[int32]*partition)}
	for id, records := range fetched {
		if err := inbox.StartPartition(ctx, r.cfg.Pool, r.cfg.Group, time.Now(), inbox.Progress{Topic: topic, Partition: id}); err != nil {
			return nil, err
		}
		if _, err := inbox.TakePartitions(ctx, r.cfg.Pool, r.cfg.Group, o.s.member, []inbox.Progress{{Topic: topic, Partition: id}}); err != nil {
			return nil, err
		}
		p := newPartition(o.s, r.topics[topic], id, 0, -1)
		p.queue, p.since = records, time.Now()
		o.partitions[id], o.s.owned[topicPartition{topic, id}] = p, p
	}
	return o, nil
}

// Enqueue hands on records that were fetched later.
func (o *Owner) Enqueue(id int32, records []*kgo.Record) {
	o.partitions[id].enqueue(records, 0, time.Now())
}

// Handle is one turn of a partition's goroutine.
func (o *Owner) Handle(id int32) error { return o.partitions[id].handle() }

// GiveBack cancels what is under way for a partition.
func (o *Owner) GiveBack(id int32) {
	o.partitions[id].halt()
	o.partitions[id].cancel()
}

// Waiting is how many records wait in each partition.
func (o *Owner) Waiting() map[int32]int {
	waiting := make(map[int32]int)
	for id, p := range o.partitions {
		p.mu.Lock()
		waiting[id] = len(p.queue)
		p.mu.Unlock()
	}
	return waiting
}

// SetHostClock makes a runner that was not run yet have another host's clock.
func (r *Runner) SetHostClock(now func() time.Time) { r.clock.host = now }
