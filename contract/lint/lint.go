package lint

import (
	"cmp"
	"fmt"
	"slices"
	"time"

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

// String is the finding on one line, with its place.
func (f Finding) String() string {
	at := f.File
	if f.Line > 0 {
		at = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	return fmt.Sprintf("%s: %s (%s)", at, f.Text(), f.Rule)
}

// Text is what is wrong with what, without the place.
func (f Finding) Text() string {
	subject := f.Subject
	if f.Path != "" {
		subject += ": " + f.Path
	}
	return subject + ": " + f.Message
}

// Rules returns every rule, ordered by name.
func Rules() []Rule {
	rules := []Rule{
		eventPastTense(), eventCommand(), eventRequestResponse(), eventVague(), eventThin(), eventUnread(),
		topicName(), topicShared(), topicVisibility(),
		ownerDeclared(), keyJustified(), compaction(), retention(), classification(),
		examples(), changelog(), agreement(), compatibility(), aggregateTopic(),
		consumerDeclared(), consumerReads(), consumerMode(), groupName(), lowTrust(), sideEffects(),
		personalData(), secrets(), headerOnly(), payloadTyped(), deprecation(), undecided(), waiver(),
	}
	slices.SortFunc(rules, func(a, b Rule) int { return cmp.Compare(a.Name, b.Name) })
	return rules
}

// Waived is a finding that a waiver covers.
type Waived struct {
	Finding
	// Waiver is the decision, with its owner, reason and end.
	Waiver *contract.Waiver `json:"waiver"`
}

// Result is what the rules say about a catalogue. Both lists are ordered by
// file, line, rule and message, and empty rather than nil.
type Result struct {
	// Findings break a rule: those that no waiver covers, and waivers that are
	// expired, unused or badly made.
	Findings []Finding `json:"findings"`
	// Waived break a rule with leave.
	Waived []Waived `json:"waived"`
}

// Check runs every rule. today decides which waivers and deprecations have come
// to their end.
func Check(c *contract.Catalogue, today time.Time) Result {
	found := []Finding{}
	newest := c.Current()
	for _, rule := range Rules() {
		r := &report{Catalogue: c, rule: rule.Name, today: today.UTC(), newest: newest}
		rule.check(r)
		found = append(found, r.found...)
	}
	result := settle(c, found, today)
	slices.SortFunc(result.Findings, Finding.compare)
	slices.SortFunc(result.Waived, func(a, b Waived) int { return a.compare(b.Finding) })
	result.Findings = slices.Compact(result.Findings)
	return result
}

func (f Finding) compare(other Finding) int {
	return cmp.Or(cmp.Compare(f.File, other.File), f.Line-other.Line, cmp.Compare(f.Rule, other.Rule),
		cmp.Compare(f.Subject, other.Subject), cmp.Compare(f.Message, other.Message))
}

// report is what a rule reads and where it writes.
type report struct {
	*contract.Catalogue
	rule   string
	today  time.Time
	newest []*contract.Event
	found  []Finding
}

func (r *report) add(file, subject, format string, args ...any) {
	r.put(file, 0, subject, "", format, args)
}

func (r *report) event(e *contract.Event, path, format string, args ...any) {
	r.put(e.File(), e.Line(path), e.Type, path, format, args)
}

// field adds a finding about a payload field, at the place of its schema.
func (r *report) field(e *contract.Event, path, format string, args ...any) {
	file, line := e.FieldPosition(path)
	r.put(file, line, e.Type, path, format, args)
}

func (r *report) waiver(w *contract.Waiver, path, format string, args ...any) {
	r.put(w.File(), w.Line(path), w.Subject, path, format, args)
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
func (r *report) current() []*contract.Event { return r.newest }
