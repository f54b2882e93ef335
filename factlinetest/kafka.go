package factlinetest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Cluster is a Kafka cluster for one test: an embedded broker of its own, or the
// shared real one of FACTLINE_KAFKA. It is safe for concurrent use.
type Cluster struct {
	addrs []string
	fake  *kfake.Cluster
}

// Kafka returns an embedded broker for this test, or the real cluster that
// FACTLINE_KAFKA=host:port[,host:port] names. Topics are not created by
// themselves in either.
func Kafka(t testing.TB) *Cluster {
	t.Helper()
	if given := os.Getenv("FACTLINE_KAFKA"); given != "" {
		return realCluster(t, strings.Split(given, ","))
	}
	return FakeKafka(t)
}

// FakeKafka returns an embedded broker whatever FACTLINE_KAFKA says, for tests
// that inject faults or need options of their own, which win over the defaults:
// one broker, and a session timeout of at least 100 ms instead of 6 s.
func FakeKafka(t testing.TB, opts ...kfake.Opt) *Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1),
		kfake.GroupMinSessionTimeout(100 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		t.Fatalf("factlinetest: start the embedded broker: %v", err)
	}
	t.Cleanup(fake.Close)
	return &Cluster{addrs: fake.ListenAddrs(), fake: fake}
}

func realCluster(t testing.TB, addrs []string) *Cluster {
	t.Helper()
	c := &Cluster{addrs: addrs}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := c.Client(t).Ping(ctx); err != nil {
		t.Fatalf("factlinetest: reach the cluster of FACTLINE_KAFKA (%s): %v; start it, or unset the variable for the embedded broker", strings.Join(addrs, ","), err)
	}
	return c
}

// Addrs are the host:port pairs to bootstrap from.
func (c *Cluster) Addrs() []string { return c.addrs }

// Fake is the embedded broker, for faults and inspection; nil on a real cluster.
func (c *Cluster) Fake() *kfake.Cluster { return c.fake }

// Topic returns base with a random ending, a name nobody else uses: not another
// test, not an earlier run on the same real cluster. Use it for groups as well.
func (c *Cluster) Topic(t testing.TB, base string) string {
	t.Helper()
	return base + "-" + strings.ToLower(rand.Text()[:8])
}

// CreateTopic creates a topic and deletes it when the test ends on a real
// cluster. configs are the topic's settings, nil for the broker's defaults; nil
// values inside are not allowed.
func (c *Cluster) CreateTopic(t testing.TB, name string, partitions int, configs map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	// By default a client remembers for 5 s that a topic did not exist.
	admin := kadm.NewClient(c.Client(t, kgo.MetadataMinAge(10*time.Millisecond)))
	values := make(map[string]*string, len(configs))
	for k, v := range configs {
		values[k] = &v
	}
	if _, err := admin.CreateTopic(ctx, int32(partitions), -1, values, name); err != nil {
		t.Fatalf("factlinetest: create topic %s with %d partitions: %v", name, partitions, err)
	}
	c.awaitTopic(t, admin, name, partitions)
	if c.fake == nil {
		t.Cleanup(func() { c.deleteTopic(t, name) })
	}
}

// awaitTopic: a real cluster answers before every broker knows the topic.
func (c *Cluster) awaitTopic(t testing.TB, admin *kadm.Client, name string, partitions int) {
	t.Helper()
	Eventually(t, 30*time.Second, "topic "+name+" having leaders", func() (bool, error) {
		topics, err := admin.ListTopics(t.Context(), name)
		if err != nil || topics.Error() != nil {
			return false, errors.Join(err, topics.Error())
		}
		return len(topics[name].Partitions) == partitions, nil
	})
}

func (c *Cluster) deleteTopic(t testing.TB, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.addrs...))
	if err != nil {
		t.Errorf("factlinetest: delete topic %s: %v", name, err)
		return
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).DeleteTopic(ctx, name); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("factlinetest: delete topic %s: %v", name, err)
	}
}

// Client returns a client of the cluster that is closed when the test ends. opts
// come after the seed brokers and win over them.
func (c *Cluster) Client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.addrs...)}, opts...)...)
	if err != nil {
		t.Fatalf("factlinetest: make a Kafka client: %v", err)
	}
	t.Cleanup(client.Close)
	return client
}
