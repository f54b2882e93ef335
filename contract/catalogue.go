package contract

import (
	"maps"
	"slices"
)

// Catalogue is a loaded contracts folder. It never changes and is safe for
// concurrent use; what it returns is shared and must not be written to.
type Catalogue struct {
	title    string
	topics   []*Topic
	events   []*Event
	services []*Service

	waivers   []*Waiver
	approvals []*Approval

	byTopic   map[string]*Topic
	derived   map[string]DerivedTopic
	byType    map[string]map[int]*Event
	bySchema  map[string]*Event
	byService map[string]*Service
	byGroup   map[string]*Group
	schemas   *schemaSet
}

// Title is the name of what the catalogue belongs to, empty where services.yaml
// does not say.
func (c *Catalogue) Title() string { return c.title }

// Topics returns every topic, ordered by name. Retry and dead-letter topics
// are derived from them: [Topic.RetryTopics], [Topic.DeadLetters].
func (c *Catalogue) Topics() []*Topic { return slices.Clone(c.topics) }

// Topic returns the topic of that name.
func (c *Catalogue) Topic(name string) (*Topic, bool) {
	t, ok := c.byTopic[name]
	return t, ok
}

// Derived returns a retry or dead-letter topic by name.
func (c *Catalogue) Derived(name string) (DerivedTopic, bool) {
	d, ok := c.derived[name]
	return d, ok
}

// Events returns every version of every event, ordered by topic, type and
// version.
func (c *Catalogue) Events() []*Event { return slices.Clone(c.events) }

// Current returns the newest version of each event on each topic, ordered as
// [Catalogue.Events].
func (c *Catalogue) Current() []*Event {
	newest := make([]*Event, 0, len(c.events))
	for _, e := range c.events {
		if last := len(newest) - 1; last >= 0 && newest[last].Type == e.Type && newest[last].Topic == e.Topic {
			newest[last] = e // versions come in ascending order
		} else {
			newest = append(newest, e)
		}
	}
	return newest
}

// Event returns one version of an event.
func (c *Catalogue) Event(eventType string, version int) (*Event, bool) {
	e, ok := c.byType[eventType][version]
	return e, ok
}

// Services returns every service, ordered by name.
func (c *Catalogue) Services() []*Service { return slices.Clone(c.services) }

// Service returns the service of that name.
func (c *Catalogue) Service(name string) (*Service, bool) {
	s, ok := c.byService[name]
	return s, ok
}

// Group returns the consumer group of that name.
func (c *Catalogue) Group(name string) (*Group, bool) {
	g, ok := c.byGroup[name]
	return g, ok
}

// GroupsOn returns the consumer groups that may read a topic, ordered by service and
// then as it declares them.
func (c *Catalogue) GroupsOn(topic string) []*Group {
	var found []*Group
	for _, s := range c.services {
		for i := range s.Groups {
			if _, reads := s.Groups[i].Mode(topic); reads {
				found = append(found, &s.Groups[i])
			}
		}
	}
	return found
}

// ReadBy returns the events that a consumer group declares, ordered as
// [Catalogue.Events].
func (c *Catalogue) ReadBy(group string) []*Event {
	var read []*Event
	for _, e := range c.events {
		if slices.ContainsFunc(e.Consumers, func(r Consumer) bool { return r.Group == group }) {
			read = append(read, e)
		}
	}
	return read
}

// Schema returns the schema of a reference as an event carries it, such as
// schema://oms.order.events/OrderCaptured/1: the bytes of its file.
func (c *Catalogue) Schema(ref string) ([]byte, bool) {
	e, ok := c.bySchema[ref]
	if !ok {
		return nil, false
	}
	return slices.Clone(e.schemaText), true
}

func (c *Catalogue) lookup(eventType string, version int) (*Event, error) {
	if e, ok := c.byType[eventType][version]; ok {
		return e, nil
	}
	unknown := &UnknownEventError{EventType: eventType, EventVersion: version}
	unknown.Versions = slices.Sorted(maps.Keys(c.byType[eventType]))
	if len(unknown.Versions) == 0 {
		unknown.Nearest = nearest(eventType, slices.Sorted(maps.Keys(c.byType)))
	}
	return nil, unknown
}
