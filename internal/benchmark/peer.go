package benchmark

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/envelope"
	"factline.dev/internal/devstack"
)

// Peer is a subject that another module brings along, such as a known library
// that does the work of a benchmark. It takes its turn as every other subject,
// and what it did is checked as theirs.
type Peer struct {
	// Benchmark is where it belongs: relay or consumer.
	Benchmark string
	// Name is unique in its benchmark. About says in a line what it does.
	Name, About string
	// Share is what part of Config.Events it gets: 1 all, 10 a tenth. Default 1.
	Share int
	// Run does the work and returns how long it took. A relay's leaves Site.Events
	// on Site.Topic; a consumer's takes Site.Topic to bench.order_summary. How many
	// aggregates a relay disordered is counted and no error.
	Run func(ctx context.Context, s *Site) (time.Duration, error)
}

// Site is what a [Peer] works on: a database and a topic nobody has used. The
// topic has the broker's time in its records, and a consumer's holds the events.
type Site struct {
	// URL is of the database's superuser and holds the password.
	URL     string
	Pool    *pgxpool.Pool
	Brokers []string
	Topic   string
	Events  []Event
}

// Event is an event as it belongs on the log.
type Event struct {
	ID, Type, Aggregate string
	Headers             map[string]string
	Value               []byte
}

func (b *Bench) peerSubjects(benchmark string) []subject {
	var all []subject
	for _, p := range b.cfg.Peers {
		if p.Benchmark == benchmark {
			all = append(all, subject{p.Name, b.peer(p)})
		}
	}
	return all
}

// peerRatios are those of ours over each peer.
func (b *Bench) peerRatios(benchmark string, run map[string]float64) []measure {
	var all []measure
	for _, p := range b.cfg.Peers {
		if p.Benchmark != benchmark {
			continue
		}
		all = append(all, ratio(run, "ours", p.Name)...)
		all = append(all, ratio(run, "ours_single", p.Name)...)
	}
	return all
}

func (b *Bench) peer(p Peer) func(context.Context, int) ([]measure, error) {
	return func(ctx context.Context, events int) ([]measure, error) {
		s, err := b.newSite(ctx)
		if err != nil {
			return nil, err
		}
		defer s.close()
		w := newWorkload(max(events/max(p.Share, 1), 100))
		theirs, err := s.forPeer(ctx, p, w)
		if err != nil {
			return nil, fmt.Errorf("prepare the site: %w", err)
		}
		took, err := p.runFor(ctx, theirs)
		if err != nil {
			return nil, err
		}
		m := measure{
			subject: p.Name, unit: "events/s", about: p.About, events: w.len(),
			value: float64(w.len()) / took.Seconds(), detail: map[string]float64{},
		}
		if p.Benchmark == "consumer" {
			return []measure{m}, checkTable(ctx, s.pool, w.counts())
		}
		return []measure{m}, s.checkLog(ctx, w, false, &m)
	}
}

// peerPatience ends a peer that hangs.
const peerPatience = 10 * time.Minute

func (p Peer) runFor(ctx context.Context, s *Site) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, peerPatience, fmt.Errorf("it took longer than %v; give it fewer events with --events", peerPatience))
	defer cancel()
	took, err := p.Run(ctx, s)
	if err != nil && ctx.Err() != nil {
		return took, errors.Join(err, context.Cause(ctx))
	}
	return took, err
}

func (s *site) forPeer(ctx context.Context, p Peer, w *workload) (*Site, error) {
	if p.Benchmark == "consumer" {
		records, err := w.kafkaRecords(s.topic)
		if err == nil {
			err = produceRecords(ctx, s.addrs, records)
		}
		if err != nil {
			return nil, err
		}
	}
	events, err := w.eventsOfPeer()
	if err != nil {
		return nil, err
	}
	if err := useBrokerTime(ctx, s.addrs, s.topic); err != nil {
		return nil, err
	}
	return &Site{URL: s.pool.Config().ConnString(), Pool: s.pool, Brokers: s.addrs, Topic: s.topic, Events: events}, nil
}

func (w *workload) eventsOfPeer() ([]Event, error) {
	records, err := w.encoded(false)
	if err != nil {
		return nil, err
	}
	events := make([]Event, len(records))
	for i, r := range records {
		headers := map[string]string{}
		err := envelope.RangeHeaders(r.headers, func(key string, value []byte) { headers[key] = string(value) })
		if err != nil {
			return nil, err
		}
		events[i] = Event{ID: r.id, Type: eventType, Aggregate: r.order, Headers: headers, Value: r.value}
	}
	return events, nil
}

// useBrokerTime makes the broker's clock the one that [Site.LogSpan] reads, for
// programs in other languages start and end when they like.
func useBrokerTime(ctx context.Context, addrs []string, topic string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		return err
	}
	defer client.Close()
	value := "LogAppendTime"
	answers, err := kadm.NewClient(client).AlterTopicConfigs(ctx,
		[]kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.type", Value: &value}}, topic)
	for _, a := range answers {
		err = errors.Join(err, a.Err)
	}
	return err
}

// AwaitLog waits until a topic holds a number of records.
func (s *Site) AwaitLog(ctx context.Context, topic string, records int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	return poll(ctx, 50*time.Millisecond, func() (bool, error) {
		ends, err := admin.ListEndOffsets(ctx, topic)
		sum := int64(0)
		ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
		return sum >= int64(records), err
	})
}

// AwaitCommitted waits until a group has committed a number of records of
// Site.Topic.
func (s *Site) AwaitCommitted(ctx context.Context, group string, records int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	return poll(ctx, 20*time.Millisecond, func() (bool, error) {
		// A group that nobody has joined yet is an error to some brokers.
		offsets, err := admin.FetchOffsets(ctx, group)
		sum := int64(0)
		offsets.Each(func(o kadm.OffsetResponse) { sum += max(o.At, 0) })
		return err == nil && sum >= int64(records), nil
	})
}

// LogSpan is the time between the first and the last record of Site.Topic, by
// the broker's clock.
func (s *Site) LogSpan(ctx context.Context) (time.Duration, error) {
	var first, last time.Time
	err := eachRecord(ctx, s.Brokers, s.Topic, func(r *kgo.Record) error {
		if first.IsZero() || r.Timestamp.Before(first) {
			first = r.Timestamp
		}
		if r.Timestamp.After(last) {
			last = r.Timestamp
		}
		return nil
	})
	return last.Sub(first), err
}

// NewTopic makes one more topic, as Site.Topic is, and returns what deletes it.
func (s *Site) NewTopic(ctx context.Context, name string) (remove func(context.Context) error, err error) {
	err = devstack.EnsureTopics(ctx, s.Brokers, []devstack.TopicSpec{topicSpec(name)})
	return func(ctx context.Context) error {
		client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
		if err != nil {
			return err
		}
		defer client.Close()
		_, err = kadm.NewClient(client).DeleteTopic(ctx, name)
		return err
	}, err
}

// with returns a copy of settings in which more has the last word.
func with(settings, more map[string]string) map[string]string {
	all := maps.Clone(settings)
	maps.Copy(all, more)
	return all
}
