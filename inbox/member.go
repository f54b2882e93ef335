package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// TakePartitions marks partitions as worked on by a member of a consumer. It
// returns the progress of those that another member had marked and did not give
// back, because it died. A partition that is locked is left as it is.
func TakePartitions(ctx context.Context, db Querier, consumer, member string, partitions []Progress) (orphans []Progress, err error) {
	topics, ids := placesOf(partitions)
	rows, err := db.Query(ctx, statement("take_partitions"), consumer, member, topics, ids)
	if err == nil {
		var p Progress
		var before string
		_, err = pgx.ForEachRow(rows, []any{&p.Topic, &p.Partition, &p.NextOffset, &before}, func() error {
			if before != "" && before != member {
				orphans = append(orphans, p)
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("inbox: mark partitions of %s: %w", consumer, err)
	}
	return orphans, nil
}

// GiveBackPartitions removes the marks of a member that ended its work in order.
func GiveBackPartitions(ctx context.Context, db Querier, consumer, member string, partitions []Progress) error {
	topics, ids := placesOf(partitions)
	rows, err := db.Query(ctx, statement("give_back_partitions"), consumer, member, topics, ids)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		return fmt.Errorf("inbox: unmark partitions of %s: %w", consumer, err)
	}
	return nil
}

func placesOf(partitions []Progress) (topics []string, ids []int32) {
	topics, ids = make([]string, len(partitions)), make([]int32, len(partitions))
	for i, p := range partitions {
		topics[i], ids[i] = p.Topic, p.Partition
	}
	return topics, ids
}

// RecordGap keeps that the log begins at logStart, behind where a consumer had
// to go on: the offsets between are lost to it.
func RecordGap(ctx context.Context, db Querier, consumer string, at Progress, logStart int64, now time.Time) error {
	rows, err := db.Query(ctx, statement("record_gap"), consumer, at.Topic, at.Partition, at.NextOffset, logStart, now)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		return fmt.Errorf("inbox: record gap of %s in %s/%d: %w", consumer, at.Topic, at.Partition, err)
	}
	return nil
}
