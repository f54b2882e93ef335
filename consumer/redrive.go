package consumer

import (
	"context"
	"fmt"
	"log/slog"
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

// redrive asks to try a dead letter again.
type redrive struct{ id, deadLetterID string }

// maxIDBytes is far above what any tool makes.
const maxIDBytes = 255

// isReadable reports whether both ids are such as a database can look up. Anybody
// may write to the topic, and what PostgreSQL refuses would be tried for ever.
func (x redrive) isReadable() bool {
	for _, id := range []string{x.id, x.deadLetterID} {
		if len(id) > maxIDBytes || !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
			return false
		}
	}
	return true
}

// redriveOf reads a record of a retry topic and reports whether it is a redrive
// for group.
func redriveOf(record *kgo.Record, group string) (x redrive, ok bool) {
	for _, h := range record.Headers {
		switch h.Key {
		case HeaderRetryGroup:
			ok = string(h.Value) == group
		case HeaderRedriveID:
			x.id = string(h.Value)
		case HeaderDeadLetterID:
			x.deadLetterID = string(h.Value)
		}
	}
	return x, ok && x.id != "" && x.deadLetterID != ""
}

// handleRedrives takes the redrives among the records of a retry topic. Each is
// a transaction of its own, and repeating one does nothing, so that the offset
// may follow later.
func (p *partition) handleRedrives() error {
	only := p.take(p.s.r.cfg.MaxChunkRecords)
	if only == nil {
		return nil
	}
	defer only.land()
	redrives := 0
	for _, record := range only.records {
		x, ok := redriveOf(record, p.s.r.cfg.Group)
		if !ok {
			continue
		}
		redrives++
		if !x.isReadable() {
			p.ignore(record)
			continue
		}
		if err := p.redrive(x); err != nil {
			return err
		}
	}
	if redrives == 0 && len(only.records) > 0 && only.pass() {
		return nil
	}
	_, err := p.attempt(p.s.r.newChunk(p.topic, -1, only), func() {})
	return err
}

// redrive takes one until the database answers.
func (p *partition) redrive(x redrive) error {
	r := p.s.r
	for failures := 1; ; failures++ {
		taken, err := inbox.TakeRedrive(p.ctx, r.cfg.Pool, r.cfg.Group, x.deadLetterID, x.id, r.cfg.Now())
		if err == nil {
			r.redriven(p.topic.Topic, x, taken)
			return nil
		}
		if p.stopping() {
			return errStopping
		}
		r.cfg.Logger.Warn("redrive not taken yet", "group", r.cfg.Group, "redrive_id", x.id, "dead_letter_id", x.deadLetterID, "error", err.Error())
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

func (r *Runner) redriven(topic string, x redrive, taken bool) {
	level, outcome, message := slog.LevelInfo, "taken", "dead letter is tried again"
	if !taken {
		level, outcome, message = slog.LevelWarn, "ignored", "redrive ignored: the dead letter is not open here, or this redrive was taken before, or it is a tombstone"
	}
	r.metrics.redrives.WithLabelValues(r.cfg.Group, topic, outcome).Inc()
	//nolint:sloglint // one of two constants
	r.cfg.Logger.Log(context.Background(), level, message, "group", r.cfg.Group, "topic", topic, "redrive_id", x.id, "dead_letter_id", x.deadLetterID)
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
