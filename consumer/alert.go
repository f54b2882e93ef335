package consumer

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/outbox"
)

// Alert is an event that had no business here: of a tenant that the service may
// not process, or one that its handler called [Unauthorized].
type Alert struct {
	Group, Service string
	// DeadLetterID is where the whole record is kept.
	DeadLetterID       string
	EventID, EventType string
	// TenantID is whose event it claims to be, Producer who it says made it.
	TenantID, Producer string
	Topic              string
	Partition          int32
	Offset             int64
	// Reason is the error, without content of the event beyond what the handler
	// put into it.
	Reason string
}

// alert tells of what was given up for a violation of rights. The handlers that
// follow find the tenant as it was set for them, whatever the hook set.
func (r *run) alert(ctx context.Context, tx pgx.Tx) error {
	if r.r.cfg.SecurityAlert == nil {
		return nil
	}
	told := false
	for _, b := range r.letters {
		if !b.isNew || b.fault.class != TenantViolation {
			continue
		}
		told = true
		if err := r.raise(ctx, tx, b); err != nil {
			return fmt.Errorf("consumer: raise the security alert of %s: %w", b.id, err)
		}
	}
	if !told {
		return nil
	}
	return r.forceTenant(ctx, tx, r.tenant)
}

// raise tells of one letter, as the tenant whose event it claims to be.
func (r *run) raise(ctx context.Context, tx pgx.Tx, b *burial) error {
	it := b.item
	if err := r.forceTenant(ctx, tx, it.event.Aggregate.TenantID); err != nil {
		return err
	}
	inside, buffer := outbox.WithBuffer(envelope.WithCause(ctx, it.msg.Cause()), tx)
	err := r.r.cfg.SecurityAlert(inside, tx, Alert{
		Group: r.scope.Consumer, Service: r.r.cfg.Service, DeadLetterID: b.id, EventID: it.event.EventID,
		EventType: it.msg.EventType, TenantID: it.event.Aggregate.TenantID, Producer: it.msg.Producer, Topic: it.msg.Topic,
		Partition: it.msg.Partition, Offset: it.msg.Offset, Reason: firstLine(b.fault.message),
	})
	if err != nil {
		return err
	}
	r.appended = r.appended || buffer.Len() > 0
	return buffer.Flush(inside, r.r.cfg.Outbox)
}
