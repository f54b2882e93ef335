package outbox

import (
	"cmp"
	"encoding/json"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"factline.dev/contract"
	"factline.dev/envelope"
)

// refusals counts the events that Append could not make a record of.
type refusals struct{ events *prometheus.CounterVec }

// newRefusals registers with reg, or takes what another outbox of the process
// has registered there.
func newRefusals(reg prometheus.Registerer) (refusals, error) {
	r := refusals{prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "factline", Subsystem: "outbox", Name: "serialization_failures_total",
		Help: "Events that Append refused because they cannot be encoded or break their contract, by reason: encode, unknown, contract, limit, producer, envelope.",
	}, []string{"event_type", "reason"})}
	if reg == nil {
		return r, nil
	}
	err := reg.Register(r.events)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := already.ExistingCollector.(*prometheus.CounterVec); ok {
			return refusals{existing}, nil
		}
	}
	return r, err
}

// count names a type only when it has a contract, or callers could invent label
// values.
func (r refusals) count(contracts Contracts, e Event, err error) {
	reason, eventType := refusalReason(err), e.Type
	if reason == "encode" {
		_, err = contracts.Route(e.Type, cmp.Or(e.Version, 1), []byte("{}"))
	}
	if unknown, ok := errors.AsType[*contract.UnknownEventError](err); ok && !unknown.KnownType() {
		eventType = "other"
	}
	r.events.WithLabelValues(eventType, reason).Inc()
}

func refusalReason(err error) string {
	switch {
	case isA[*contract.UnknownEventError](err):
		return "unknown"
	case isA[*ProducerMismatchError](err):
		return "producer"
	case isA[*envelope.LimitError](err):
		return "limit"
	case isA[*json.UnsupportedTypeError](err), isA[*json.UnsupportedValueError](err), isA[*json.MarshalerError](err):
		return "encode"
	case isA[*envelope.DecodeError](err):
		return "envelope"
	}
	return "contract"
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
