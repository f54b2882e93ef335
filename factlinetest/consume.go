package factlinetest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const consumeTimeout = 30 * time.Second

// Consume waits until the topic holds at least n records, then returns all it
// holds at that moment, ordered by partition and offset. So len(records) > n
// shows what a test did not expect, a duplicate for instance. The test fails
// after 30 s with fewer.
func Consume(t testing.TB, addrs []string, topic string, n int) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), consumeTimeout)
	defer cancel()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(addrs...),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(250*time.Millisecond),
	)
	if err != nil {
		t.Fatalf("factlinetest: consume %s: %v", topic, err)
	}
	defer client.Close()
	records, err := readAll(ctx, client, topic, n)
	if err != nil {
		t.Fatalf("factlinetest: consume %s: got %d of %d records: %v", topic, len(records), n, err)
	}
	slices.SortFunc(records, func(a, b *kgo.Record) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return records
}

func readAll(ctx context.Context, client *kgo.Client, topic string, n int) ([]*kgo.Record, error) {
	var records []*kgo.Record
	next := make(map[int32]int64)
	for {
		end, err := endOffsets(ctx, client, topic, len(records) >= n)
		if err != nil || (end != nil && reached(next, end)) {
			return records, err
		}
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return records, err
		}
		var errs []error
		fetches.EachError(func(_ string, _ int32, err error) { errs = append(errs, err) })
		if err := errors.Join(errs...); err != nil {
			return records, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			records = append(records, r)
			next[r.Partition] = r.Offset + 1
		})
	}
}

// endOffsets is nil while there is no need to ask.
func endOffsets(ctx context.Context, client *kgo.Client, topic string, enough bool) (map[int32]int64, error) {
	if !enough {
		return nil, nil
	}
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	if err := listed.Error(); err != nil {
		return nil, err
	}
	end := make(map[int32]int64)
	listed.Each(func(o kadm.ListedOffset) { end[o.Partition] = o.Offset })
	return end, nil
}

func reached(next, end map[int32]int64) bool {
	for partition, offset := range end {
		if next[partition] < offset {
			return false
		}
	}
	return true
}
