package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func startBroker(t *testing.T, cfg BrokerConfig) *Broker {
	t.Helper()
	b, err := StartBroker(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func topic(name string, partitions int) TopicSpec {
	return TopicSpec{Name: name, Partitions: partitions, Configs: map[string]string{"retention.ms": "3600000"}}
}

func ensure(t *testing.T, b *Broker, topics ...TopicSpec) {
	t.Helper()
	if err := b.EnsureTopics(t.Context(), topics); err != nil {
		t.Fatal(err)
	}
}

func end(t *testing.T, c *kgo.Client, topic string) int64 {
	t.Helper()
	listed, err := kadm.NewClient(c).ListEndOffsets(t.Context(), topic)
	if err = errors.Join(err, listed.Error()); err != nil {
		t.Fatal(err)
	}
	var sum int64
	listed.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum
}

func TestBrokerKeepsRecordsAndGroupsBetweenRuns(t *testing.T) {
	t.Parallel()
	cfg := BrokerConfig{DataDir: filepath.Join(t.TempDir(), "broker")}
	b := startBroker(t, cfg)
	ensure(t, b, topic("orders", 2))
	c := client(t, b.Addr())
	if err := c.ProduceSync(t.Context(), kgo.KeySliceRecord([]byte("k"), []byte("v"))).FirstErr(); err == nil {
		t.Error("a record without a topic was taken")
	}
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("1")}}}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	offsets := make(kadm.Offsets)
	offsets.AddOffset("orders", 0, 1, -1)
	if err := kadm.NewClient(c).CommitAllOffsets(t.Context(), "group", offsets); err != nil {
		t.Fatal(err)
	}
	b.Close()

	cfg.Port = b.Port() // clients remember the address
	b = startBroker(t, cfg)
	ensure(t, b, topic("orders", 2))
	if got := end(t, client(t, b.Addr()), "orders"); got != 1 {
		t.Errorf("%d records after a restart", got)
	}
	fetched, err := kadm.NewClient(client(t, b.Addr())).FetchOffsets(t.Context(), "group")
	if o, ok := fetched.Lookup("orders", 0); err != nil || !ok || o.At != 1 {
		t.Errorf("group offset after a restart: %+v, %v", o, err)
	}
}

func TestBrokerLosesNothingAcknowledgedWhenKilled(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "broker")
	a := startActor(t, "broker", dir)
	if err := EnsureTopics(t.Context(), []string{a.line}, []TopicSpec{topic("orders", 3)}); err != nil {
		t.Fatal(err)
	}
	c := client(t, a.line, kgo.RecordRetries(0))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var acked atomic.Int64
	for i := range 20_000 {
		c.Produce(ctx, &kgo.Record{Topic: "orders", Key: fmt.Append(nil, i), Value: make([]byte, 100)}, func(_ *kgo.Record, err error) {
			if err == nil {
				acked.Add(1)
			}
		})
	}
	eventually(t, "1,000 acknowledgements", func() bool { return acked.Load() > 1000 })
	a.kill()
	cancel()
	c.Close()
	b := startBroker(t, BrokerConfig{DataDir: dir})
	if got := end(t, client(t, b.Addr()), "orders"); got < acked.Load() {
		t.Errorf("%d records were acknowledged, %d are left", acked.Load(), got)
	}
}

func TestBrokerCreatesNoTopicByItself(t *testing.T) {
	t.Parallel()
	b := startBroker(t, BrokerConfig{})
	c := client(t, b.Addr(), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(0))
	err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "typo", Value: []byte("v")}).FirstErr()
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("producing to a topic that does not exist: %v", err)
	}
}

func TestBrokerNamesThePortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = StartBroker(BrokerConfig{Port: port})
	mustContain(t, err, "embedded broker", fmt.Sprint("127.0.0.1:", port), "choose another port")
	if !errors.Is(err, ErrPortInUse) {
		t.Errorf("%v is not ErrPortInUse", err)
	}
}

func TestBrokerTellsOfAFailingDiskOnce(t *testing.T) {
	t.Parallel()
	log := &brokerLog{to: slog.New(slog.DiscardHandler), dir: "/data/broker", failed: make(chan error, 1)}
	for range 3 {
		log.Logf(kfake.LogLevelWarn, "persist batch %s-%d: %v", "orders", 0, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	}
	log.Logf(kfake.LogLevelWarn, "persist batch %s-%d: %v", "orders", 0, errors.New("not of the disk"))
	err := <-log.failed
	mustContain(t, err, "persist batch orders-0", "disk is full", "/data")
	select {
	case err := <-log.failed:
		t.Errorf("told again: %v", err)
	default:
	}
}

func TestEnsureTopics(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		then TopicSpec
		says []string
	}{
		{name: "the same again is fine", then: topic("orders", 3)},
		{name: "more partitions are refused: keys would move", then: topic("orders", 4), says: []string{"orders has 3 partitions (wanted 4)"}},
		{
			name: "another retention is refused: somebody may have set it",
			then: TopicSpec{Name: "orders", Partitions: 3, Configs: map[string]string{"retention.ms": "1000"}},
			says: []string{"orders has retention.ms=3600000 (wanted 1000)"},
		},
		{
			name: "a topic that would grow for ever is refused",
			then: TopicSpec{Name: "orders", Partitions: 3},
			says: []string{"neither retention.ms"},
		},
		{
			name: "a spec without a name and partitions is told both",
			then: TopicSpec{Configs: map[string]string{"retention.ms": "1"}},
			says: []string{"TopicSpec.Name", "TopicSpec.Partitions"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := startBroker(t, BrokerConfig{})
			addrs := []string{b.Addr()}
			if err := EnsureTopics(t.Context(), addrs, []TopicSpec{topic("orders", 3), topic("quotes", 1)}); err != nil {
				t.Fatal(err)
			}
			err := EnsureTopics(t.Context(), addrs, []TopicSpec{tt.then, topic("new", 1)})
			if tt.says == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			mustContain(t, err, tt.says...)
			topics, err := kadm.NewClient(client(t, b.Addr())).ListTopics(t.Context())
			if err != nil || topics.Has("new") || len(topics["orders"].Partitions) != 3 {
				t.Errorf("something was changed in spite of the refusal: %v, %v", topics.Names(), err)
			}
		})
	}
}

func TestOwnBrokerTakesNewTopicSettings(t *testing.T) {
	t.Parallel()
	b := startBroker(t, BrokerConfig{})
	ensure(t, b, topic("orders", 3))
	changed := TopicSpec{Name: "orders", Partitions: 3, Configs: map[string]string{"retention.ms": "1000"}}
	ensure(t, b, changed)
	if err := EnsureTopics(t.Context(), []string{b.Addr()}, []TopicSpec{changed}); err != nil {
		t.Errorf("the setting was not changed: %v", err)
	}
}
