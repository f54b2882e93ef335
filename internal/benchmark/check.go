package benchmark

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/envelope"
)

// history is what a log holds: first occurrences per aggregate, in log order.
type history struct {
	ids      map[string]struct{}
	versions map[string]int64 // last first-occurrence's
	// repeats counts records whose event was there before.
	repeats int
	// disordered are the aggregates whose first occurrences are not 1, 2, 3, …
	disordered map[string]string
}

func newHistory() *history {
	return &history{ids: map[string]struct{}{}, versions: map[string]int64{}, disordered: map[string]string{}}
}

func (h *history) observe(eventID, aggregate string, version int64) {
	if _, known := h.ids[eventID]; known {
		h.repeats++
		return
	}
	h.ids[eventID] = struct{}{}
	if last := h.versions[aggregate]; version != last+1 {
		if _, known := h.disordered[aggregate]; !known {
			h.disordered[aggregate] = fmt.Sprintf("%s: version %d stands after version %d", aggregate, version, last)
		}
	}
	h.versions[aggregate] = version
}

// checkComplete reports events of ids that the log lacks, and events on the log
// that are not of ids.
func (h *history) checkComplete(ids []string) error {
	missing, example := 0, ""
	for _, id := range ids {
		if _, ok := h.ids[id]; !ok {
			missing, example = missing+1, id
		}
	}
	switch {
	case missing > 0:
		return fmt.Errorf("the log is not complete: %d of %d events are missing, among them %s", missing, len(ids), example)
	case len(h.ids) != len(ids):
		return fmt.Errorf("the log holds %d different events, %d were appended", len(h.ids), len(ids))
	}
	return nil
}

func (h *history) checkOrder() error {
	for _, example := range h.disordered {
		return fmt.Errorf("the log is not in version order: %d aggregates, among them %s", len(h.disordered), example)
	}
	return nil
}

// readLog reads a topic from its start to the end it has now.
func readLog(ctx context.Context, addrs []string, topic string) (*history, error) {
	h := newHistory()
	err := eachRecord(ctx, addrs, topic, func(r *kgo.Record) error {
		id, version := eventIDOf(r), versionOf(r.Value)
		if id == "" || version < 0 {
			return fmt.Errorf("partition %d offset %d is no event", r.Partition, r.Offset)
		}
		h.observe(id, string(r.Key), version)
		return nil
	})
	return h, err
}

func eventIDOf(r *kgo.Record) string {
	for _, header := range r.Headers {
		if header.Key == envelope.HeaderEventID {
			return string(header.Value)
		}
	}
	return ""
}

// versionOf looks only for the one number that matters: decoding whole events
// would take longer than the measurement.
func versionOf(value []byte) int64 {
	_, rest, found := bytes.Cut(value, []byte(`"aggregateVersion":`))
	end := bytes.IndexAny(rest, ",}")
	if !found || end < 0 {
		return -1
	}
	version, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	if err != nil {
		return -1
	}
	return version
}

func eachRecord(ctx context.Context, addrs []string, topic string, do func(*kgo.Record) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(fetchWait))
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(fetches.Err0(), ctx.Err()); err != nil {
			return err
		}
		for iter := fetches.RecordIter(); !iter.Done(); left-- {
			if err := do(iter.Next()); err != nil {
				return err
			}
		}
	}
	return nil
}
