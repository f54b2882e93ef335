package history

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// logReader reads whole topics with an assignment of its own and keeps what it
// has read, so that each look costs the new records alone.
type logReader struct {
	client  *kgo.Client
	admin   *kadm.Client
	topics  []string
	next    map[Place]int64
	records []Record
}

func newLogReader(ctx context.Context, brokers, topics []string) (*logReader, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	if err != nil {
		return nil, fmt.Errorf("history: make a Kafka client: %w", err)
	}
	l := &logReader{client: client, admin: kadm.NewClient(client), topics: topics, next: make(map[Place]int64)}
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("history: reach the broker: %w", err)
	}
	return l, nil
}

func (l *logReader) close() { l.client.Close() }

// EndOffsets returns where the log ends.
func (r *Recorder) EndOffsets(ctx context.Context) (map[Place]int64, error) {
	listed, err := r.log.admin.ListEndOffsets(ctx, r.log.topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("history: ask where the log ends: %w", err)
	}
	ends := make(map[Place]int64)
	listed.Each(func(o kadm.ListedOffset) { ends[Place{o.Topic, o.Partition}] = o.Offset })
	return ends, nil
}

// CommittedOffsets returns what a group has told the broker.
func (r *Recorder) CommittedOffsets(ctx context.Context, group string) (map[Place]int64, error) {
	fetched, err := r.log.admin.FetchOffsets(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("history: ask for the offsets of %s: %w", group, err)
	}
	committed := make(map[Place]int64)
	fetched.Each(func(o kadm.OffsetResponse) { committed[Place{o.Topic, o.Partition}] = o.At })
	return committed, nil
}

// Log returns everything that stands on the topics now, by place.
func (r *Recorder) Log(ctx context.Context) ([]Record, error) {
	ends, err := r.EndOffsets(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.log.readTo(ctx, ends); err != nil {
		return nil, err
	}
	slices.SortStableFunc(r.log.records, byPlace)
	return slices.Clone(r.log.records), nil
}

func byPlace(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

func (l *logReader) readTo(ctx context.Context, ends map[Place]int64) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		behind := false
		for at, end := range ends {
			behind = behind || l.next[at] < end
		}
		if !behind {
			return nil
		}
		fetches := l.client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("history: read the log: %w", err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			l.records = append(l.records, read(record))
			l.next[Place{record.Topic, record.Partition}] = record.Offset + 1
		})
	}
}

// read decodes with nothing of the library, so that both cannot be wrong in
// the same way.
func read(record *kgo.Record) Record {
	out := Record{Topic: record.Topic, Partition: record.Partition, Offset: record.Offset, At: record.Timestamp}
	out.Raw = RawRecord{Key: record.Key, Value: record.Value}
	for _, h := range record.Headers {
		out.Raw.Headers = append(out.Raw.Headers, Header{h.Key, h.Value})
	}
	var e struct {
		EventID, EventType, TenantID, AggregateType, AggregateID, CausationID string
		AggregateVersion                                                      int64
		SourceTopic                                                           string
	}
	if err := json.Unmarshal(record.Value, &e); err != nil || e.EventID == "" || e.SourceTopic != "" {
		out.Value = record.Value
		return out
	}
	out.EventID, out.EventType, out.Tenant, out.CausationID = e.EventID, e.EventType, e.TenantID, e.CausationID
	out.AggregateType, out.AggregateID, out.Version = e.AggregateType, e.AggregateID, e.AggregateVersion
	return out
}

// Inject puts a record on the log byte by byte and remembers that it was not
// the platform. It returns where the record stands.
func (r *Recorder) Inject(ctx context.Context, topic string, partition int32, raw RawRecord) (Record, error) {
	record := &kgo.Record{Topic: topic, Partition: partition, Key: raw.Key, Value: raw.Value}
	for _, h := range raw.Headers {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	if err := r.log.client.ProduceSync(ctx, record).FirstErr(); err != nil {
		return Record{}, fmt.Errorf("history: put a record on %s: %w", topic, err)
	}
	if _, err := r.Log(ctx); err != nil {
		return Record{}, err
	}
	for i := range r.log.records {
		found := &r.log.records[i]
		if found.Topic == topic && found.Partition == record.Partition && found.Offset == record.Offset {
			found.Injected = true
			return *found, nil
		}
	}
	return Record{}, fmt.Errorf("history: put a record on %s: it is not at its offset %d", topic, record.Offset)
}
