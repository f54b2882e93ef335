package deadletter_test

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/deadletter"
	"factline.dev/factlinetest"
)

// heard tells of each warning.
type heard struct {
	slog.Handler
	warnings chan string
}

func (h heard) Enabled(context.Context, slog.Level) bool { return true }

func (h heard) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		select {
		case h.warnings <- r.Message:
		default:
		}
	}
	return nil
}

func (b *bench) collector(logger *slog.Logger) {
	b.t.Helper()
	collector, err := deadletter.NewCollector(deadletter.CollectorConfig{
		Group: "platform-operations.dead-letters.consumer", Pool: b.ops, Brokers: b.cluster.Addrs(), Topics: []string{dltTopic}, Logger: logger,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.background(collector.Run)
}

func TestALetterThatTheDatabaseDoesNotTakeIsNotPassedOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(never)
	exec(t, b.ops, `ALTER TABLE deadletter.letter RENAME TO away`)
	warnings := make(chan string, 1)
	b.collector(slog.New(heard{slog.DiscardHandler, warnings}))
	if err := b.cluster.Client(t).ProduceSync(t.Context(), b.letter(b.dead("a", 1))).FirstErr(); err != nil {
		t.Fatal(err)
	}
	factlinetest.Eventually(t, time.Minute, "the collector failing", func() (bool, error) {
		select {
		case message := <-warnings:
			return message == "dead letters not collected yet", nil
		default:
			return false, nil
		}
	})
	exec(t, b.ops, `ALTER TABLE deadletter.away RENAME TO letter`)
	b.awaitLetters(1)
}

func TestLettersThatExpiredUncollectedAreReported(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	warnings := make(chan string, 1)
	logger := slog.New(heard{slog.DiscardHandler, warnings})
	for i, offset := range []int64{0, 1, 7} {
		record := b.letter(b.dead("a", int64(i+1)))
		record.Offset = offset
		if err := deadletter.Collect(t.Context(), b.ops, logger, record); err != nil {
			t.Fatal(err)
		}
		if told := len(warnings) > 0; told != (offset == 7) {
			t.Errorf("after offset %d it told of a gap: %t", offset, told)
		}
	}
}

// The largest event fits into a dead-letter topic with the largest error, in
// base64 and six times escaped.
func TestTheLargestLetterIsCollectedFromItsTopic(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.cluster = factlinetest.FakeKafka(t)
	declared, ok := b.contracts.Topic(topic)
	if !ok {
		t.Fatal("the catalogue has no order topic")
	}
	limit := declared.DeadLetters().MaxMessageBytes
	b.cluster.CreateTopic(t, dltTopic, 3, map[string]string{"max.message.bytes": strconv.Itoa(limit)})
	d := b.dead("a", 1)
	d.value = []byte(strings.Repeat("\xff\x00", 450<<10))
	d.message = strings.Repeat("\x01", 8<<10)
	client := b.cluster.Client(t, kgo.ProducerBatchMaxBytes(9<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	record := b.letter(d)
	if len(record.Value) > limit {
		t.Errorf("the letter has %d bytes, and its topic takes %d", len(record.Value), limit)
	}
	if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
	b.collector(nil)
	b.awaitLetters(1)
	l, err := b.store.Get(t.Context(), d.id)
	if err != nil || string(l.Record.OriginalValue) != string(d.value) || l.Record.ErrorClass != consumer.HandlerFailed {
		t.Errorf("%d bytes came back, %v, want %d", len(l.Record.OriginalValue), err, len(d.value))
	}
}
