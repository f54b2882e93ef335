package generate

import (
	"errors"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"factline.dev/contract"
)

// Config says for whom [Go] writes. Service is required.
type Config struct {
	// Service is the service of the catalogue.
	Service string
	// Groups are the consumer groups whose reads count. Default all of the
	// service.
	Groups []string
	// Package is the name of the Go package. Default the service's name without
	// "-service" and what no package name may hold.
	Package string
	// Unexported gives the types small initials, for a file inside the package of
	// the service.
	Unexported bool
	// Decimal is the type of amounts and other strings that only decimals match,
	// as import path, dot and name. It must have the methods String and, on its
	// pointer, UnmarshalText. Default wire.Decimal, which keeps the spelling.
	Decimal string
}

const defaultDecimal = "factline.dev/contract/wire.Decimal"

// WithDefaults returns cfg with every unset field at its default.
func (cfg Config) WithDefaults() Config {
	if cfg.Package == "" {
		cfg.Package = packageName(cfg.Service)
	}
	if cfg.Decimal == "" {
		cfg.Decimal = defaultDecimal
	}
	return cfg
}

func packageName(service string) string {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, strings.ToLower(strings.TrimSuffix(service, "-service")))
	if name == "" || name[0] <= '9' || token.IsKeyword(name) {
		return "events" + name
	}
	return name
}

// Go writes one Go file with the events of a service. An event that the service
// neither owns nor reads is not in it.
func Go(c *contract.Catalogue, cfg Config) ([]byte, error) {
	cfg = cfg.WithDefaults()
	if _, err := serviceOf(c, cfg.Service); err != nil {
		return nil, err
	}
	f, err := model(c, cfg)
	if err != nil {
		return nil, err
	}
	return f.write()
}

func serviceOf(c *contract.Catalogue, name string) (*contract.Service, error) {
	service, ok := c.Service(name)
	if ok {
		return service, nil
	}
	unknown := &UnknownServiceError{Service: name}
	for _, s := range c.Services() {
		unknown.Known = append(unknown.Known, s.Name)
	}
	return nil, unknown
}

// model reads every schema that concerns the service.
func model(c *contract.Catalogue, cfg Config) (*file, error) {
	f := &file{cfg: cfg, names: &names{unexported: cfg.Unexported, types: map[string]any{}, known: map[string]*object{}}}
	var problems []error
	own, foreign := eventsOf(c, cfg)
	for _, e := range slices.Concat(own, slices.Collect(maps.Keys(foreign))) {
		f.names.types[f.names.ofType(payloadName(e))] = e // no other type may take it
	}
	for _, e := range c.Events() {
		rs, isForeign := foreign[e]
		if !isForeign && !slices.Contains(own, e) {
			continue
		}
		if !isForeign {
			rs = reads{""}
		}
		r := &reading{names: f.names, event: e}
		f.events = append(f.events, r.whole(rs, !isForeign))
		problems = append(problems, r.problems...)
	}
	return f, errors.Join(problems...)
}

func eventsOf(c *contract.Catalogue, cfg Config) (own []*contract.Event, foreign map[*contract.Event]reads) {
	foreign = map[*contract.Event]reads{}
	for _, e := range c.Events() {
		if e.OwnerService == cfg.Service {
			own = append(own, e)
			continue
		}
		var paths []string
		for _, reader := range e.Consumers {
			if reader.Service == cfg.Service && (len(cfg.Groups) == 0 || slices.Contains(cfg.Groups, reader.Group)) {
				paths = append(paths, reader.Reads...)
			}
		}
		if len(paths) > 0 {
			foreign[e] = readsOf(paths)
		}
	}
	return own, foreign
}

func payloadName(e *contract.Event) string {
	if e.Version > 1 {
		return goName(e.Type) + "V" + strconv.Itoa(e.Version)
	}
	return goName(e.Type)
}

// whole reads the event with its envelope.
func (r *reading) whole(payload reads, own bool) *event {
	e := r.event
	name := payloadName(e)
	all := &event{
		eventType: e.Type, version: e.Version, topic: e.Topic, doc: e.Description, own: own, name: r.names.ofType(name),
	}
	schemas := parts(e.Schema())
	declared := map[string][]*jsonschema.Schema{}
	for _, s := range schemas {
		for name, property := range s.Properties {
			declared[name] = append(declared[name], parts(property)...)
		}
		if word := inexpressible(s); word != "" {
			r.refuse("value", "uses %s, which no Go type says", word)
		}
		if s.AdditionalProperties != nil || s.MinProperties != nil || s.MaxProperties != nil {
			r.refuse("value", "bounds the fields of the envelope")
		}
	}
	required := requiredOf(schemas)
	for _, name := range fieldOrder(declared, required) {
		r.envelopeField(all, name, declared[name], slices.Contains(required, name), payload)
	}
	return all
}

func fieldOrder(declared map[string][]*jsonschema.Schema, required []string) []string {
	order := slices.Clone(required)
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	return order
}

func (r *reading) envelopeField(to *event, name string, schemas []*jsonschema.Schema, required bool, payload reads) {
	at := place{path: name, owner: to.name, member: goName(name), reads: reads{""}}
	if name != "eventType" {
		at.owner = ""
	}
	if name == "payload" {
		at.owner, at.member, at.reads = "", to.name, payload
	}
	v := r.value(schemas, at)
	v.enum = nil
	want, known := envelopeKinds()[name]
	if v.kind == kindRaw && name != "payload" && !slices.ContainsFunc(schemas, asks) {
		v.kind = want // envelope.Event is stricter than a schema that says nothing
	}
	switch {
	case !known:
		r.refuse(name, "is a field of the envelope that envelope.Event has not")
	case v.kind != want || v.nullable || name == "metadata" && (v.element == nil || v.element.kind != kindText):
		r.refuse(name, "has another type than envelope.Event")
	}
	if name == "payload" {
		to.payload = v.object
	}
	to.envelope = append(to.envelope, field{json: name, name: envelopeName(name), required: required, value: v})
}

func envelopeName(name string) string {
	if name == "schemaRef" {
		return "SchemaRef"
	}
	return goName(name)
}

func envelopeKinds() map[string]kind {
	return map[string]kind{
		"eventId": kindText, "eventType": kindText, "eventVersion": kindInteger, "occurredAt": kindInstant, "publishedAt": kindInstant,
		"producer": kindText, "tenantId": kindText, "aggregateType": kindText, "aggregateId": kindText, "aggregateVersion": kindInteger,
		"correlationId": kindText, "causationId": kindText, "traceId": kindText, "schemaRef": kindText, "payload": kindObject, "metadata": kindMap,
	}
}
