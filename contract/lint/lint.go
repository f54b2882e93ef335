package lint

import (
	"cmp"
	"fmt"
	"slices"

	"factline.dev/contract"
)

// Rule is one thing that contracts are held to.
type Rule struct {
	// Name identifies the rule, in lower case with dashes.
	Name string `json:"name"`
	// Title says what is asked for, in a few words.
	Title string `json:"title"`
	// Why says what goes wrong otherwise.
	Why string `json:"why"`
	// Good and Bad are an example each, as they would stand in a contract.
	Good string `json:"good"`
	Bad  string `json:"bad"`

	check func(*report)
}

// Finding is one place where a contract breaks a rule.
type Finding struct {
	// Rule is the name of the rule.
	Rule string `json:"rule"`
	// File is the path inside the contracts folder.
	File string `json:"file"`
	// Line is the line in File, 0 where no single line is to blame.
	Line int `json:"line,omitempty"`
	// Subject is the event, topic, service or group.
	Subject string `json:"subject"`
	// Path is the place inside File, such as "retentionMs", empty for the whole.
	Path string `json:"path,omitempty"`
	// Message says what is wrong and what to do.
	Message string `json:"message"`
}

func (f Finding) String() string {
	at := f.File
	if f.Line > 0 {
		at = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	subject := f.Subject
	if f.Path != "" {
		subject += ": " + f.Path
	}
	return fmt.Sprintf("%s: %s: %s (%s)", at, subject, f.Message, f.Rule)
}

// Rules returns every rule, ordered by name.
func Rules() []Rule {
	rules := []Rule{
		eventPastTense(), eventCommand(), eventRequestResponse(), eventVague(), eventThin(), eventUnread(),
		topicName(), topicShared(), topicVisibility(),
		ownerDeclared(), keyJustified(), compaction(), retention(), classification(),
		examples(), changelog(), agreement(), aggregateTopic(),
		consumerDeclared(), consumerReads(), consumerMode(), groupName(), lowTrust(), sideEffects(),
		personalData(), secrets(),
	}
	slices.SortFunc(rules, func(a, b Rule) int { return cmp.Compare(a.Name, b.Name) })
	return rules
}

// Check runs every rule and returns what they find, ordered by file, line,
// rule and message. No findings is an empty slice.
func Check(c *contract.Catalogue) []Finding {
	found := []Finding{}
	for _, rule := range Rules() {
		r := &report{Catalogue: c, rule: rule.Name}
		rule.check(r)
		found = append(found, r.found...)
	}
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line, cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(found)
}

// report is what a rule reads and where it writes.
type report struct {
	*contract.Catalogue
	rule  string
	found []Finding
}

func (r *report) add(file, subject, format string, args ...any) {
	r.put(file, 0, subject, "", format, args)
}

func (r *report) event(e *contract.Event, path, format string, args ...any) {
	r.put(e.File(), e.Line(path), e.Type, path, format, args)
}

func (r *report) topic(t *contract.Topic, path, format string, args ...any) {
	r.put(t.File(), t.Line(path), t.Name, path, format, args)
}

func (r *report) service(s *contract.Service, path, format string, args ...any) {
	r.put(s.File(), s.Line(path), s.Name, path, format, args)
}

func (r *report) put(file string, line int, subject, path, format string, args []any) {
	r.found = append(r.found, Finding{
		Rule: r.rule, File: file, Line: line, Subject: subject, Path: path, Message: fmt.Sprintf(format, args...),
	})
}

// topicOf returns the topic of an event, which every loaded event has.
func (r *report) topicOf(e *contract.Event) *contract.Topic {
	t, _ := r.Topic(e.Topic)
	return t
}

// current returns the newest version of each event.
func (r *report) current() []*contract.Event {
	newest := []*contract.Event{}
	for _, e := range r.Events() {
		if last := len(newest) - 1; last >= 0 && newest[last].Type == e.Type && newest[last].Topic == e.Topic {
			newest[last] = e
		} else {
			newest = append(newest, e)
		}
	}
	return newest
}
