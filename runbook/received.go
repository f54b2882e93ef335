package runbook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/internal/named"
)

// received is what one consumer knows of one event.
type received struct {
	NextOffset   *int64
	InboxState   *string
	ProcessedAt  *time.Time
	Attempts     *int32
	GateVersion  *int64
	HeldReason   *string
	HeldAt       *time.Time
	DeadLetterID *string
	DeadState    *string
	ErrorClass   *string
	ErrorMessage *string
	BlockedBy    *string
}

// readers looks at every group that reads the events: that of the next stage
// first, whether it ever ran or not, then all that have started.
func (w *walk) readers(s Stage, next *Stage, events []published) error {
	if len(events) == 0 {
		return nil
	}
	topic := events[0].Topic
	expected := ""
	if next != nil {
		expected = next.Group
		service, err := w.service(next.Service)
		if err != nil {
			return err
		}
		if err := w.group(service, expected, events); err != nil {
			return err
		}
	}
	for _, service := range w.cfg.Services {
		groups, err := collect[struct{ Consumer string }](w.ctx, service.Pool, statement("readers"), named.Args{"topic": topic})
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.Consumer == expected {
				continue
			}
			if err := w.group(service, g.Consumer, events); err != nil {
				return err
			}
		}
	}
	return nil
}

// group adds one link: the first event that the group has not applied, or all.
func (w *walk) group(service Service, group string, events []published) error {
	link := Link{Name: group, State: OK}
	applied := 0
	for _, e := range events {
		if e.Offset == nil {
			continue
		}
		rows, err := collect[received](w.ctx, service.Pool, statement("received"), named.Args{
			"consumer": group, "topic": e.Topic, "partition": *e.Partition, "offset": *e.Offset, "event_id": e.EventID, "tenant_id": e.TenantID,
			"aggregate_type": e.AggregateType, "aggregate_id": e.AggregateID, "aggregate_version": e.AggregateVersion,
		})
		if err != nil {
			return err
		}
		if link = w.receipt(service, group, e, rows[0]); link.State != OK {
			break
		}
		applied++
	}
	if applied > 1 && link.State == OK {
		link.Detail = fmt.Sprintf("%d events passed; the last: %s", applied, link.Detail)
	}
	if applied > 0 || link.State != OK {
		w.add(link)
	}
	return nil
}

// receipt says what became of one event in one group.
func (w *walk) receipt(service Service, group string, e published, r received) Link {
	l := Link{Name: group, State: OK}
	if r.ProcessedAt != nil {
		l.At = *r.ProcessedAt
	}
	what := fmt.Sprintf("%s (version %d)", e.EventType, e.AggregateVersion)
	switch {
	case is(r.InboxState, "DONE"):
		l.Detail = what + " was applied"
	case is(r.InboxState, "REJECTED"):
		l.Detail = what + " was refused by a business rule, with a rejection event"
	case is(r.DeadState, "SKIPPED"):
		l.Detail = fmt.Sprintf("%s was skipped by an operator (dead letter %s)", what, *r.DeadLetterID)
	case is(r.DeadState, "CORRECTED"):
		l.Detail = fmt.Sprintf("%s could not be applied, and a corrected event was in its place (dead letter %s)", what, *r.DeadLetterID)
	case is(r.DeadState, "SUPERSEDED"):
		l.Detail = fmt.Sprintf("%s was given up, and something newer of its key made it needless (dead letter %s)", what, *r.DeadLetterID)
	case r.DeadLetterID != nil && !is(r.DeadState, "REDRIVEN"):
		return deadLetterLink(l, what, r)
	case r.HeldReason != nil:
		return w.heldLink(l, what, e, r)
	case is(r.InboxState, "RETRYING"):
		l.State = Waiting
		l.Detail = fmt.Sprintf("%s failed %d times and is tried again", what, *r.Attempts)
		l.Recovery = "read the log of " + service.Name + "; correct the cause before the attempts are used up"
	case r.NextOffset == nil || *r.NextOffset <= *e.Offset:
		return w.notReached(l, what, service.Name, group, e, r)
	case r.GateVersion != nil && *r.GateVersion >= e.AggregateVersion:
		l.Detail = fmt.Sprintf("%s passed the gate, which is at version %d", what, *r.GateVersion)
	default:
		l.Detail = fmt.Sprintf("%s was passed by (next offset %d); the group does not handle its type, or its inbox row has expired", what, *r.NextOffset)
	}
	return l
}

func is(text *string, want string) bool { return text != nil && *text == want }

func deadLetterLink(l Link, what string, r received) Link {
	l.State = Broken
	l.Detail = fmt.Sprintf("%s is dead letter %s: %s: %s", what, *r.DeadLetterID, *r.ErrorClass, *r.ErrorMessage)
	l.Recovery = "read the dead letter, correct the cause; skip it only when its effect is not needed"
	l.Command = "deadletters show " + *r.DeadLetterID
	return l
}

func (w *walk) heldLink(l Link, what string, e published, r received) Link {
	l.State, l.At = w.lateness(*r.HeldAt), *r.HeldAt
	next := int64(1)
	if r.GateVersion != nil {
		next = *r.GateVersion + 1
	}
	switch {
	case r.BlockedBy != nil:
		l.State = Broken
		l.Detail = fmt.Sprintf("%s is held behind dead letter %s of its key", what, *r.BlockedBy)
		l.Recovery, l.Command = "settle that dead letter; what waits behind it goes on by itself", "deadletters show "+*r.BlockedBy
	case *r.HeldReason == "RETRY":
		l.State = Waiting
		l.Detail = what + " failed and waits for its next attempt"
		l.Recovery = "read the log of its group; correct the cause before the attempts are used up"
	case *r.HeldReason == "BLOCKED":
		l.State = Waiting
		l.Detail = what + " is held behind an event of its key that failed and is tried again"
		l.Recovery, l.Command = "look at that event", "trace "+e.AggregateID
	case *r.HeldReason == "CONFLICT":
		l.State = Broken
		l.Detail = what + " is held: another event has its version, so its producer was restored from a backup"
		l.Recovery, l.Command = "find the dead letter VERSION_CONFLICT of the key", "deadletters list"
	default:
		l.Detail = fmt.Sprintf("%s is held (%s): version %d of %s %s has not arrived", what, *r.HeldReason, next, e.AggregateType, e.AggregateID)
		l.Recovery, l.Command = fmt.Sprintf("find version %d in the producer's outbox; where it will never come, let the group go on with consumers skip-versions", next), "trace "+e.AggregateID
	}
	return l
}

// notReached is a group that stands before the event.
func (w *walk) notReached(l Link, what, service, group string, e published, r received) Link {
	at := "has never started on " + fmt.Sprintf("%s/%d", e.Topic, *e.Partition)
	if r.NextOffset != nil {
		at = fmt.Sprintf("stands at offset %d of %s/%d, before offset %d", *r.NextOffset, e.Topic, *e.Partition, *e.Offset)
	}
	l.Detail = fmt.Sprintf("%s is not consumed: the group %s", what, at)
	members, err := -1, error(nil)
	if w.cfg.Log != nil {
		members, err = w.cfg.Log.members(w.ctx, group)
	}
	switch {
	case w.cfg.Log == nil || err != nil:
		l.State, l.Recovery, l.Command = Broken, "see whether the consumer runs", "consumers lag"
	case members == 0:
		l.State, l.Detail = Broken, l.Detail+", and nobody runs it"
		l.Recovery, l.Command = "start the consumer; it goes on where it stopped", "serve "+service
	default:
		l.State, l.Detail = w.lateness(e.CreatedAt), fmt.Sprintf("%s; %d members run it", l.Detail, members)
		l.Recovery, l.Command = "look at its lag and its log", "consumers lag"
	}
	return l
}

func headerText(r *kgo.Record, key string) string {
	at := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == key })
	if at < 0 {
		return "without an id"
	}
	return strings.ToValidUTF8(string(r.Headers[at].Value), "?")
}
