package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// sender publishes chunks, one round at a time. Its client flushes by hand: a
// whole round is buffered before the first byte is sent, so that a rejection
// fails every later record of its key instead of letting one overtake it.
type sender struct {
	client     *kgo.Client
	cfg        RelayConfig
	partitions *partitions
	ctx        context.Context // of the round and its attempts
	buffer     recordBuffer    // of the round
	again      recordBuffer    // of what is tried again meanwhile
}

// sendResult is what became of a round.
type sendResult struct {
	from   *sender
	chunks []*chunk
	took   time.Duration
}

// recordRetries is how often the client tries a batch that it knows the broker
// has not taken. The round ends then, so that one partition without a leader or
// without enough replicas does not keep the others waiting. A batch that may
// have been taken is tried for ever.
const recordRetries = 4

// metadataMinAge bounds how soon the client asks again for a topic that is
// missing or moves: the round waits meanwhile.
const metadataMinAge = time.Second

// deadLetterBatchBytes holds the largest event in base64 beside its error.
const deadLetterBatchBytes = 9 << 20

func (c RelayConfig) batchLimit(topic string) int32 {
	if strings.Contains(topic, ".dlt.") {
		return deadLetterBatchBytes
	}
	return c.Producer.MaxBatchBytes
}

func newSender(cfg RelayConfig, partitions *partitions, hooks ...kgo.Hook) (*sender, error) {
	codec, _ := compressionCodec(cfg.Producer.Compression) // validate has checked it
	opts := append([]kgo.Opt{}, cfg.ClientOptions...)
	opts = append(opts,
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ClientID(cfg.Instance),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(codec, kgo.NoCompression()),
		kgo.ProducerBatchMaxBytesFn(cfg.batchLimit),
		kgo.ProduceRequestTimeout(cfg.Producer.RequestTimeout),
		kgo.RecordRetries(recordRetries),
		kgo.RecordDeliveryTimeout(0),
		kgo.ManualFlushing(),
		kgo.MaxBufferedRecords(1<<22),
		kgo.MaxBufferedBytes(0), // it would refuse a record of a round and take a later one of its key
		kgo.RecordPartitioner(partitions),
		kgo.UnknownTopicRetries(1),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.WithHooks(hooks...),
	)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("outbox: make the relay's Kafka client: %w", err)
	}
	if err := refuseUnsafe(client); err != nil {
		client.Close()
		return nil, err
	}
	return &sender{client: client, cfg: cfg, partitions: partitions}, nil
}

// refuseUnsafe finds what a caller's options took away and no later option
// gives back.
func refuseUnsafe(client *kgo.Client) error {
	if off, _ := client.OptValue(kgo.DisableIdempotentWrite).(bool); off {
		return errors.New("outbox: check outbox.RelayConfig.ClientOptions: idempotent writes are disabled, and a retry may then invert the order of a key; leave them on")
	}
	if id, _ := client.OptValue(kgo.TransactionalID).(string); id != "" {
		return errors.New("outbox: check outbox.RelayConfig.ClientOptions: a transactional id is set, and the relay uses no transactions; leave it out")
	}
	if on, _ := client.OptValue(kgo.AllowIdempotentProduceCancellation).(bool); on {
		return errors.New("outbox: check outbox.RelayConfig.ClientOptions: idempotent produces may be cancelled, and what is given up in flight may reach the log behind later records of its key; leave it out")
	}
	return nil
}

func compressionCodec(name string) (kgo.CompressionCodec, bool) {
	switch name {
	case "zstd":
		// The fastest level: on batches of JSON events it halves the time and
		// leaves no more bytes than the default one.
		return kgo.ZstdCompression().WithLevel(1), true
	case "lz4":
		return kgo.Lz4Compression(), true
	case "snappy":
		return kgo.SnappyCompression(), true
	case "gzip":
		return kgo.GzipCompression(), true
	case "none":
		return kgo.NoCompression(), true
	}
	return kgo.CompressionCodec{}, false
}

// send publishes the rows of chunks and returns when each is acknowledged,
// parked or left for a later round. Its records carry no deadline. Where ctx ends,
// the client gives up what it knows that the broker has not taken, as it does
// after recordRetries; everything else is waited for, because giving up an
// unacknowledged record would be a guess.
func (s *sender) send(ctx context.Context, chunks []*chunk) sendResult {
	start := time.Now()
	s.ctx = ctx
	rows := 0
	for _, c := range chunks {
		rows += len(c.rows)
	}
	s.buffer.reset(rows)
	rounds := make([]round, len(chunks))
	for i, c := range chunks {
		rounds[i].chunk = c
		s.enqueue(&rounds[i])
	}
	s.flush()
	for i := range rounds {
		rounds[i].wait.Wait()
		s.judge(&rounds[i])
	}
	s.buffer.reset(0)
	s.again.reset(0)
	s.afterPublish(chunks)
	return sendResult{from: s, chunks: chunks, took: time.Since(start)}
}

// round is one chunk on its way.
type round struct {
	chunk   *chunk
	rows    []outRow
	records []kgo.Record
	unread  error // why the rows gave no records
	wait    sync.WaitGroup

	mu     sync.Mutex
	failed map[*kgo.Record]error
}

func (s *sender) enqueue(r *round) {
	r.rows = s.withoutOversize(r.chunk)
	if r.records, r.unread = s.buffer.add(r.rows, time.Now()); r.unread != nil {
		return
	}
	s.beforePublish(r.rows)
	s.produce(r)
}

func (s *sender) produce(r *round) {
	r.wait.Add(len(r.rows))
	answered := r.answered
	for i := range r.records {
		s.client.Produce(s.ctx, &r.records[i], answered)
	}
}

// answered is called for every record of the round.
func (r *round) answered(record *kgo.Record, err error) {
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failed == nil {
			r.failed = map[*kgo.Record]error{}
		}
		r.failed[record] = err
	}
	r.wait.Done()
}

func (r *round) err(i int) error {
	if r.unread != nil || r.failed == nil {
		return r.unread
	}
	return r.failed[&r.records[i]]
}

// withoutOversize parks what stands behind a fence, and what the client would
// refuse on its own while sending the rest: with it the key's later rows, which
// must not overtake.
func (s *sender) withoutOversize(c *chunk) []outRow {
	if !slices.ContainsFunc(c.rows, func(r outRow) bool { return c.isFenced(r) || r.size() > int(s.cfg.batchLimit(r.topic)) }) {
		return c.rows
	}
	kept := c.rows[:0:0]
	for _, r := range c.rows {
		limit := int(s.cfg.batchLimit(r.topic))
		switch size := r.size(); {
		case c.isFenced(r):
			c.parkBehind(r)
		case size > limit:
			c.parkCulprit(r, fmt.Sprintf("%d bytes with headers are over the batch limit of %d", size, limit))
		default:
			kept = append(kept, r)
		}
	}
	return kept
}

func (r outRow) size() int { return len(r.key) + len(r.headers) + len(r.value) + recordOverheadBytes }

// recordOverheadBytes is more than batch header, record framing and
// publishedAt take together.
const recordOverheadBytes = 512

func (s *sender) flush() {
	// Flush ends early only with its context, and this one does not end; a
	// closed client fails what is buffered.
	_ = s.client.Flush(context.Background())
}

func (s *sender) beforePublish(rows []outRow) {
	if hook, ok := s.cfg.Hooks.(BeforePublishHook); ok {
		for _, r := range rows {
			hook.BeforePublish(string(r.eventID))
		}
	}
}

func (s *sender) afterPublish(chunks []*chunk) {
	if hook, ok := s.cfg.Hooks.(AfterPublishHook); ok {
		for _, c := range chunks {
			for _, r := range c.sent {
				hook.AfterPublish(string(r.eventID))
			}
		}
	}
}
