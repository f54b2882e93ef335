//go:build realkafka

package devstack

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// These need Java and Maven: go test -tags realkafka ./internal/devstack

func startKafka(t *testing.T, cfg KafkaConfig) *Kafka {
	t.Helper()
	k, err := StartKafka(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopKafka(t, k) })
	return k
}

func stopKafka(t *testing.T, k *Kafka) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := k.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func console(t *testing.T, k *Kafka, addr, topic string, n string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), k.Java(), "-cp", k.Classpath(), "org.apache.kafka.tools.consumer.ConsoleConsumer",
		"--bootstrap-server", addr, "--topic", topic, "--from-beginning", "--max-messages", n, "--timeout-ms", "20000",
		"--property", "print.headers=true", "--property", "print.key=true")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("console consumer: %v\n%s\n%s", err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func produce(t *testing.T, addr, topic string) {
	t.Helper()
	r := &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("1")}}}
	if err := client(t, addr).ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func TestRealKafkaKeepsItsDataBetweenRuns(t *testing.T) {
	t.Parallel()
	cfg := KafkaConfig{Dir: filepath.Join(t.TempDir(), "kafka")}
	k := startKafka(t, cfg)
	if err := EnsureTopics(t.Context(), []string{k.Addr()}, []TopicSpec{topic("orders", 2)}); err != nil {
		t.Fatal(err)
	}
	err := EnsureTopics(t.Context(), []string{k.Addr()}, []TopicSpec{topic("orders", 3)})
	if !errors.Is(err, ErrTopicDiffers) {
		t.Errorf("another partition count: %v", err)
	}
	produce(t, k.Addr(), "orders")
	err = client(t, k.Addr(), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(0)).
		ProduceSync(t.Context(), &kgo.Record{Topic: "typo"}).FirstErr()
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("a topic made itself: %v", err)
	}
	stopKafka(t, k)
	k = startKafka(t, cfg)
	if got := console(t, k, k.Addr(), "orders", "1"); got != "h:1\tk\tv" {
		t.Errorf("after a restart the console consumer reads %q", got)
	}
}

func TestKafkasOwnConsumerReadsTheEmbeddedBroker(t *testing.T) {
	t.Parallel()
	jars, err := KafkaJars(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	b := startBroker(t, BrokerConfig{DataDir: filepath.Join(t.TempDir(), "broker")})
	ensure(t, b, topic("orders", 1))
	produce(t, b.Addr(), "orders")
	if got := console(t, &Kafka{java: "java", jars: jars}, b.Addr(), "orders", "1"); got != "h:1\tk\tv" {
		t.Errorf("the console consumer reads %q", got)
	}
}
