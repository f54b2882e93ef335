package deadletter

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/internal/named"
)

// item is one letter of a redrive.
type item struct {
	seq int
	Reference
	letterID, groupLetterID, retryTopic, lane, fingerprint string
	failures, recordBytes                                  int
	state                                                  string
	canary                                                 bool
	// corrected is set where a corrected event had the effect in its place.
	corrected bool
	// sentAt is when an earlier run sent it, nil where none did.
	sentAt *time.Time
}

// maxBatch and maxBatchBytes bound what one transaction forwards.
const (
	maxBatch      = 1000
	maxBatchBytes = 8 << 20
)

// queue knows which items may go next. It holds no bytes of them and is made
// anew from the table by each run. Not safe for concurrent use.
type queue struct {
	items []*item
	// lanes are the items of each key that have not had their turn, in order.
	lanes map[string][]*item
	// ready are heads of lanes.
	ready []*item
	sent  map[int]*item
	// lost were sent by an earlier run and never reached their group.
	lost []*item
	// canaries are those without an outcome.
	canaries map[int]bool
	// canaryFailed ends the redrive.
	canaryFailed bool
	counts       Counts
}

func (s *Store) loadQueue(ctx context.Context, id string, settings Settings) (*queue, error) {
	items, err := query(ctx, s, "load_items", named.Args{"redrive_id": id}, func(row pgx.CollectableRow) (*item, error) {
		var i item
		err := row.Scan(&i.seq, &i.ConsumerGroup, &i.Topic, &i.Partition, &i.Offset, &i.letterID, &i.groupLetterID, &i.retryTopic,
			&i.lane, &i.fingerprint, &i.failures, &i.recordBytes, &i.state, &i.sentAt)
		return &i, err
	})
	if err != nil {
		return nil, err
	}
	return newQueue(items, settings), nil
}

// newQueue takes items in the order of their plan.
func newQueue(items []*item, settings Settings) *queue {
	q := &queue{items: items, lanes: map[string][]*item{}, sent: map[int]*item{}, canaries: map[int]bool{}}
	q.chooseCanaries(settings.Canary)
	for _, i := range items {
		q.counts.add(i.state)
		q.canaryFailed = q.canaryFailed || i.canary && i.state == itemFailed
		q.place(i)
	}
	for _, i := range items {
		if lane := q.lanes[i.lane]; i.state == itemPending && lane[0] == i {
			q.ready = append(q.ready, i)
		}
	}
	return q
}

// chooseCanaries takes the first letters of each group. One that tells nothing,
// because it was refused, skipped or not sent, leaves its place to the next.
func (q *queue) chooseCanaries(wanted int) {
	seen, chosen := map[string]bool{}, map[string]int{}
	for _, i := range q.items {
		if !i.tells() {
			continue
		}
		if !seen[i.lane] && chosen[i.group()] < wanted {
			chosen[i.group()]++
			i.canary = true
		}
		seen[i.lane] = true
	}
}

// group is what canaries stand for.
func (i *item) group() string { return i.Topic + " " + i.ConsumerGroup + " " + i.fingerprint }

// tells reports whether an item says, or may still say, how its group fares.
func (i *item) tells() bool {
	return i.state == itemPending || i.state == itemSent || i.state == itemApplied || i.state == itemFailed
}

// replace makes the next letter of its group a canary after one that told nothing,
// so that no ramp begins without a success.
func (q *queue) replace(canary *item) {
	for _, i := range q.items {
		if i.state == itemPending && !i.canary && i.group() == canary.group() && q.lanes[i.lane][0] == i {
			i.canary, q.canaries[i.seq] = true, true
			return
		}
	}
}

func (q *queue) place(i *item) {
	if i.state != itemPending && i.state != itemSent {
		return
	}
	q.lanes[i.lane] = append(q.lanes[i.lane], i)
	if i.state == itemSent {
		q.sent[i.seq] = i
	}
	if i.canary {
		q.canaries[i.seq] = true
	}
}

// next returns what may go now: first what was lost on the way, for which there
// is room already.
func (q *queue) next(room, allowed int) []*item {
	if lost := q.takeLost(max(min(allowed, maxBatch), 0)); len(lost) > 0 {
		return lost
	}
	return q.take(min(room, allowed, maxBatch))
}

// takeLost returns up to n of the lost items that have no outcome meanwhile.
func (q *queue) takeLost(n int) []*item {
	q.lost = slices.DeleteFunc(q.lost, func(i *item) bool { return i.state != itemSent })
	n, bytes := min(n, len(q.lost)), 0
	for at, i := range q.lost[:n] {
		if bytes += i.recordBytes; at > 0 && bytes > maxBatchBytes {
			n = at
			break
		}
	}
	batch := slices.Clone(q.lost[:n])
	q.lost = q.lost[n:]
	return batch
}

// take returns up to n items that may go now, and at most [maxBatchBytes] of
// them.
func (q *queue) take(n int) []*item {
	var batch, passed []*item
	bytes, at := 0, 0
	for ; at < len(q.ready) && len(batch) < n; at++ {
		i := q.ready[at]
		if len(q.canaries) > 0 && !i.canary {
			passed = append(passed, i)
			continue
		}
		if bytes > 0 && bytes+i.recordBytes > maxBatchBytes {
			break
		}
		bytes += i.recordBytes
		batch = append(batch, i)
	}
	if q.ready = q.ready[at:]; len(passed) > 0 {
		q.ready = append(passed, q.ready...)
	}
	return batch
}

// move gives an item its new state.
func (q *queue) move(i *item, state string) {
	q.counts.change(i.state, state)
	i.state = state
	delete(q.sent, i.seq)
	if state == itemSent {
		q.sent[i.seq] = i
		return
	}
	q.canaryFailed = q.canaryFailed || i.canary && state == itemFailed
	delete(q.canaries, i.seq)
	q.lanes[i.lane] = q.lanes[i.lane][1:]
}

// follow makes the next item of a lane ready.
func (q *queue) follow(lane string) {
	if next := q.lanes[lane]; len(next) > 0 {
		q.ready = append(q.ready, next[0])
	} else {
		delete(q.lanes, lane)
	}
}

// behind are the items that wait behind the head of a lane.
func (q *queue) behind(lane string) []*item { return q.lanes[lane][1:] }

func (q *queue) waiting() []*item {
	waiting := make([]*item, 0, len(q.sent))
	for _, i := range q.sent {
		waiting = append(waiting, i)
	}
	return waiting
}

// sentBefore are the items that wait since before t. What was sent a moment ago
// is on its way.
func (q *queue) sentBefore(t time.Time) []*item {
	return slices.DeleteFunc(q.waiting(), func(i *item) bool { return i.sentAt == nil || i.sentAt.After(t) })
}

func (q *queue) phase() string {
	switch {
	case len(q.canaries) > 0:
		return "canary"
	case q.counts.Pending == 0:
		return "waiting"
	}
	return "ramp"
}

func (c *Counts) change(from, to string) {
	c.add(to)
	c.Planned--
	switch from {
	case itemPending:
		c.Pending--
	case itemSent:
		c.Waiting--
	}
}
