package devstack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrTopicDiffers marks a topic that exists and is not what was asked for.
var ErrTopicDiffers = errors.New("topic differs")

// TopicSpec is a topic that has to exist.
type TopicSpec struct {
	// Name of the topic.
	Name string

	// Partitions, at least 1.
	Partitions int

	// Configs are the topic's settings. They must say how long records stay:
	// retention.ms, retention.bytes or cleanup.policy=compact.
	Configs map[string]string
}

func (s TopicSpec) validate() error {
	var errs []error
	if s.Name == "" {
		errs = append(errs, errors.New("devstack: TopicSpec.Name: must not be empty"))
	}
	if s.Partitions < 1 {
		errs = append(errs, fmt.Errorf("devstack: TopicSpec.Partitions: must be at least 1 (%d) for topic %q", s.Partitions, s.Name))
	}
	if s.Configs["retention.ms"] == "" && s.Configs["retention.bytes"] == "" && s.Configs["cleanup.policy"] == "" {
		errs = append(errs, fmt.Errorf("devstack: TopicSpec.Configs: topic %q has neither retention.ms, retention.bytes nor cleanup.policy; without one it grows for ever on the embedded broker", s.Name))
	}
	return errors.Join(errs...)
}

// EnsureTopics creates the topics that are missing, with the cluster's default
// replication, and returns when all have leaders. A topic that exists with
// another partition count or another value of a setting in the spec is left
// alone and reported with [ErrTopicDiffers].
func EnsureTopics(ctx context.Context, addrs []string, topics []TopicSpec) error {
	return ensureTopics(ctx, addrs, topics, false)
}

// EnsureTopics is like the function, except that it sets settings that differ:
// the embedded broker is nobody else's.
func (b *Broker) EnsureTopics(ctx context.Context, topics []TopicSpec) error {
	return ensureTopics(ctx, []string{b.addr}, topics, true)
}

func ensureTopics(ctx context.Context, addrs []string, topics []TopicSpec, overwrite bool) error {
	var errs []error
	for _, s := range topics {
		errs = append(errs, s.validate())
	}
	if err := errors.Join(errs...); err != nil || len(topics) == 0 {
		return err
	}
	// By default a client remembers for 5 s that a topic did not exist.
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return fmt.Errorf("devstack: create topics on %s: %w", strings.Join(addrs, ","), err)
	}
	defer client.Close()
	e := &ensurer{client: client, admin: kadm.NewClient(client), topics: topics, overwrite: overwrite}
	if err := e.run(ctx); err != nil {
		return fmt.Errorf("devstack: create topics on %s: %w", strings.Join(addrs, ","), err)
	}
	return nil
}

type ensurer struct {
	client    *kgo.Client
	admin     *kadm.Client
	topics    []TopicSpec
	overwrite bool
}

func (e *ensurer) run(ctx context.Context) error {
	existing, err := e.list(ctx)
	if err != nil {
		return err
	}
	var missing, present []TopicSpec
	for _, s := range e.topics {
		if existing.Has(s.Name) {
			present = append(present, s)
		} else {
			missing = append(missing, s)
		}
	}
	if err := errors.Join(comparePartitions(existing, present), e.compareConfigs(ctx, present)); err != nil {
		return err
	}
	if err := e.create(ctx, missing); err != nil {
		return err
	}
	return e.awaitLeaders(ctx)
}

func (e *ensurer) names() []string {
	names := make([]string, len(e.topics))
	for i, s := range e.topics {
		names[i] = s.Name
	}
	return names
}

func (e *ensurer) list(ctx context.Context) (kadm.TopicDetails, error) {
	listed, err := e.admin.ListTopics(ctx, e.names()...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w; check the address and that the broker runs", err)
	}
	for name, d := range listed {
		switch {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			delete(listed, name)
		case d.Err != nil && !errors.Is(d.Err, kerr.LeaderNotAvailable):
			return nil, fmt.Errorf("list topic %s: %w", name, d.Err)
		}
	}
	return listed, nil
}

func comparePartitions(existing kadm.TopicDetails, topics []TopicSpec) error {
	var errs []error
	for _, s := range topics {
		if n := len(existing[s.Name].Partitions); n != s.Partitions {
			errs = append(errs, fmt.Errorf("%w: %s has %d partitions (wanted %d), and another count moves keys; delete the topic, start over with --fresh, or ask for %d",
				ErrTopicDiffers, s.Name, n, s.Partitions, n))
		}
	}
	return errors.Join(errs...)
}

func (e *ensurer) compareConfigs(ctx context.Context, topics []TopicSpec) error {
	if len(topics) == 0 {
		return nil
	}
	names := make([]string, len(topics))
	for i, s := range topics {
		names[i] = s.Name
	}
	described, err := e.admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return fmt.Errorf("read topic settings: %w", err)
	}
	var errs []error
	for _, s := range topics {
		rc, err := described.On(s.Name, nil)
		if err == nil {
			err = rc.Err
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read settings of topic %s: %w", s.Name, err))
			continue
		}
		errs = append(errs, e.settle(ctx, s, differences(s, rc.Configs)))
	}
	return errors.Join(errs...)
}

type difference struct{ key, is, want string }

func differences(s TopicSpec, configs []kadm.Config) []difference {
	is := make(map[string]string, len(configs))
	for _, c := range configs {
		is[c.Key] = c.MaybeValue()
	}
	var found []difference
	for key, want := range s.Configs {
		if is[key] != want {
			found = append(found, difference{key, is[key], want})
		}
	}
	slices.SortFunc(found, func(a, b difference) int { return strings.Compare(a.key, b.key) })
	return found
}

func (e *ensurer) settle(ctx context.Context, s TopicSpec, found []difference) error {
	if len(found) == 0 {
		return nil
	}
	if !e.overwrite {
		var errs []error
		for _, d := range found {
			errs = append(errs, fmt.Errorf("%w: %s has %s=%s (wanted %s); change it on the cluster or in the contract", ErrTopicDiffers, s.Name, d.key, d.is, d.want))
		}
		return errors.Join(errs...)
	}
	alter := make([]kadm.AlterConfig, len(found))
	for i, d := range found {
		alter[i] = kadm.AlterConfig{Op: kadm.SetConfig, Name: d.key, Value: &d.want}
	}
	responses, err := e.admin.AlterTopicConfigs(ctx, alter, s.Name)
	for _, r := range responses {
		err = errors.Join(err, r.Err)
	}
	if err != nil {
		return fmt.Errorf("set settings of topic %s: %w", s.Name, err)
	}
	return nil
}

func (e *ensurer) create(ctx context.Context, topics []TopicSpec) error {
	if len(topics) == 0 {
		return nil
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 30_000
	for _, s := range topics {
		req.Topics = append(req.Topics, s.request())
	}
	resp, err := req.RequestWith(ctx, e.client)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			errs = append(errs, fmt.Errorf("topic %s: %w: %s", t.Topic, err, deref(t.ErrorMessage)))
		}
	}
	return errors.Join(errs...)
}

func (s TopicSpec) request() kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = s.Name, int32(s.Partitions), -1
	for key, value := range s.Configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = key, &value
		t.Configs = append(t.Configs, c)
	}
	return t
}

// awaitLeaders: a cluster says "created" before every broker knows.
func (e *ensurer) awaitLeaders(ctx context.Context) error {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		listed, err := e.list(ctx)
		if err == nil && e.complete(listed) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for leaders of the topics: %w", errors.Join(ctx.Err(), err))
		case <-time.After(wait):
		}
	}
}

func (e *ensurer) complete(listed kadm.TopicDetails) bool {
	for _, s := range e.topics {
		d := listed[s.Name]
		if d.Err != nil || len(d.Partitions) != s.Partitions {
			return false
		}
		for _, p := range d.Partitions {
			if p.Err != nil || p.Leader < 0 {
				return false
			}
		}
	}
	return true
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
