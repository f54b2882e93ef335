package contract

import (
	"encoding/json"
	"slices"
	"strings"

	"factline.dev/contract/wire"
)

// Route is where an event goes and what its contract fixes about it.
type Route struct {
	// Topic carries the event.
	Topic string
	// Key is the record key.
	Key string
	// SchemaRef is the reference for the envelope.
	SchemaRef string
	// Producer is the only service that may append the event, empty when any
	// may.
	Producer string
	// AggregateType is the kind of entity that the event belongs to.
	AggregateType string
	// CloudEvents says that the record also carries the headers of a CloudEvent.
	CloudEvents bool
}

// Route tells where an event goes. payload is the JSON of the payload alone;
// the record key is the value of the contract's key field in it, so a producer
// cannot choose another. Errors: [UnknownEventError]; [ViolationError] when the
// payload is no JSON object or the key field is no string with content.
func (c *Catalogue) Route(eventType string, eventVersion int, payload []byte) (Route, error) {
	e, err := c.lookup(eventType, eventVersion)
	if err != nil {
		return Route{}, err
	}
	key, sure := e.quickKey(payload)
	if !sure {
		if key, err = e.exactKey(payload); err != nil {
			return Route{}, err
		}
	}
	return Route{
		Topic:         e.Topic,
		Key:           key,
		SchemaRef:     e.SchemaRef(),
		Producer:      e.soleProducer(),
		AggregateType: e.AggregateType,
		CloudEvents:   c.byTopic[e.Topic].CloudEvents,
	}, nil
}

func (e *Event) soleProducer() string {
	if e.AnyProducer {
		return ""
	}
	return e.OwnerService
}

// quickKey reads the key in one pass. It is sure of what can be read in one way
// only, which leaves the rest, and saying what is wrong with it, to exactKey. The
// reader's strings share one copy of a small payload: the key is cloned, or it
// would keep all of that for as long as it is kept.
func (e *Event) quickKey(payload []byte) (key string, sure bool) {
	best := len(e.Key)
	key, err := wire.Decode(payload, func(r *wire.Reader) string {
		var key string
		for o := r.Object(); o.Next(); {
			at := slices.Index(e.Key, string(o.Name()))
			if at >= 0 {
				o.Field(uint(at))
			}
			if at < 0 || at > best {
				o.Skip()
				continue
			}
			best, key = at, r.String(nil)
		}
		return key
	})
	return strings.Clone(key), err == nil && key != ""
}

func (e *Event) exactKey(payload []byte) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil || fields == nil {
		return "", e.violation("payload", "must be a JSON object")
	}
	for _, name := range e.Key {
		raw, ok := fields[name]
		if !ok {
			continue
		}
		var key string
		if err := json.Unmarshal(raw, &key); err != nil || key == "" {
			return "", e.violation("payload."+name, "must be a string with content, because it keys the record")
		}
		return key, nil
	}
	return "", e.violation("payload."+e.Key[len(e.Key)-1], "is required, because it keys the record")
}

func (e *Event) violation(path, message string) *ViolationError {
	return &ViolationError{
		EventType:    e.Type,
		EventVersion: e.Version,
		Violations:   []Violation{{Path: path, Message: message}},
	}
}

// KeyName is the contract's key in words: "quoteId", or "quoteId, else
// pricingRunId".
func (e *Event) KeyName() string { return strings.Join(e.Key, ", else ") }
