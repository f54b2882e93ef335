package runbook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"factline.dev/internal/named"
)

// PartitionLag is how far one group is in one partition.
type PartitionLag struct {
	Service   string `json:"service"`
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// EndOffset is the offset the next record will get.
	EndOffset int64 `json:"endOffset"`
	// NextOffset is the first offset without an effect in the group's database.
	NextOffset int64 `json:"nextOffset"`
	// Committed is the offset committed in Kafka, -1 for none. It trails
	// NextOffset a little, or leads it by records without effect; the lower one
	// decides.
	Committed int64 `json:"committedOffset"`
	// LagRecords is EndOffset - NextOffset.
	LagRecords int64 `json:"lagRecords"`
	// HeldEvents wait in the database for an earlier version or an operator.
	HeldEvents int64 `json:"heldEvents"`
	// BlockedKeys wait for an operator.
	BlockedKeys int64 `json:"blockedKeys"`
}

type progress struct {
	Topic      string
	Partition  int32
	NextOffset int64
	Held       int64
	Blocked    int64
}

// Lag returns the lag of every group that has started in the services'
// databases, ordered by service, group, topic and partition.
func Lag(ctx context.Context, services []Service, log *Log) ([]PartitionLag, error) {
	all := []PartitionLag{}
	for _, s := range services {
		groups, err := collect[struct{ Consumer string }](ctx, s.Pool, statement("groups"))
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			rows, err := groupLag(ctx, s, g.Consumer, log)
			if err != nil {
				return nil, err
			}
			all = append(all, rows...)
		}
	}
	slices.SortFunc(all, func(a, b PartitionLag) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Group, b.Group),
			cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return all, nil
}

func groupLag(ctx context.Context, s Service, group string, log *Log) ([]PartitionLag, error) {
	known, err := collect[progress](ctx, s.Pool, statement("progress"), named.Args{"consumer": group})
	if err != nil {
		return nil, err
	}
	var topics []string
	for _, p := range known {
		if !slices.Contains(topics, p.Topic) {
			topics = append(topics, p.Topic)
		}
	}
	ends, committed, err := log.offsets(ctx, group, topics)
	if err != nil {
		return nil, err
	}
	rows := make([]PartitionLag, 0, len(known))
	for _, p := range known {
		row := PartitionLag{
			Service: s.Name, Group: group, Topic: p.Topic, Partition: p.Partition, NextOffset: p.NextOffset,
			Committed: -1, HeldEvents: p.Held, BlockedKeys: p.Blocked,
		}
		if end, ok := ends.Lookup(p.Topic, p.Partition); ok && end.Err == nil {
			row.EndOffset = end.Offset
		}
		if at, ok := committed.Lookup(p.Topic, p.Partition); ok && at.Err == nil {
			row.Committed = at.At
		}
		row.LagRecords = max(0, row.EndOffset-row.NextOffset)
		rows = append(rows, row)
	}
	return rows, nil
}

func (l *Log) offsets(ctx context.Context, group string, topics []string) (kadm.ListedOffsets, kadm.OffsetResponses, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	ends, err := l.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, nil, fmt.Errorf("runbook: read the ends of %v from %v: %w; check that the broker runs", topics, l.brokers, err)
	}
	committed, err := l.admin.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil, fmt.Errorf("runbook: read the committed offsets of %s: %w", group, err)
	}
	return ends, committed, nil
}
