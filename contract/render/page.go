package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"factline.dev/contract"
)

// book is what a reader looks up, in the order it is shown.
type book struct {
	Info
	Topics   []*topicPage
	Events   []*eventPage
	Services []*contract.Service
}

type topicPage struct {
	*contract.Topic
	Events  []*eventPage
	Derived []contract.DerivedTopic
	Readers []reader
}

// reader is a group on a topic.
type reader struct{ Service, Group, Purpose, Mode string }

// eventPage shows every version of an event, the newest first.
type eventPage struct {
	*contract.Event // the newest
	Versions        []version
	Examples        []example
	Readers         []eventReader
}

type version struct {
	*contract.Event
	Fields []field
}

// field is a row of the table of fields.
type field struct {
	contract.Field
	Readers []string
}

type eventReader struct {
	contract.Consumer
	Purpose, Mode string
}

type example struct{ Name, Text string }

func newBook(c *contract.Catalogue, info Info) *book {
	info.Title = cmp.Or(info.Title, c.Title())
	b := &book{Info: info, Services: c.Services(), Events: eventPages(c)}
	for _, t := range c.Topics() {
		page := &topicPage{Topic: t, Derived: append(t.RetryTopics(), t.DeadLetters()), Readers: readersOf(c, t.Name)}
		for _, e := range b.Events {
			if slices.ContainsFunc(e.Versions, func(v version) bool { return v.Topic == t.Name }) {
				page.Events = append(page.Events, e)
			}
		}
		b.Topics = append(b.Topics, page)
	}
	return b
}

// eventPages returns a page for each type, whose versions may stand on several
// topics, ordered by name.
func eventPages(c *contract.Catalogue) []*eventPage {
	events := c.Events()
	slices.SortStableFunc(events, func(x, y *contract.Event) int {
		return cmp.Or(strings.Compare(x.Type, y.Type), y.Version-x.Version)
	})
	var pages []*eventPage
	for _, e := range events {
		if last := len(pages) - 1; last < 0 || pages[last].Type != e.Type {
			pages = append(pages, newEventPage(c, e))
		}
		page := pages[len(pages)-1]
		page.Versions = append(page.Versions, version{e, fieldsOf(e)})
	}
	return pages
}

func newEventPage(c *contract.Catalogue, e *contract.Event) *eventPage {
	page := &eventPage{Event: e}
	for _, x := range e.Examples {
		var text bytes.Buffer
		if json.Indent(&text, bytes.TrimSpace(x.Value), "", "  ") != nil {
			text.Reset()
			text.Write(x.Value)
		}
		page.Examples = append(page.Examples, example{x.Name, text.String()})
	}
	for _, r := range e.Consumers {
		row := eventReader{Consumer: r}
		if g, ok := c.Group(r.Group); ok {
			row.Purpose = g.Purpose
			row.Mode, _ = g.Mode(e.Topic)
		}
		page.Readers = append(page.Readers, row)
	}
	return page
}

func readersOf(c *contract.Catalogue, topic string) []reader {
	var found []reader
	for _, g := range c.GroupsOn(topic) {
		mode, _ := g.Mode(topic)
		found = append(found, reader{g.Service, g.Name, g.Purpose, mode})
	}
	return found
}

func fieldsOf(e *contract.Event) []field {
	var rows []field
	for _, f := range e.Fields() {
		row := field{Field: f}
		for _, r := range e.ReadersOf(f.Path) {
			if !slices.Contains(row.Readers, r.Service) {
				row.Readers = append(row.Readers, r.Service)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// TypeText is the type with what narrows it.
func (f field) TypeText() string {
	text := f.Type
	if f.Format != "" {
		text += ", " + f.Format
	}
	if len(f.Enum) > 0 {
		text += ": " + strings.Join(f.Enum, ", ")
	}
	return text
}

// About is what the schema says of the field, the title where it says no more.
func (f field) About() string {
	if f.Description != "" {
		return f.Description
	}
	return f.Title
}

// Keeping says how long records of the topic are kept.
func (t *topicPage) Keeping() string {
	text := fmt.Sprintf("%d days", t.Retention()/(24*time.Hour))
	switch {
	case t.RetentionMs == 0:
		text = "the latest of each key"
	case t.Retention() < 48*time.Hour:
		text = t.Retention().String()
	}
	if t.Archive {
		text += ", and in the archive"
	}
	return text
}
