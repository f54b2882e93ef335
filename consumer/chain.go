package consumer

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"factline.dev/envelope"
	"factline.dev/inbox"
	"factline.dev/outbox"
)

// The headers of a record on a retry topic, behind the record's own.
const (
	// HeaderRetryGroup is the group that tries the record again; all others pass
	// it over.
	HeaderRetryGroup = "retry-group"
	// HeaderRetryAttempt is how many attempts were made.
	HeaderRetryAttempt = "retry-attempt"
	// HeaderRetryDue is when the next one is due.
	HeaderRetryDue = "retry-due"
	// HeaderSourceTopic, HeaderSourcePartition and HeaderSourceOffset are where
	// the record stands.
	HeaderSourceTopic     = "source-topic"
	HeaderSourcePartition = "source-partition"
	HeaderSourceOffset    = "source-offset"
)

// tier is a pause of a topic's retry chain.
type tier struct {
	topic string
	delay time.Duration
}

// pause is the time until a failed event is tried again.
type pause struct {
	fault *fault
	// tier is how many tiers are used then.
	tier  int
	topic string
	due   time.Time
}

// tiersOf is the retry chain of a subscription: its own, the contract's, or the
// usual one.
func tiersOf(s Subscription, contracts Contracts) (chain []tier) {
	delays := s.RetryTiers
	if delays == nil && contracts != nil {
		if t, ok := contracts.Topic(s.Topic); ok {
			for _, retry := range t.RetryTopics() {
				chain = append(chain, tier{retry.Name, retry.Delay})
			}
			return chain
		}
	}
	if delays == nil {
		delays = []time.Duration{time.Minute, 15 * time.Minute, time.Hour}
	}
	for _, d := range delays {
		chain = append(chain, tier{derivedTopic(s.Topic, "retry."+tierName(d)), d})
	}
	return chain
}

// tierName is a duration as contracts write it: 15m, not 15m0s.
func tierName(d time.Duration) string {
	name := d.String()
	if strings.HasSuffix(name, "m0s") {
		name = strings.TrimSuffix(name, "0s")
	}
	if strings.HasSuffix(name, "h0m") {
		name = strings.TrimSuffix(name, "0m")
	}
	return name
}

// errDied is the failure of an attempt that was counted and came to no end.
var errDied = errors.New("the process ended during the attempt")

// afterFailure is what becomes of an event after so many failed attempts: given
// up, tried later, or, where both are nil, tried at once.
func (r *Runner) afterFailure(p *topicPlan, it *item, err error, attempts int) (*fault, *pause) {
	f, final := faultOf(err, attempts)
	wait, asked := RetryDelay(err)
	used := it.retry.Tier
	switch {
	case final || it.event.Redriven:
		return f, nil
	case !it.event.Due && attempts < r.cfg.InPlaceAttempts && (!asked || len(p.tiers) == 0):
		return nil, nil
	case it.event.Tombstone || used >= len(p.tiers):
		return f, nil
	case !asked:
		wait = p.tiers[used].delay
	}
	return nil, &pause{fault: f, tier: used + 1, topic: p.tiers[used].topic, due: r.cfg.Now().Add(wait)}
}

// faultOf classifies what a handler returned. final says that no other attempt
// can cure it.
func faultOf(err error, attempts int) (f *fault, final bool) {
	var own *handlerError
	var contract *contractError
	message := err.Error()
	if errors.As(err, &own) && own.stack != "" {
		message += "\n" + own.stack
	}
	f = &fault{HandlerFailed, message, attempts}
	switch _, later := RetryDelay(err); {
	case errors.As(err, &contract):
		f.class = SchemaValidationFailed
		return f, true
	case IsUnauthorized(err):
		f.class = TenantViolation
		return f, true
	case later:
		f.class = DependencyExhausted
	}
	return f, IsPermanent(err)
}

// unknownVersionCheck is how long after a look at the catalogue the next one
// follows.
const unknownVersionCheck = time.Minute

// awaitUpgrade keeps an event whose version the catalogue does not hold, until
// it does or Subscription.UnknownVersionWait is over. It uses no attempt.
func (r *Runner) awaitUpgrade(p *topicPlan, it *item) {
	if it.fault == nil || it.fault.class != UnknownEventVersion || it.event.Redriven || p.UnknownVersionWait <= 0 {
		return
	}
	now := r.cfg.Now()
	until, topic := now.Add(p.UnknownVersionWait), ""
	if it.held {
		until = it.retry.HeldAt.Add(p.UnknownVersionWait)
	} else if len(p.tiers) > 0 {
		topic = p.tiers[0].topic
	}
	if !now.Before(until) {
		return
	}
	due := now.Add(unknownVersionCheck)
	if until.Before(due) {
		due = until
	}
	it.event.Fault = inbox.Failed
	it.pause = &pause{fault: &fault{it.fault.class, it.fault.message, it.retry.Attempts}, tier: it.retry.Tier, topic: topic, due: due}
}

// park keeps an event for its next attempt. In mode Ordered its key waits.
func (r *run) park(it *item) {
	r.hold(it, inbox.ReasonRetry)
	if r.scope.Mode == Ordered {
		r.changes.Block(&it.event, "", inbox.ReasonRetry)
	}
	r.parked = append(r.parked, it)
}

// endRetry is what follows when a failed event waits no longer: its key goes on,
// unless it was given up and blocks now.
func (r *run) endRetry(it *item, verdict inbox.Verdict) {
	if !it.event.Due {
		return
	}
	if verdict == inbox.Duplicate {
		r.overtaken(it)
	}
	blocks := slices.ContainsFunc(r.letters, func(b *burial) bool { return b.item == it && b.blocks })
	if r.scope.Mode == Ordered && !blocks {
		r.changes.Unblock(&it.event)
		r.more = append(r.more, it.event.Aggregate)
	}
}

// overtaken drops an event that came too late when it was tried again. The gate
// tells it from then on, except where it has the gate's version: there the inbox
// keeps it as settled, or a rewound group would apply it over the later one.
func (r *run) overtaken(it *item) {
	gate, counted := r.gates[it.event.Aggregate]
	if r.scope.Mode == Latest && counted && it.event.Version == gate.Version {
		r.changes.Passed(it.event.EventID, it.msg.Partition, it.msg.Offset)
		return
	}
	r.changes.Overtaken(it.event.EventID)
}

// retryRecords are the records that show what waits for its next attempt. Their
// bytes, key and headers are the original's.
func (r *run) retryRecords() []outbox.Record {
	records := make([]outbox.Record, 0, len(r.parked))
	for _, it := range r.parked {
		if it.pause.topic == "" {
			continue
		}
		headers := slices.Clone(it.msg.Headers)
		for _, h := range [][2]string{
			{HeaderRetryGroup, r.scope.Consumer},
			{HeaderRetryAttempt, strconv.Itoa(it.pause.fault.attempts)},
			{HeaderRetryDue, envelope.FormatTime(it.pause.due)},
			{HeaderSourceTopic, it.msg.Topic},
			{HeaderSourcePartition, strconv.Itoa(int(it.msg.Partition))},
			{HeaderSourceOffset, strconv.FormatInt(it.msg.Offset, 10)},
		} {
			headers = append(headers, envelope.Header{Key: h[0], Value: []byte(h[1])})
		}
		records = append(records, outbox.Record{
			Topic: it.pause.topic, Key: it.msg.Key, Headers: headers, Value: it.value,
			EventID: it.event.EventID, EventType: it.msg.EventType, TenantID: it.event.Aggregate.TenantID,
		})
	}
	return records
}
