package runbook

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"factline.dev/internal/named"
)

// published is an event of the outbox and what became of its row.
type published struct {
	Lane             int16
	Position         int64
	CreatedAt        time.Time
	EventID          string
	EventType        string
	TenantID         string
	AggregateType    string
	AggregateID      string
	AggregateVersion int64
	Topic            string
	Owner            string
	LowWater         int64
	IsLeased         bool
	AgeSeconds       float64
	Partition        *int32
	Offset           *int64
	PublishedAt      *time.Time
	ParkedReason     *string
	IsCulprit        bool
}

func (p published) pending() bool {
	return p.Offset == nil && p.ParkedReason == nil && p.Position > p.LowWater
}

func (w *walk) events(s Service, id string) ([]published, error) {
	events, err := collect[published](w.ctx, s.Pool, statement("events"), named.Args{"id": id, "since": since(id)})
	if isTimeout(err) {
		return nil, fmt.Errorf("%w; the outbox of %s is too large to be searched by id within %s", err, s.Name, Timeout)
	}
	return events, err
}

// aggregate looks at the events of a stage's row: whether they exist, whether
// they were published, whether the log has them. It returns those that hand
// over to the next stage, nil when the chain cannot go on.
func (w *walk) aggregate(s Stage, r *row) ([]published, error) {
	service, err := w.service(s.Service)
	if err != nil {
		return nil, err
	}
	events, err := w.events(service, r.ID)
	if err != nil {
		return nil, err
	}
	head, err := w.head(service, s.Aggregate, r.ID)
	if err != nil {
		return nil, err
	}
	if l := w.appended(s, r, head, events); l.State != OK {
		w.add(l)
		return nil, nil
	}
	stuck := w.publication(s, events)
	handed := handOver(s, events)
	if stuck && !anyPublished(handed) {
		return nil, nil
	}
	if len(handed) == 0 {
		w.add(Link{Name: "outbox of " + s.Service, State: Waiting, Detail: s.Until, Recovery: "nothing is lost; this is a step for a person or a timer"})
		return nil, nil
	}
	w.onLog(handed)
	return handed, nil
}

func anyPublished(events []published) bool {
	return slices.ContainsFunc(events, func(e published) bool { return e.Offset != nil })
}

func handOver(s Stage, events []published) []published {
	if len(s.HandOver) == 0 {
		return events
	}
	var handed []published
	for _, e := range events {
		if slices.Contains(s.HandOver, e.EventType) {
			handed = append(handed, e)
		}
	}
	return handed
}

func (w *walk) head(s Service, aggregateType, id string) (int64, error) {
	heads, err := collect[struct{ Version int64 }](w.ctx, s.Pool, statement("head"), named.Args{"aggregate_type": aggregateType, "id": id})
	if err != nil || len(heads) == 0 {
		return 0, err
	}
	return heads[0].Version, nil
}

// appended compares the row's version with what the outbox took in.
func (w *walk) appended(s Stage, r *row, head int64, events []published) Link {
	l := Link{Name: "outbox of " + s.Service, State: OK}
	switch {
	case r.Version > head:
		l.State = Broken
		l.Detail = fmt.Sprintf("the row is at version %d and the outbox took in %d: its state was changed without an event", r.Version, head)
		l.Recovery = "find what wrote the row past outbox.Append, and append the missing event by a correction of the service"
	case len(events) == 0:
		l.State = Unknown
		l.Detail = fmt.Sprintf("version %d was appended, and its events are older than the outbox's retention", head)
		l.Recovery = "read the log itself with a Kafka client, by the record key " + r.ID
	}
	return l
}

// publication adds one link for all events of an aggregate and reports whether
// one of them is stuck.
func (w *walk) publication(s Stage, events []published) (stuck bool) {
	l := Link{Name: "outbox of " + s.Service, State: OK}
	for _, e := range events {
		if e.PublishedAt != nil {
			l.At = *e.PublishedAt
		}
	}
	first, last := events[0].AggregateVersion, events[len(events)-1].AggregateVersion
	l.Detail = fmt.Sprintf("%d events, versions %d to %d, all published", len(events), first, last)
	for _, e := range events {
		if e.pending() || e.ParkedReason != nil {
			w.add(w.stuck(l.Name, s.Service, e))
			return true
		}
	}
	w.add(l)
	return false
}

func (w *walk) stuck(name, service string, e published) Link {
	age := time.Duration(e.AgeSeconds * float64(time.Second)).Round(time.Second)
	l := Link{Name: name, State: Broken, At: e.CreatedAt}
	what := fmt.Sprintf("%s (version %d, event %s)", e.EventType, e.AggregateVersion, e.EventID)
	switch {
	case e.ParkedReason != nil && e.IsCulprit:
		l.Detail = fmt.Sprintf("%s is parked: %s", what, *e.ParkedReason)
		l.Recovery = "the broker refused the record for good: correct the topic's limits or permissions; later events of the key wait behind it"
		l.Command = "outbox status --service " + service
	case e.ParkedReason != nil:
		l.Detail = fmt.Sprintf("%s waits behind a parked event of its key: %s", what, *e.ParkedReason)
		l.Recovery = "settle the parked event of the same key first"
		l.Command = "outbox status --service " + service
	case !e.IsLeased:
		l.Detail = fmt.Sprintf("%s is pending for %s, and no relay owns lane %d", what, age, e.Lane)
		l.Recovery = "start the publisher; it goes on where it stopped"
		l.Command = "serve " + service
	default:
		l.State = w.lateness(e.CreatedAt)
		l.Detail = fmt.Sprintf("%s is pending for %s in lane %d, owned by %s", what, age, e.Lane, e.Owner)
		l.Recovery = "see whether the broker takes records and whether an open transaction holds the outbox back"
		l.Command = "outbox status --service " + service
	}
	return l
}

// onLog looks for each published event where its receipt says it stands, at most
// twenty of them, the newest.
func (w *walk) onLog(events []published) {
	const most = 20
	var link Link
	checked := 0
	for _, e := range events[max(0, len(events)-most):] {
		if e.Offset == nil {
			continue
		}
		link = w.recordLink(e)
		if checked++; link.State != OK {
			break
		}
	}
	if checked == 0 {
		return
	}
	if checked > 1 && link.State == OK {
		link.Detail = fmt.Sprintf("%d records found, the last at %s", checked, link.Detail)
	}
	w.add(link)
}

func (w *walk) recordLink(e published) Link {
	l := Link{Name: "log", State: OK, Detail: fmt.Sprintf("%s on %s/%d offset %d", e.EventType, e.Topic, *e.Partition, *e.Offset)}
	if w.cfg.Log == nil {
		l.State, l.Detail = Unknown, l.Detail+" by its receipt; no broker was given"
		return l
	}
	record, err := w.cfg.Log.record(w.ctx, e.Topic, *e.Partition, *e.Offset)
	switch {
	case errors.Is(err, errGone):
		l.Detail += " by its receipt; the topic's retention has passed"
	case errors.Is(err, errBeyond):
		l.State = Broken
		l.Detail += " by its receipt, but the log ends before it"
		l.Recovery = "the topic was created anew or is another cluster's: compare the broker with the one the relay uses"
		l.Command = "config show"
	case err != nil:
		l.State = Unknown
		l.Detail += " by its receipt; the broker cannot be read: " + err.Error()
		l.Recovery = "start the broker, or name it with --kafka"
	case record != nil && headerText(record, "eventId") != e.EventID:
		l.State = Broken
		l.Detail += fmt.Sprintf(" by its receipt, but event %s stands there", headerText(record, "eventId"))
		l.Recovery = "the topic was created anew: compare the broker with the one the relay uses"
	case record != nil:
		l.At = record.Timestamp
	}
	return l
}
