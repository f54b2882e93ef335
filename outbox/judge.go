package outbox

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// verdict collects what becomes of a chunk's rows after a round.
type verdict struct {
	chunk      *chunk
	partitions *partitions
	waiting    []outRow            // for a later round
	held       map[string]struct{} // keys with a row among them
}

// judge sorts out a round: acknowledged rows are receipts, rows whose batch the
// broker refused are tried in smaller ones, everything else waits.
func (s *sender) judge(r *round) {
	v := verdict{chunk: r.chunk, partitions: s.partitions, held: map[string]struct{}{}}
	if suspects := v.sort(r); len(suspects) > 0 {
		s.bisect(&v, suspects)
		slices.SortFunc(v.waiting, func(a, b outRow) int { return cmp.Compare(a.position, b.position) })
		slices.SortFunc(r.chunk.sent, func(a, b sentRow) int { return cmp.Compare(a.position, b.position) })
	}
	r.chunk.rows = v.waiting
}

// sort takes what the broker acknowledged, lets wait what may be accepted
// later, and returns the rows that the broker blames. It names a batch, so the
// culprit may be any of them.
func (v *verdict) sort(r *round) (suspects []outRow) {
	for i, row := range r.rows {
		err := r.err(i)
		switch {
		case err == nil:
			v.chunk.acknowledged(row, &r.records[i])
		case v.isHeld(row) || !blamesRecord(err):
			v.wait(row, err)
		default:
			suspects = append(suspects, row)
		}
	}
	return suspects
}

func (v *verdict) isHeld(row outRow) bool {
	if len(v.held) == 0 {
		return false
	}
	_, held := v.held[fenceKey(row.topic, row.key)]
	return held
}

func (v *verdict) wait(row outRow, err error) {
	key := fenceKey(row.topic, row.key)
	v.held[key] = struct{}{}
	v.waiting = append(v.waiting, row)
	v.chunk.failure = err
	if refusesPartition(err) || v.partitions.areFewer(row.topic) {
		if v.chunk.unaccepted == nil {
			v.chunk.unaccepted = map[string]error{}
		}
		v.chunk.unaccepted[key] = err
	}
}

// bisect finds the culprits among rows in about two attempts for each halving,
// and sends the innocent. The first half is settled before the second is sent:
// a key may have rows in both.
func (s *sender) bisect(v *verdict, rows []outRow) {
	if len(rows) == 1 {
		s.tryAlone(v, rows[0])
		return
	}
	for _, half := range [][]outRow{rows[:len(rows)/2], rows[len(rows)/2:]} {
		r := s.attempt(v, half)
		switch suspects := v.sort(r); {
		case len(suspects) == 1 && len(r.rows) == 1:
			v.chunk.refuse(suspects[0], r.err(0))
		case len(suspects) > 0:
			s.bisect(v, suspects)
		}
	}
}

func (s *sender) tryAlone(v *verdict, row outRow) {
	r := s.attempt(v, []outRow{row})
	for _, culprit := range v.sort(r) {
		v.chunk.refuse(culprit, r.err(0))
	}
}

// attempt sends rows as a round of their own, except those whose key has met
// its culprit or waits.
func (s *sender) attempt(v *verdict, rows []outRow) *round {
	r := &round{chunk: v.chunk}
	for _, row := range rows {
		switch {
		case v.chunk.isFenced(row):
			v.chunk.parkBehind(row)
		case v.isHeld(row):
			v.waiting = append(v.waiting, row)
		default:
			r.rows = append(r.rows, row)
		}
	}
	s.again.reset(len(r.rows))
	if r.records, r.unread = s.again.add(r.rows, time.Now()); r.unread == nil {
		s.produce(r)
		s.flush()
		r.wait.Wait()
	}
	return r
}

func (c *chunk) acknowledged(row outRow, record *kgo.Record) {
	eventType := row.eventType
	if !row.stamped {
		eventType = "other" // as whoever sent the record spelt it: a label must be bounded
	}
	c.sent = append(c.sent, sentRow{
		position: row.position, topic: row.topic, eventType: eventType, eventID: row.eventID,
		createdAt: row.createdAt, partition: record.Partition, offset: record.Offset,
	})
}

// refuse parks a row that the broker blames even where it stands alone.
func (c *chunk) refuse(row outRow, err error) {
	c.parkCulprit(row, "the broker refused it: "+err.Error())
}

func (c *chunk) parkCulprit(row outRow, reason string) {
	c.fence(row)
	c.parked = append(c.parked, parkedRow{rowName: row.name(), reason: reason, isCulprit: true, parkedMicros: c.parkedMicros[row.position]})
}

func (c *chunk) parkBehind(row outRow) {
	c.parked = append(c.parked, parkedRow{rowName: row.name(), reason: behindReason, parkedMicros: c.parkedMicros[row.position]})
}

// isFenced reports whether a row must be parked behind another. The rows of a
// released chunk come from behind the fence: for them only a culprit among
// themselves counts.
func (c *chunk) isFenced(row outRow) bool {
	if !c.isRelease {
		return c.lane.fenced(row)
	}
	_, refused := c.refused[fenceKey(row.topic, row.key)]
	return refused
}

func (c *chunk) fence(row outRow) {
	if !c.isRelease {
		c.lane.fence(row)
		return
	}
	if c.refused == nil {
		c.refused = map[string]struct{}{}
	}
	c.refused[fenceKey(row.topic, row.key)] = struct{}{}
}

// blamesRecord reports whether err says that the record itself, or its batch,
// can never be accepted. Everything else may pass with time or an operator's
// help, and a record is never given up for it. So may INVALID_TIMESTAMP: the
// timestamp is this host's clock at the attempt, not the record's.
func blamesRecord(err error) bool {
	for _, blame := range []error{
		kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord,
		kerr.UnsupportedForMessageFormat, kerr.InvalidTopicException, kerr.CorruptMessage,
	} {
		if errors.Is(err, blame) {
			return true
		}
	}
	return false
}
