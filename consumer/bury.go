package consumer

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"factline.dev/envelope"
	"factline.dev/inbox"
	"factline.dev/outbox"
)

// maxMessageBytes keeps an error with its stack from filling the record.
const maxMessageBytes = 8 << 10

// maxLetterBytes is what outbox.Outbox.Forward takes.
const maxLetterBytes = 8 << 20

func (r *run) bury(it *item, f *fault) {
	f = f.again(it)
	b := &burial{
		id: cmp.Or(it.retry.DeadLetterID, "dlt_"+envelope.NewID()), item: it, fault: f,
		blocks: r.scope.Mode == inbox.Ordered && !r.scope.Continue && it.event.Fault != inbox.Unreadable,
	}
	if f.class == VersionConflict {
		b.blocks = true
	}
	r.letters = append(r.letters, b)
	if it.event.Fault != inbox.Unreadable {
		r.changes.Dead(it.event.EventID, it.msg.Partition, it.msg.Offset, f.attempts)
	}
	if b.blocks {
		r.changes.Block(&it.event, b.id, string(f.class))
	}
}

func (r *run) queueBurial(batch *pgx.Batch, b *burial) {
	it, e := b.item, &b.item.event
	batch.Queue(statement("bury"), b.id, r.scope.Consumer, r.scope.Topic, it.msg.Partition, it.msg.Offset,
		e.Aggregate.TenantID, e.Aggregate.Type, e.Aggregate.ID, e.Version, e.EventID, it.msg.EventType,
		string(b.fault.class), storable(b.fault.message), b.fault.attempts, b.blocks, []byte(e.BlockKey),
		it.msg.Key, storedHeaders(it.msg.Headers), it.value, r.now, e.Redriven, it.msg.RecordTime,
	).Exec(func(tag pgconn.CommandTag) error {
		b.isNew = tag.RowsAffected() == 1
		return nil
	})
}

// forward sends new dead letters and what is tried again to their topics, through
// the outbox of this transaction. A letter that the database has already is not
// sent again.
func (r *run) forward(ctx context.Context, tx pgx.Tx) error {
	records := r.retryRecords()
	for _, b := range r.letters {
		if !b.isNew {
			continue
		}
		record, err := r.deadLetterRecord(b)
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	if len(records) == 0 {
		return nil
	}
	r.appended = true
	return r.r.cfg.Outbox.Forward(ctx, tx, records...)
}

func (r *run) deadLetterRecord(b *burial) (outbox.Record, error) {
	it := b.item
	letter := DeadLetter{
		ID: b.id, RedriveID: it.retry.RedriveID, Blocks: b.blocks, TenantID: it.event.Aggregate.TenantID,
		AggregateType: it.event.Aggregate.Type, AggregateID: it.event.Aggregate.ID, AggregateVersion: it.event.Version,
		FailedAt: r.now, SourceTopic: it.msg.Topic, SourcePartition: it.msg.Partition, SourceOffset: it.msg.Offset,
		ConsumerGroup: r.scope.Consumer, EventID: it.event.EventID, EventType: it.msg.EventType,
		ErrorClass: b.fault.class, ErrorMessage: storable(b.fault.message), AttemptCount: b.fault.attempts,
		OriginalKey: it.msg.Key, OriginalHeaders: it.msg.Headers, OriginalValue: it.value,
	}
	value, err := letter.fit(maxLetterBytes)
	if err != nil {
		return outbox.Record{}, fmt.Errorf("consumer: encode dead letter of %s/%d/%d: %w", it.msg.Topic, it.msg.Partition, it.msg.Offset, err)
	}
	return outbox.Record{
		Topic: r.topic.DeadLetterTopic, Key: letter.OriginalKey, Value: value,
		EventID: it.event.EventID, EventType: it.msg.EventType, TenantID: it.event.Aggregate.TenantID,
	}, nil
}

// fit encodes d and leaves out parts of the original record as long as the
// letter and its key exceed limit: one that the outbox refuses would be retried
// for ever. The table has the whole record.
func (d *DeadLetter) fit(limit int) ([]byte, error) {
	for {
		text, err := json.Marshal(d)
		if err != nil || len(text)+len(d.OriginalKey) <= limit || !d.omit() {
			return text, err
		}
	}
}

func (d *DeadLetter) omit() (omitted bool) {
	switch {
	case d.OriginalValue != nil:
		d.OriginalValue, d.Omitted = nil, append(d.Omitted, "value")
	case d.OriginalHeaders != nil:
		d.OriginalHeaders, d.Omitted = nil, append(d.Omitted, "headers")
	case d.OriginalKey != nil:
		d.OriginalKey, d.Omitted = nil, append(d.Omitted, "key")
	default:
		return false
	}
	return true
}

// storable makes an error text fit a text column and a log line: bounded, valid
// UTF-8, without the NUL that PostgreSQL refuses.
func storable(message string) string {
	message = strings.ReplaceAll(strings.ToValidUTF8(message, "\uFFFD"), "\x00", "\uFFFD")
	if len(message) > maxMessageBytes {
		message = strings.ToValidUTF8(message[:maxMessageBytes], "") + " (cut)"
	}
	return message
}

func storedHeaders(headers []envelope.Header) []byte { return envelope.EncodeHeaders(headers) }
