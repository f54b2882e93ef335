package scaffold

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"factline.dev/contract"
	"factline.dev/envelope"
)

// EventConfig is what is said about a new event.
type EventConfig struct {
	Config
	// Type is the event's name, a subject and a past participle. Required.
	Type string
	// Topic carries it. Required. One that is not there is drafted with it.
	Topic string
	// Owner is the service that produces it. Default the topic's owner.
	Owner string
	// Aggregate is the kind of entity that it happens to. Default read off Type, the
	// topic's other events and its key.
	Aggregate string
	// Key is the payload field that keys its records. Default that of the aggregate's
	// other events, of the topic, or the aggregate's id.
	Key string
	// KeyReason, Description, BusinessOwner and TechnicalOwner default to a mark for
	// the author, the owners to the topic's before that.
	KeyReason, Description, BusinessOwner, TechnicalOwner string
	// Fields are the payload's. The key is added where it is not among them.
	Fields []Field
	// Readers are the groups that read it. Default none.
	Readers []Reader
}

// Reader is a group that reads the event.
type Reader struct {
	// Group is <service>.<stream>.consumer.
	Group string
	// Reads are the fields that it depends on. Default all that are required.
	Reads []string
}

func (r Reader) service() string {
	name, _, _ := strings.Cut(r.Group, ".")
	return name
}

// ParseReader reads group[=field,field], such as
// tracking-service.parcel-events.consumer=parcelId,counter.
func ParseReader(text string) (Reader, error) {
	group, fields, given := strings.Cut(text, "=")
	r := Reader{Group: group}
	if given {
		r.Reads = strings.Split(fields, ",")
	}
	return r, r.check()
}

var (
	groupName = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*\.consumer$`)
	eventName = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,99}$`)
	firstWord = regexp.MustCompile(`^[A-Z]+[a-z0-9]*`)
)

func (r Reader) check() error {
	if !groupName.MatchString(r.Group) || len(r.Group) > 200 {
		return fmt.Errorf("scaffold: read the reader %q: it is no group; write <service>.<stream>.consumer, as in tracking-service.parcel-events.consumer", r.Group)
	}
	for _, name := range r.Reads {
		if !fieldName.MatchString(name) {
			return fmt.Errorf("scaffold: read the reader %s: %q is no field of the payload", r.Group, name)
		}
	}
	return nil
}

// Event drafts an event, with its topic, the envelope and services.yaml where the
// folder has none.
func Event(e EventConfig) (Draft, error) {
	d, err := newDesk(e.Config)
	if err != nil {
		return Draft{}, err
	}
	if !eventName.MatchString(e.Type) {
		return Draft{}, fmt.Errorf("scaffold: draft the event %q: it is no name of one; write a subject and a past participle in PascalCase, as in ParcelHandedOver", e.Type)
	}
	for _, other := range d.catalogue.Events() {
		if strings.EqualFold(other.Type, e.Type) {
			return Draft{}, fmt.Errorf("scaffold: draft the event %s: %s is there already and is not overwritten; take another name or edit it", e.Type, other.File())
		}
	}
	t, err := d.topicFor(&e)
	if err != nil {
		return Draft{}, err
	}
	if err := d.event(e, t); err != nil {
		return Draft{}, err
	}
	return d.finish(e.Type)
}

// topicFor returns the topic of an event, drafted where it is not there, and fills
// what follows from it.
func (d *desk) topicFor(e *EventConfig) (*contract.Topic, error) {
	t, there := d.catalogue.Topic(e.Topic)
	if !there {
		t = &contract.Topic{Name: e.Topic}
	}
	e.fill(t, d.catalogue)
	if err := e.check(); err != nil {
		return nil, err
	}
	if there {
		return t, e.declared(d)
	}
	cfg := TopicConfig{Name: e.Topic, Owner: e.Owner, Key: e.Key, BusinessOwner: e.BusinessOwner, TechnicalOwner: e.TechnicalOwner}
	if err := d.topic(&cfg); err != nil {
		return nil, err
	}
	e.BusinessOwner, e.TechnicalOwner = cfg.BusinessOwner, cfg.TechnicalOwner
	return &contract.Topic{Name: cfg.Name, RetentionMs: cfg.RetentionMs(), Classification: cfg.Classification}, e.declared(d)
}

func (e *EventConfig) fill(t *contract.Topic, c *contract.Catalogue) {
	e.Fields, e.Readers = slices.Clone(e.Fields), slices.Clone(e.Readers)
	sibling := e.sibling(c)
	e.Aggregate = cmp.Or(e.Aggregate, sibling.AggregateType, prefixOf(e.Type, namedBy(t.Key)), firstWord.FindString(e.Type))
	if e.Aggregate == sibling.AggregateType && len(sibling.Key) > 0 {
		e.Key = cmp.Or(e.Key, sibling.Key[len(sibling.Key)-1])
	}
	e.Key = cmp.Or(e.Key, t.Key, keyOf(e.Aggregate))
	e.Owner = cmp.Or(e.Owner, t.Owner)
	e.BusinessOwner, e.TechnicalOwner = cmp.Or(e.BusinessOwner, t.BusinessOwner), cmp.Or(e.TechnicalOwner, t.TechnicalOwner)
	e.Description = cmp.Or(e.Description, todo("say in a sentence which fact it states"))
	e.KeyReason = cmp.Or(e.KeyReason, todo("say what stays in order by "+e.Key+", and what can become hot"))
	if !slices.ContainsFunc(e.Fields, func(f Field) bool { return f.Name == e.Key }) {
		e.Fields = slices.Insert(e.Fields, 0, Field{Name: e.Key, Type: "string", Description: "The " + strings.ToLower(e.Aggregate) + "."})
	}
	for i, f := range e.Fields {
		e.Fields[i] = f.withDefaults()
	}
	for i := range e.Readers {
		if len(e.Readers[i].Reads) == 0 {
			e.Readers[i].Reads = names(e.required())
		}
	}
}

// sibling is the event of the topic whose aggregate the type begins with, the
// longest first.
func (e *EventConfig) sibling(c *contract.Catalogue) (found contract.Event) {
	for _, other := range c.Events() {
		if other.Topic == e.Topic && prefixOf(e.Type, other.AggregateType) != "" && len(other.AggregateType) > len(found.AggregateType) {
			found = *other
		}
	}
	return found
}

// keyOf is the field that names an aggregate, such as parcelId.
func keyOf(aggregate string) string {
	if aggregate == "" {
		return ""
	}
	return strings.ToLower(aggregate[:1]) + aggregate[1:] + "Id"
}

// namedBy is the aggregate that a key such as parcelId names.
func namedBy(key string) string {
	name, isID := strings.CutSuffix(key, "Id")
	if !isID || name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

func prefixOf(eventType, aggregate string) string {
	if strings.HasPrefix(eventType, aggregate) {
		return aggregate
	}
	return ""
}

func (e *EventConfig) required() []Field {
	return slices.DeleteFunc(slices.Clone(e.Fields), func(f Field) bool { return f.Optional })
}

func names(fields []Field) (all []string) {
	for _, f := range fields {
		all = append(all, f.Name)
	}
	return all
}

func (e *EventConfig) check() error {
	if !eventName.MatchString(e.Aggregate) {
		return fmt.Errorf("scaffold: draft the event %s: the aggregate %q is no name of one; write it in PascalCase, as in Parcel", e.Type, e.Aggregate)
	}
	seen := map[string]bool{}
	for _, f := range e.Fields {
		if err := f.check(); err != nil {
			return err
		}
		if seen[f.Name] {
			return fmt.Errorf("scaffold: draft the event %s: it has the field %s twice; keep one", e.Type, f.Name)
		}
		seen[f.Name] = true
	}
	for _, r := range e.Readers {
		if err := r.check(); err != nil {
			return err
		}
	}
	return nil
}

// declared checks that services.yaml knows who makes and who reads the event.
func (e *EventConfig) declared(d *desk) error {
	if err := d.service(e.Owner); err != nil {
		return err
	}
	for _, r := range e.Readers {
		if _, known := d.catalogue.Group(r.Group); !known && !d.isNew {
			return fmt.Errorf("scaffold: look up the reader %s: services.yaml does not declare it; add the group and the topic %s there first", r.Group, e.Topic)
		}
	}
	return nil
}

// eventRecord is what the templates of an event show.
type eventRecord struct {
	EventConfig
	Retention, Classification string
	SchemaID, SchemaRef       string
	EventID, At, AggregateID  string
	Required                  []Field
	Readers                   []readerRecord
}

type readerRecord struct {
	Service, Group string
	Reads          []string
}

// Sample is what the examples hold of a field.
func (r eventRecord) Sample(f Field) any {
	return kinds()[f.Type].sample(f.Name, r.Now)
}

func (d *desk) event(e EventConfig, t *contract.Topic) error {
	address, err := d.address()
	if err != nil {
		return err
	}
	if err := d.envelope(address); err != nil {
		return err
	}
	if err := d.services(e.Owner, t.Name, modeOn(t), e.Readers); err != nil {
		return err
	}
	dir := path.Join("events", t.Folder(), e.Type)
	r := eventRecord{
		EventConfig: e, Retention: retentionWords(t), Classification: t.Classification, Required: e.required(),
		SchemaID: address + "/" + path.Join(dir, "v1.schema.json"), SchemaRef: "schema://" + t.Folder() + "/" + e.Type + "/1",
		EventID: envelope.NewID(), At: instant(d.Now),
	}
	r.AggregateID = fmt.Sprint(r.Sample(Field{Name: e.Key, Type: "string"}))
	for _, reader := range e.Readers {
		service := reader.service()
		if g, known := d.catalogue.Group(reader.Group); known {
			service = g.Service
		}
		r.Readers = append(r.Readers, readerRecord{service, reader.Group, reader.Reads})
	}
	for name, from := range map[string]string{
		"event.yaml": "event.yaml", "v1.schema.json": "v1.schema.json", "CHANGELOG.md": "CHANGELOG.md",
		"examples/minimal.json": "minimal.json", "examples/full.json": "full.json",
	} {
		if err := d.file(path.Join(dir, name), from, r); err != nil {
			return err
		}
	}
	return nil
}

// modeOn is how a group of a new folder reads a topic.
func modeOn(t *contract.Topic) string {
	if t.CleanupPolicy == "compact" {
		return "latest"
	}
	return "ordered"
}
