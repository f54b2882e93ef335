package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/inbox"
)

// The headers by which an operator's tool asks a group, in a record on the
// contract's shortest retry topic with [HeaderRetryGroup], to try a dead letter again. The
// rest of the record is for people: the bytes that are tried are the database's.
const (
	// HeaderRedriveID names the redrive. One that was taken is not taken again.
	// Both ids are UTF-8 without NUL, of at most 255 bytes.
	HeaderRedriveID = "redrive-id"
	// HeaderDeadLetterID names the dead letter.
	HeaderDeadLetterID = "dead-letter-id"
)

// redriveTopic is where a group looks for redrives: the contract's shortest retry
// topic, whatever tiers the subscription has of its own, because the contract is
// all that an operator's tool knows. Without one it is the shortest of the tiers.
func redriveTopic(s Subscription, contracts Contracts, tiers []tier) string {
	if contracts != nil {
		if t, ok := contracts.Topic(s.Topic); ok && len(t.RetryTopics()) > 0 {
			return t.RetryTopics()[0].Name
		}
	}
	if len(tiers) > 0 {
		return tiers[0].topic
	}
	return ""
}

// planRedrives is the plan of a retry topic: a group reads it for its redrives
// and passes over all the rest.
func planRedrives(topic string) *topicPlan {
	return &topicPlan{Subscription: Subscription{Topic: topic, Mode: Unordered}, redrives: true}
}

// maxIDBytes is far above what any tool makes.
const maxIDBytes = 255

// isReadable reports whether both ids are such as a database can look up. Anybody
// may write to the topic, and what PostgreSQL refuses would be tried for ever.
func isReadable(x inbox.Redrive) bool {
	for _, id := range []string{x.ID, x.DeadLetterID} {
		if len(id) > maxIDBytes || !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
			return false
		}
	}
	return true
}

// redriveOf reads a record of a retry topic and reports whether it is a redrive
// for group.
func redriveOf(record *kgo.Record, group string) (x inbox.Redrive, ok bool) {
	for _, h := range record.Headers {
		switch h.Key {
		case HeaderRetryGroup:
			ok = string(h.Value) == group
		case HeaderRedriveID:
			x.ID = string(h.Value)
		case HeaderDeadLetterID:
			x.DeadLetterID = string(h.Value)
		}
	}
	return x, ok && x.ID != "" && x.DeadLetterID != ""
}

// maxTaken is the most redrives that are taken at a time: the partitions that their
// letters came from stand still meanwhile, one after the other.
const maxTaken = 500

// handleRedrives takes the redrives among the records of a retry topic, in
// transactions of their own. Repeating one does nothing, so that the offset may
// follow later.
func (p *partition) handleRedrives() error {
	only := p.take(p.s.r.cfg.MaxChunkRecords)
	if only == nil {
		return nil
	}
	defer only.land()
	redrives, ignored := p.redrivesIn(only.records)
	for some := range slices.Chunk(redrives, maxTaken) {
		if err := p.takeRedrives(some); err != nil {
			return err
		}
	}
	if len(redrives)+ignored == 0 && len(only.records) > 0 && only.pass() {
		return nil
	}
	_, err := p.attempt(p.s.r.newChunk(p.topic, -1, only), func() {})
	return err
}

func (p *partition) redrivesIn(records []*kgo.Record) (redrives []inbox.Redrive, ignored int) {
	for _, record := range records {
		x, ok := redriveOf(record, p.s.r.cfg.Group)
		switch {
		case !ok:
		case isReadable(x):
			redrives = append(redrives, x)
		default:
			ignored++
			p.ignore(record)
		}
	}
	return redrives, ignored
}

// takeRedrives takes some until the database answers.
func (p *partition) takeRedrives(redrives []inbox.Redrive) error {
	r, left := p.s.r, redrives
	for failures := 1; ; failures++ {
		taken, err := inbox.TakeRedrives(p.ctx, r.cfg.Pool, r.cfg.Group, r.cfg.Now(), left...)
		left = r.redriven(p.topic.Topic, left, taken, err == nil)
		if len(taken) > 0 {
			p.s.lookForDue()
		}
		if err == nil {
			return nil
		}
		if p.stopping() {
			return errStopping
		}
		r.cfg.Logger.Warn("redrives not taken yet", "group", r.cfg.Group, "topic", p.topic.Topic, "redrives", len(left), "error", err.Error())
		if err := p.sleep(r.outagePause(failures)); err != nil {
			return err
		}
	}
}

// ignore passes over a redrive whose ids say nothing. They are not logged: they
// may be of any size.
func (p *partition) ignore(record *kgo.Record) {
	r := p.s.r
	r.metrics.redrives.WithLabelValues(r.cfg.Group, p.topic.Topic, "ignored").Inc()
	r.cfg.Logger.Warn("redrive ignored: its redrive-id or dead-letter-id is no UTF-8 of at most 255 bytes without NUL; send it again with the ids as they were given",
		"group", r.cfg.Group, "topic", p.topic.Topic, "partition", p.id, "offset", record.Offset)
}

// redriven tells of redrives that were taken and, at the end, of those that were not.
// It returns those that it does not tell of yet.
func (r *Runner) redriven(topic string, asked, taken []inbox.Redrive, atEnd bool) (left []inbox.Redrive) {
	is := make(map[inbox.Redrive]bool, len(taken))
	for _, x := range taken {
		is[x] = true
	}
	for _, x := range asked {
		switch {
		case is[x]:
			delete(is, x) // the same one again was not taken twice
			r.tellRedrive(topic, x, slog.LevelInfo, "taken", "dead letter is tried again")
		case atEnd:
			r.tellRedrive(topic, x, slog.LevelWarn, "ignored", "redrive ignored: the dead letter is not open here, or this redrive was taken before, or it is a tombstone")
		default:
			left = append(left, x)
		}
	}
	return left
}

func (r *Runner) tellRedrive(topic string, x inbox.Redrive, level slog.Level, outcome, message string) {
	r.metrics.redrives.WithLabelValues(r.cfg.Group, topic, outcome).Inc()
	//nolint:sloglint // one of two constants
	r.cfg.Logger.Log(context.Background(), level, message, "group", r.cfg.Group, "topic", topic, "redrive_id", x.ID, "dead_letter_id", x.DeadLetterID)
}

// closing is a dead letter that was tried again and is settled.
type closing struct{ id, state string }

// closeRedriven settles the dead letters whose events took effect after all, or
// are needed no more because something newer came.
func (r *run) closeRedriven(it *item, verdict inbox.Verdict) {
	if !it.event.Redriven {
		return
	}
	state := "APPLIED"
	known := r.settled[it.event.EventID] || r.gates[it.event.Aggregate].EventID == it.event.EventID
	if verdict == inbox.Duplicate && r.scope.Mode == Latest && !known {
		state = "SUPERSEDED"
	}
	r.closed = append(r.closed, closing{it.retry.DeadLetterID, state})
}

// queueClosings settles dead letters: those that were tried again, and, behind
// those that this chunk gives up itself, what its tombstones delete.
func (r *run) queueClosings(batch *pgx.Batch) {
	for _, c := range r.closed {
		batch.Queue(statement("close_redriven"), c.id, c.state, r.now)
	}
	var partitions []int32
	var offsets []int64
	var keys [][]byte
	for _, it := range r.applied {
		if it.event.Tombstone {
			partitions, offsets, keys = append(partitions, it.msg.Partition), append(offsets, it.msg.Offset), append(keys, it.msg.Key)
		}
	}
	if len(keys) > 0 {
		batch.Queue(statement("supersede"), r.scope.Consumer, r.scope.Topic, partitions, offsets, keys, r.now)
	}
}

// again is a fault that shows in a redrive: it is the next attempt.
func (f *fault) again(it *item) *fault {
	if !it.event.Redriven || f.attempts > it.retry.Attempts {
		return f
	}
	return &fault{f.class, fmt.Sprintf("%s (when tried again)", f.message), it.retry.Attempts + 1}
}
