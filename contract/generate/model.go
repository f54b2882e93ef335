package generate

import "math/big"

type kind uint8

const (
	kindText kind = iota
	kindInstant
	kindDecimal
	kindInteger
	kindNumber
	kindBoolean
	kindObject
	kindMap
	kindList
	kindRaw
)

// value is what stands at one place of an event, as Go says it.
type value struct {
	kind     kind
	nullable bool
	text     textRule
	number   numberRule
	count    countRule
	unique   bool
	object   *object
	enum     *enum  // of a text with a Go type of its own
	element  *value // of a list or map
	// rule is how a rule of this place is best called.
	rule string
}

// object is a Go struct.
type object struct {
	name string
	doc  string
	// fields are the required ones first, in the schema's order.
	fields []field
	closed bool
	count  countRule
	// own says that the service writes it.
	own bool
}

type field struct {
	json, name, doc string
	required        bool
	value           *value
}

// required are the names that must be there, in the order of their numbers.
func (o *object) required() []string {
	var names []string
	for _, f := range o.fields {
		if f.required {
			names = append(names, f.json)
		}
	}
	return names
}

// enum is a Go type for a string with few values.
type enum struct {
	name, doc string
	values    []string
}

type countRule struct{ min, max *int }

func (c countRule) asks() bool { return c.min != nil && *c.min > 0 || c.max != nil }

func (c *countRule) narrow(least, most *int) {
	if least != nil && (c.min == nil || *least > *c.min) {
		c.min = least
	}
	if most != nil && (c.max == nil || *most < *c.max) {
		c.max = most
	}
}

type textRule struct {
	length            countRule
	patterns, formats []string
	oneOf             []string // nil for any
}

type numberRule struct {
	limits []limit
	oneOf  []*big.Rat // nil for any
}

type limit struct {
	bound string // the constant of package wire
	at    *big.Rat
}

// event is one version of an event as the service sees it.
type event struct {
	eventType, topic, doc, name string
	version                     int
	own                         bool
	payload                     *object
	envelope                    []field
}
