package factlinetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/internal/devstack"
)

func TestEventuallyNamesWhatItAwaitedAndTheLastError(t *testing.T) {
	t.Parallel()
	f, calls := &failing{TB: t}, 0
	log := f.run(func(t testing.TB) {
		Eventually(t, 20*time.Millisecond, "the moon", func() (bool, error) { calls++; return true, errors.New("cloudy") })
	})
	if !f.failed || !strings.Contains(log, "the moon") || !strings.Contains(log, "cloudy") || calls < 2 {
		t.Errorf("failed %v after %d calls with %q", f.failed, calls, log)
	}
}

func TestEventuallyReturnsWithTheFirstTrue(t *testing.T) {
	t.Parallel()
	calls := 0
	Eventually(t, time.Minute, "three calls", func() (bool, error) { calls++; return calls == 3, nil })
	if calls != 3 {
		t.Errorf("%d calls", calls)
	}
}

func TestConsumeGivesUpWithWhatItGot(t *testing.T) {
	t.Parallel()
	c := FakeKafka(t)
	c.CreateTopic(t, "few", 1, nil)
	if err := c.Client(t).ProduceSync(t.Context(), &kgo.Record{Topic: "few"}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	got, err := readAll(ctx, c.Client(t, kgo.ConsumeTopics("few")), "few", 2)
	if len(got) != 1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d records, %v", len(got), err)
	}
}

func TestGivenClusterIsUsedAndTopicsAreRemovedFromIt(t *testing.T) {
	b, err := devstack.StartBroker(devstack.BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	t.Setenv("FACTLINE_KAFKA", b.Addr())
	var topic string
	f := &failing{TB: t}
	log := f.run(func(t testing.TB) {
		c := Kafka(t)
		if c.Fake() != nil || c.Addrs()[0] != b.Addr() {
			t.Errorf("not the given cluster: %v", c.Addrs())
		}
		topic = c.Topic(t, "orders")
		c.CreateTopic(t, topic, 2, nil)
		if b.Cluster().TopicInfo(topic) == nil {
			t.Errorf("no topic %s on the given cluster", topic)
		}
	})
	if log != "" {
		t.Error(log)
	}
	if b.Cluster().TopicInfo(topic) != nil {
		t.Errorf("topic %s is left", topic)
	}
}

func TestGivenClusterThatDoesNotAnswerFailsTheTest(t *testing.T) {
	t.Setenv("FACTLINE_KAFKA", "127.0.0.1:1")
	f := &failing{TB: t}
	log := f.run(func(t testing.TB) { Kafka(t) })
	if !f.failed || !strings.Contains(log, "unset the variable for the embedded broker") {
		t.Errorf("failed %v with %q", f.failed, log)
	}
}
