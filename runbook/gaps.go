package runbook

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/deadletter"
	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// Gap is an aggregate of which a group waits for versions that have not arrived.
type Gap struct {
	Service string `json:"service" db:"-"`
	Group   string `json:"group" db:"consumer"`
	Topic   string `json:"topic"`
	// Partition is where what waits stands.
	Partition     int32  `json:"partition"`
	TenantID      string `json:"tenantId"`
	AggregateType string `json:"aggregateType"`
	AggregateID   string `json:"aggregateId"`
	// FromVersion to ToVersion are missing, both included.
	FromVersion int64 `json:"fromVersion"`
	ToVersion   int64 `json:"toVersion"`
	HeldEvents  int64 `json:"heldEvents"`
	// Since is when the first of them was held.
	Since time.Time `json:"since"`
}

// Gaps returns the gaps of all groups in the services' databases, the longest
// first, at most 1000 of a service. A young one is an event under way.
func Gaps(ctx context.Context, services []Service) ([]Gap, error) {
	all := []Gap{}
	for _, s := range services {
		gaps, err := collect[Gap](ctx, s.Pool, statement("gaps"))
		if err != nil {
			return nil, err
		}
		for _, g := range gaps {
			g.Service = s.Name
			all = append(all, g)
		}
	}
	slices.SortStableFunc(all, func(x, y Gap) int { return x.Since.Compare(y.Since) })
	return all, nil
}

// unpublished is what an outbox says of an aggregate.
type unpublished struct {
	Head, Version int64
	EventID       string
	Parked        bool
}

// FindMissing looks for versions that a group waits for in the outboxes of the
// services and on the log, and says where the first stands, empty where none
// does: the FindFunc of a deadletter.VersionsRequest. It reads the partitions
// from the offsets given to their ends, which takes a while where they are long.
// An aggregate that no outbox counts is an error: its producer is not at hand.
func FindMissing(ctx context.Context, services []Service, log *Log, m deadletter.Missing) (place string, err error) {
	counted := false
	for _, s := range services {
		place, known, err := inOutbox(ctx, s, m)
		if err != nil || place != "" {
			return place, err
		}
		counted = counted || known
	}
	if !counted {
		return "", fmt.Errorf("runbook: find versions of %s %s: no outbox counts it; pass the database of its producer", m.AggregateType, m.AggregateID)
	}
	record, err := log.find(ctx, m.Topic, m.Starts, func(r *kgo.Record) bool { return isOneOf(m, r) })
	if err != nil {
		return "", fmt.Errorf("runbook: search %s on %v: %w; see that the broker runs and try again", m.Topic, log.brokers, err)
	}
	if record != nil {
		place = fmt.Sprintf("one of them stands on the log at %s/%d offset %d", record.Topic, record.Partition, record.Offset)
	}
	return place, nil
}

func inOutbox(ctx context.Context, s Service, m deadletter.Missing) (place string, known bool, err error) {
	rows, err := collect[unpublished](ctx, s.Pool, statement("unpublished"), named.Args{
		"topic": m.Topic, "tenant_id": m.TenantID, "aggregate_type": m.AggregateType, "aggregate_id": m.AggregateID, "from": m.From, "to": m.To,
	})
	if err != nil || len(rows) == 0 {
		return "", false, err
	}
	switch r := rows[0]; {
	case r.Version > 0 && r.Parked:
		place = fmt.Sprintf("version %d (event %s) is parked in the outbox of %s", r.Version, r.EventID, s.Name)
	case r.Version > 0:
		place = fmt.Sprintf("version %d (event %s) is on its way in the outbox of %s", r.Version, r.EventID, s.Name)
	case r.Head < m.To: // restored from a backup: it gives these versions to new events
		place = fmt.Sprintf("%s counts the aggregate to version %d alone and will make the others", s.Name, r.Head)
	}
	return place, true, nil
}

func isOneOf(m deadletter.Missing, r *kgo.Record) bool {
	e, err := envelope.DecodeRaw(r.Value)
	return err == nil && e.AggregateID == m.AggregateID && e.AggregateType == m.AggregateType && e.TenantID == m.TenantID &&
		e.AggregateVersion >= m.From && e.AggregateVersion <= m.To
}
