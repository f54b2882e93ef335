package review

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"factline.dev/contract"
	"factline.dev/contract/lint"
)

// subject is what is reviewed: a topic with one or all of its events.
type subject struct {
	catalogue *contract.Catalogue
	topic     *contract.Topic
	events    []*contract.Event
}

// concerns reports whether a finding is about the subject: the topic, one of the
// events, or a service's group that reads the topic.
func (s subject) concerns(f lint.Finding) bool {
	if f.Subject == s.topic.Name || slices.ContainsFunc(s.events, func(e *contract.Event) bool { return e.Type == f.Subject }) {
		return true
	}
	service, ok := s.catalogue.Service(f.Subject)
	if !ok || !service.MayRead(s.topic.Name) {
		return false
	}
	group, ok := groupAt(service, f.Path)
	if !ok {
		return true // about the service as a whole
	}
	_, reads := group.Mode(s.topic.Name)
	return reads
}

// groupAt is the group that a path such as groups[1].topics[0] stands in.
func groupAt(s *contract.Service, path string) (*contract.Group, bool) {
	rest, ok := strings.CutPrefix(path, "groups[")
	index, _, closed := strings.Cut(rest, "]")
	i, err := strconv.Atoi(index)
	if !ok || !closed || err != nil || i < 0 || i >= len(s.Groups) {
		return nil, false
	}
	return &s.Groups[i], true
}

// each says something about every event, with its name in front where there are
// several.
func (s subject) each(say func(e *contract.Event) string) []string {
	if len(s.events) == 0 {
		return []string{"the topic has no events"}
	}
	said := make([]string, 0, len(s.events))
	for _, e := range s.events {
		text := say(e)
		if len(s.events) > 1 {
			text = e.Type + ": " + text
		}
		said = append(said, text)
	}
	return said
}

// readers are the groups that declare an event of the subject, with their modes.
func (s subject) readers() []reader {
	var found []reader
	for _, e := range s.events {
		for _, c := range e.Consumers {
			if !slices.ContainsFunc(found, func(r reader) bool { return r.group == c.Group }) {
				found = append(found, s.reader(c))
			}
		}
	}
	return found
}

type reader struct {
	group, mode string
	sideEffects bool
}

func (s subject) reader(c contract.Consumer) reader {
	r := reader{group: c.Group}
	if g, ok := s.catalogue.Group(c.Group); ok {
		r.mode, _ = g.Mode(s.topic.Name)
		r.sideEffects = g.SideEffects
	}
	return r
}

func (r reader) String() string {
	text := r.group
	if r.mode != "" {
		text += " (" + r.mode + ")"
	}
	return text
}

// runbook is where people read what to do when the topic's events fail.
func (s subject) runbook() string {
	if s.topic.Runbook != "" {
		return s.topic.Runbook
	}
	if owner, ok := s.catalogue.Service(s.topic.DeadLetter.Owner); ok {
		return owner.Runbook
	}
	return ""
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
