package contracttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/envelope"
)

// Consumer is one group of a service under test. Every field without a default is
// required.
type Consumer struct {
	// Catalogue holds the contracts.
	Catalogue *contract.Catalogue
	// Config is what the service runs the group with: Group, Service, Pool, Brokers,
	// Outbox, Contracts and Subscriptions. The topics must exist and be empty.
	Config consumer.Config
	// Effects says what the events did to the service's tables, as a text that
	// changes with every effect and holds no time of processing.
	Effects func(ctx context.Context, pool *pgxpool.Pool) (string, error)
	// Before puts the service into the state in which an event has an effect. Default
	// none is needed.
	Before func(ctx context.Context, pool *pgxpool.Pool, e envelope.Raw) error
	// Fresh are top fields of payloads that name another aggregate and get a value of
	// their own in every record, so that no record finds what another has done.
	Fresh []string
	// Sample gives an example's payload what no example can know, such as a hash of its
	// content that the service computes again. It is called with the payload of each
	// example once its aggregate has a name of its own. Default the payload stays.
	Sample func(e *contract.Event, payload json.RawMessage) (json.RawMessage, error)
	// Rejected says why the examples of an event type end as rejections, by type.
	// Default none does; one that is named and handled is a problem as well.
	Rejected map[string]string
	// Later are declared events that wait for a feature, type to feature. Default
	// none: the group handles what it declares. One that is handled must leave.
	Later map[string]string
	// Timeout is how long one round of events may take. Default a minute.
	Timeout time.Duration
}

// Check runs every point for every event that the group declares and handles, and
// returns what does not hold. The error is of the test itself.
func (c Consumer) Check(ctx context.Context) (broken []string, err error) {
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Config.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, fmt.Errorf("contracttest: reach the broker: %w", err)
	}
	defer client.Close()
	run := &consumerRun{Consumer: c, client: client}
	broken = run.undeclared()
	events, err := run.prepare(ctx)
	if err == nil {
		err = run.undeclaredReads(ctx, events)
	}
	if err != nil {
		return append(broken, run.broken...), err
	}
	ctx, stop := context.WithCancel(ctx)
	runner, err := consumer.New(c.Config)
	if err != nil {
		stop()
		return broken, err
	}
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	err = run.all(ctx, events)
	stop()
	return append(broken, run.broken...), errors.Join(err, <-ended)
}

type consumerRun struct {
	Consumer
	client *kgo.Client
	broken []string
}

func (r *consumerRun) fail(e *contract.Event, point, what string, args ...any) {
	r.broken = append(r.broken, fmt.Sprintf("%s v%d: %s: %s", e.Type, e.Version, point, fmt.Sprintf(what, args...)))
}

// undeclared compares what the group handles with what it declares.
func (r *consumerRun) undeclared() []string {
	var broken []string
	for _, s := range r.Config.Subscriptions {
		group, ok := r.Catalogue.Group(r.Config.Group)
		if !ok {
			return []string{"the catalogue has no group " + r.Config.Group}
		}
		if mode, ok := group.Mode(s.Topic); !ok || mode != modeName(s.Mode) {
			broken = append(broken, fmt.Sprintf("%s: is read in mode %s, declared is %q", s.Topic, modeName(s.Mode), mode))
		}
		for _, eventType := range handled(s) {
			declared := slices.ContainsFunc(r.Catalogue.ReadBy(r.Config.Group), func(e *contract.Event) bool { return e.Type == eventType })
			if !declared {
				broken = append(broken, fmt.Sprintf("%s: is handled and not declared by %s", eventType, r.Config.Group))
			}
		}
	}
	return append(broken, r.unhandled()...)
}

func (r *consumerRun) unhandled() []string {
	declared, done := map[string]bool{}, []string{}
	for _, e := range r.Catalogue.ReadBy(r.Config.Group) {
		declared[e.Type] = true
	}
	for _, s := range r.Config.Subscriptions {
		done = append(done, handled(s)...)
	}
	return waiting{declared, done, r.Later, "handled by " + r.Config.Group}.problems()
}

func modeName(m consumer.Mode) string {
	switch m {
	case consumer.Unordered:
		return "unordered"
	case consumer.Latest:
		return "latest"
	default:
		return "ordered"
	}
}

func handled(s consumer.Subscription) []string {
	types := slices.Clone(s.BulkTypes)
	for eventType := range s.Handlers {
		if eventType != "" {
			types = append(types, eventType)
		}
	}
	slices.Sort(types)
	return types
}

const currentVersion, missingOptional = "the current version", "missing optional fields"

// trial is one record of one point.
type trial struct {
	event *contract.Event
	mode  consumer.Mode
	point string
	value []byte
	raw   envelope.Raw
	given bool // up, as a dead letter
	// offset is where the record was sent first.
	offset int64
}

// prepare makes the records of every point and the state that they need.
func (r *consumerRun) prepare(ctx context.Context) ([]trial, error) {
	var all []trial
	for _, s := range r.Config.Subscriptions {
		for _, e := range r.Catalogue.ReadBy(r.Config.Group) {
			if e.Topic != s.Topic || !slices.Contains(handled(s), e.Type) {
				continue
			}
			made, err := r.trials(e, s.Mode)
			if err != nil {
				return nil, fmt.Errorf("contracttest: make records of %s: %w", e.Type, err)
			}
			all = append(all, made...)
		}
	}
	for i := range all {
		var err error
		if all[i].raw, err = envelope.DecodeRaw(all[i].value); err != nil && !all[i].given {
			return nil, err
		}
		if r.Before != nil && !all[i].given {
			if err := r.Before(ctx, r.Config.Pool, all[i].raw); err != nil {
				return nil, fmt.Errorf("contracttest: prepare for %s: %w", all[i].event.Type, err)
			}
		}
	}
	return all, nil
}

func (r *consumerRun) trials(e *contract.Event, mode consumer.Mode) ([]trial, error) {
	var all []trial
	add := func(point, example string, given bool, change func(record)) error {
		value, err := r.example(e, example, change)
		if err == nil {
			all = append(all, trial{event: e, mode: mode, point: point, value: value, given: given})
		}
		return err
	}
	err := errors.Join(
		add(currentVersion, "full", false, func(record) {}),
		add("unknown optional fields", "full", false, func(v record) { v.addUnknown() }),
		add(missingOptional, "minimal", false, func(record) {}),
	)
	for _, field := range r.required(e) {
		err = errors.Join(err, add("without the required field "+field, "full", true, func(v record) {
			if !remove(map[string]any(v), steps(field)) {
				r.fail(e, "without the required field "+field, "the example full does not have it")
			}
		}))
	}
	return all, err
}

// unreachable are the paths through what stands at a place of a list or below a
// pattern of names: the kit does not take a field away there.
var unreachable = regexp.MustCompile(`\[[0-9]|/`)

// required are the fields that the group reads and the contract requires, at any
// depth below members with a name, lists and maps, and those of the envelope that
// every reader needs.
func (r *consumerRun) required(e *contract.Event) []string {
	fields := []string{"producer", "tenantId"}
	for _, f := range e.Fields() {
		if f.Required && r.reads(e, f.Path) && !unreachable.MatchString(f.Path) {
			fields = append(fields, "payload."+f.Path)
		}
	}
	return fields
}

func (r *consumerRun) reads(e *contract.Event, path string) bool {
	return slices.ContainsFunc(e.ReadersOf(path), func(c contract.Consumer) bool { return c.Group == r.Config.Group })
}

// all runs the points in rounds: what is handled, the same again, then what comes
// out of order.
func (r *consumerRun) all(ctx context.Context, trials []trial) error {
	if err := r.round(ctx, trials); err != nil {
		return err
	}
	if err := r.settled(ctx, trials); err != nil {
		return err
	}
	before, err := r.Effects(ctx, r.Config.Pool)
	if err != nil {
		return err
	}
	// A duplicate of each at once, and then the whole log again.
	for _, again := range []struct {
		point  string
		trials []trial
	}{{"duplicates", doubled(trials)}, {"a replay", trials}} {
		if err := r.round(ctx, again.trials); err != nil {
			return err
		}
		after, err := r.Effects(ctx, r.Config.Pool)
		if err != nil {
			return err
		}
		if after != before {
			r.broken = append(r.broken, again.point+": changed the effects:\n"+before+"\nbecame\n"+after)
			before = after
		}
	}
	if err := r.expired(ctx, trials, before); err != nil {
		return err
	}
	return r.early(ctx, trials)
}

// expired repeats what the gate must recognise alone, after its rows in the inbox
// have expired.
func (r *consumerRun) expired(ctx context.Context, trials []trial, before string) error {
	again := slices.DeleteFunc(slices.Clone(trials), func(t trial) bool { return t.given || t.mode == consumer.Unordered })
	if len(again) == 0 {
		return nil
	}
	if _, err := r.Config.Pool.Exec(ctx, `DELETE FROM factline.inbox WHERE consumer = $1`, r.Config.Group); err != nil {
		return fmt.Errorf("contracttest: let the inbox of %s expire: %w", r.Config.Group, err)
	}
	if err := r.round(ctx, again); err != nil {
		return err
	}
	after, err := r.Effects(ctx, r.Config.Pool)
	if err == nil && after != before {
		r.broken = append(r.broken, "a replay after the inbox expired: changed the effects:\n"+before+"\nbecame\n"+after)
	}
	return err
}

func doubled(trials []trial) []trial {
	var all []trial
	for _, t := range trials {
		all = append(all, t, t)
	}
	return all
}

// early sends the second version of an aggregate before the first.
func (r *consumerRun) early(ctx context.Context, trials []trial) error {
	for _, t := range trials {
		if t.point != currentVersion || t.mode != consumer.Ordered {
			continue
		}
		first, err := r.example(t.event, "full", func(record) {})
		if err != nil {
			return err
		}
		second, err := follower(first)
		if err != nil {
			return err
		}
		one, err := envelope.DecodeRaw(first)
		if err != nil {
			return err
		}
		if r.Before != nil {
			if err := r.Before(ctx, r.Config.Pool, one); err != nil {
				return err
			}
		}
		two, err := envelope.DecodeRaw(second)
		if err != nil {
			return err
		}
		late := []trial{{event: t.event, value: second, raw: two}}
		if err := r.round(ctx, late); err != nil {
			return err
		}
		state, err := r.state(ctx, two.EventID)
		if err != nil {
			return err
		}
		if state != "" {
			r.fail(t.event, "out of order", "version 2 was handled before version 1 (%s)", state)
		}
		if err := r.round(ctx, []trial{{event: t.event, value: first, raw: one}}); err != nil {
			return err
		}
		if state, err = r.state(ctx, one.EventID); err != nil {
			return err
		}
		if !isHandled(state) {
			r.fail(t.event, "out of order", "version 1 came late and was not handled (%s)", state)
		}
	}
	return nil
}

// round sends records and waits until the group is past them.
func (r *consumerRun) round(ctx context.Context, trials []trial) error {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	ends := map[string]int64{}
	for i, t := range trials {
		record := &kgo.Record{Topic: t.event.Topic, Value: t.value, Key: []byte(t.raw.AggregateID), Headers: headers(t)}
		if err := r.client.ProduceSync(ctx, record).FirstErr(); err != nil {
			return fmt.Errorf("contracttest: send %s: %w", t.event.Type, err)
		}
		trials[i].offset, ends[t.event.Topic] = record.Offset, record.Offset+1
	}
	for topic, end := range ends {
		if err := r.reached(ctx, topic, end); err != nil {
			return err
		}
	}
	return nil
}

func headers(t trial) []kgo.RecordHeader {
	var all []kgo.RecordHeader
	for _, h := range envelope.Headers(t.raw, "") {
		all = append(all, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return all
}

func (r *consumerRun) reached(ctx context.Context, topic string, end int64) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var next int64
		err := r.Config.Pool.QueryRow(ctx, `SELECT COALESCE(max(next_offset), 0) FROM factline.consumer_offset
			WHERE consumer = $1 AND topic = $2 AND partition = 0`, r.Config.Group, topic).Scan(&next)
		switch {
		case err != nil:
			return fmt.Errorf("contracttest: wait for %s to read %s to offset %d (it is at %d): %w", r.Config.Group, topic, end, next, err)
		case next >= end:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("contracttest: wait for %s to read %s to offset %d: it stays at %d; look for an error in its log: %w", r.Config.Group, topic, end, next, ctx.Err())
		case <-tick.C:
		}
	}
}

// settled checks what became of every record.
func (r *consumerRun) settled(ctx context.Context, trials []trial) error {
	for _, t := range trials {
		if t.given {
			dead, err := r.isDead(ctx, t)
			if err != nil {
				return err
			}
			if !dead {
				r.fail(t.event, t.point, "it was not given up")
			}
			continue
		}
		state, err := r.state(ctx, t.raw.EventID)
		if err != nil {
			return err
		}
		if want := r.want(t.event); state != want {
			r.fail(t.event, t.point, "%s (%q, want %s): %s", wrongEnd(state), state, want, r.reason(ctx, t.raw.EventID))
		}
	}
	return nil
}

const done, rejected = "DONE", "REJECTED"

func isHandled(state string) bool { return state == done || state == rejected }

func (r *consumerRun) want(e *contract.Event) string {
	if r.Rejected[e.Type] != "" {
		return rejected
	}
	return done
}

func wrongEnd(state string) string {
	switch state {
	case done:
		return "it was handled although the service says that its examples are rejected"
	case rejected:
		return "it was rejected; name the type in Rejected with the reason, or prepare the state that it needs in Before"
	}
	return "it was not handled"
}

func (r *consumerRun) state(ctx context.Context, eventID string) (state string, err error) {
	err = r.Config.Pool.QueryRow(ctx, `SELECT COALESCE((SELECT state FROM factline.inbox WHERE consumer = $1 AND event_id = $2),
		(SELECT 'DEAD' FROM factline.dead_letter WHERE consumer = $1 AND event_id = $2 LIMIT 1), '')`, r.Config.Group, eventID).Scan(&state)
	return state, err
}

// isDead asks by offset: what cannot be read has no id.
func (r *consumerRun) isDead(ctx context.Context, t trial) (dead bool, err error) {
	err = r.Config.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM factline.dead_letter WHERE consumer = $1 AND topic = $2 AND "offset" = $3)`,
		r.Config.Group, t.event.Topic, t.offset).Scan(&dead)
	return dead, err
}

func (r *consumerRun) reason(ctx context.Context, eventID string) string {
	var reason string
	_ = r.Config.Pool.QueryRow(ctx, `SELECT COALESCE((SELECT error_message FROM factline.dead_letter WHERE consumer = $1 AND event_id = $2),
		'the log of the group says why')`, r.Config.Group, eventID).Scan(&reason)
	return reason
}
