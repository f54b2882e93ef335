package review

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"factline.dev/contract"
	"factline.dev/contract/lint"
)

// question is one of the fourteen.
type question struct {
	text string
	// rules are the rules of lint whose findings answer it with no. One that
	// asks several things names the place: "owner-declared deadLetter".
	rules []string
	// evidence is what the catalogue declares.
	evidence func(subject) []string
	// missing finds what no rule does, nil for nothing.
	missing func(subject) []Problem
}

func (q question) asks(f lint.Finding) bool {
	return slices.ContainsFunc(q.rules, func(rule string) bool {
		name, path, narrow := strings.Cut(rule, " ")
		return name == f.Rule && (!narrow || strings.HasPrefix(f.Path, path))
	})
}

func questions() []question {
	return []question{
		{"Is the event a past-tense fact?", []string{"event-past-tense", "event-command", "event-request-response", "event-vague"}, fact, nil},
		{"Is the producing service the owner of the aggregate?", []string{"owner-declared ownerService", "topic-shared ownerService", "aggregate-topic", "agreement"}, producer, nil},
		{"Is the topic name's ownership clear?", []string{"topic-name", "topic-shared", "topic-visibility", "owner-declared"}, topicOwner, nil},
		{"Is the partition key justified?", []string{"key-justified"}, key, nil},
		{"Does the event include eventId, eventType, eventVersion, tenantId, aggregateId and timestamps?", nil, envelopeFields, missingFields},
		{"Does the payload contain enough business data for its consumers?", []string{"event-thin", "payload-typed", "header-only", "consumer-reads"}, payload, nil},
		{"Is the schema versioned and validated?", []string{"agreement", "compatibility", "examples", "changelog", "undecided"}, schema, nil},
		{"Are known consumers documented?", []string{"consumer-declared", "consumer-reads", "consumer-mode", "event-unread"}, consumers, nil},
		{"Is retention appropriate?", []string{"retention", "compaction", "deprecation"}, retention, nil},
		{"Is the event replay-safe?", []string{"side-effects"}, replay, nil},
		{"Are dead letters and retries defined?", []string{"owner-declared deadLetter", "retention retryTiers"}, failures, nil},
		{"Are producer and consumer metrics defined?", []string{"owner-declared owner", "group-name", "consumer-declared"}, metrics, nil},
		{"Is sensitive data classified?", []string{"classification", "personal-data", "secrets", "low-trust"}, sensitivity, nil},
		{"Is there an incident runbook?", nil, runbooks, missingRunbook},
	}
}

func fact(s subject) []string {
	return s.each(func(e *contract.Event) string { return strings.TrimSpace(e.Description) })
}

func producer(s subject) []string {
	return s.each(func(e *contract.Event) string {
		fixed := "its schema does not fix the producer"
		if name, ok := e.Const("producer"); ok {
			fixed = fmt.Sprintf("its schema takes it from %v alone", name)
		}
		return fmt.Sprintf("%s produces it and counts the versions of %s on %s; %s", e.OwnerService, e.AggregateType, e.Topic, fixed)
	})
}

func topicOwner(s subject) []string {
	t := s.topic
	return []string{fmt.Sprintf("%s is %s and %s, owned by %s; ask %s (business) or %s (technical)",
		t.Name, t.Category, t.Visibility, t.Owner, t.BusinessOwner, t.TechnicalOwner)}
}

func key(s subject) []string {
	return s.each(func(e *contract.Event) string { return e.KeyName() + ": " + strings.TrimSpace(e.KeyReason) })
}

// askedFields are those that the question names. A writer adds publishedAt when
// it publishes, so no event has it from the start.
var askedFields = []string{"eventId", "eventType", "eventVersion", "tenantId", "aggregateId", "occurredAt"}

func envelopeFields(s subject) []string {
	return s.each(func(e *contract.Event) string {
		var required []string
		for _, field := range askedFields {
			if _, ok := e.Envelope(field); ok {
				required = append(required, field)
			}
		}
		text := "its schema requires " + strings.Join(required, ", ")
		if declared, _ := e.Envelope("publishedAt"); declared {
			text += " and declares publishedAt"
		}
		return text
	})
}

func missingFields(s subject) []Problem {
	var found []Problem
	for _, e := range s.events {
		for _, field := range askedFields {
			if _, required := e.Envelope(field); !required {
				found = append(found, Problem{File: e.SchemaFile(), Message: fmt.Sprintf("%s: does not require %s; refer to the envelope's schema", e.Type, field)})
			}
		}
	}
	return found
}

func payload(s subject) []string {
	return s.each(func(e *contract.Event) string {
		fields, required, read, declared := e.Fields(), 0, 0, 0
		for _, f := range fields {
			if f.Required {
				required++
			}
		}
		for _, c := range e.Consumers {
			for _, field := range c.Reads {
				read++
				if _, ok := e.Field(field); ok || field == "*" {
					declared++
				}
			}
		}
		return fmt.Sprintf("%s, %d required; of %d reads by %s, %d are of declared fields",
			count(len(fields), "field"), required, read, count(len(e.Consumers), "consumer"), declared)
	})
}

func schema(s subject) []string {
	return s.each(func(e *contract.Event) string {
		return fmt.Sprintf("%s, changes %s; the catalogue refuses what it does not accept, and accepts %s",
			e.SchemaRef(), e.Compatibility, count(len(e.Examples), "example"))
	})
}

func consumers(s subject) []string {
	return s.each(func(e *contract.Event) string {
		if len(e.Consumers) == 0 {
			return "none; it exists for: " + e.ReasonToExist
		}
		names := make([]string, len(e.Consumers))
		for i, c := range e.Consumers {
			names[i] = s.reader(c).String() + " reads " + strings.Join(c.Reads, ", ")
		}
		return strings.Join(names, "; ")
	})
}

func retention(s subject) []string {
	t := s.topic
	if t.CleanupPolicy == "compact" {
		return []string{"the latest record of each key is kept for ever (compact)"}
	}
	text := fmt.Sprintf("records are kept for %s", inDays(t.Retention()))
	if t.RetentionMs == 0 {
		text = "how long records are kept is not stated"
	}
	if t.Archive {
		text += ", and archived"
	}
	return []string{fmt.Sprintf("%s; the last retry ends %s after the first attempt, dead letters are kept for %s", text, chain(t),
		inDays(time.Duration(t.DeadLetter.RetentionMs)*time.Millisecond))}
}

func chain(t *contract.Topic) time.Duration {
	var sum time.Duration
	for _, tier := range t.RetryTopics() {
		sum += tier.Delay
	}
	return sum
}

func inDays(d time.Duration) string {
	if days := d / (24 * time.Hour); days > 0 && d%(24*time.Hour) == 0 {
		return count(int(days), "day")
	}
	return d.String()
}

func replay(s subject) []string {
	said := s.each(func(e *contract.Event) string {
		text := "not safe"
		if e.ReplaySafe {
			text = "safe"
		}
		if e.SideEffectWarning != "" {
			text += "; " + strings.TrimSpace(e.SideEffectWarning)
		}
		return text
	})
	for _, r := range s.readers() {
		if r.sideEffects {
			said = append(said, r.group+" acts outside or moves state, and stays closed in a replay")
		}
	}
	return said
}

func failures(s subject) []string {
	t := s.topic
	tiers := make([]string, 0, len(t.RetryTiers))
	for _, d := range t.RetryTopics() {
		tiers = append(tiers, d.Name)
	}
	return []string{
		"retries: " + strings.Join(tiers, ", "),
		fmt.Sprintf("dead letters: %s, owned by %s; one %ss its key", t.DeadLetterTopic(), t.DeadLetter.Owner, t.OnDeadLetter),
	}
}

// Metrics that every producer and every declared group has.
const (
	producerMetrics = "factline_outbox_published_total, factline_outbox_publish_seconds"
	consumerMetrics = "factline_consumer_lag_records, factline_consumer_event_age_seconds, factline_consumer_dead_letters_total"
)

func metrics(s subject) []string {
	said := []string{fmt.Sprintf("%s publishes %s, with topic=%q", s.topic.Owner, producerMetrics, s.topic.Name)}
	for _, r := range s.readers() {
		said = append(said, fmt.Sprintf("%s, with group=%q", consumerMetrics, r.group))
	}
	return said
}

func sensitivity(s subject) []string {
	return append([]string{"the topic is of class " + s.topic.Classification}, s.each(func(e *contract.Event) string {
		var personal []string
		for _, f := range e.Fields() {
			if f.PII {
				personal = append(personal, f.Path)
			}
		}
		text := "class " + e.DataClassification + ", no personal data"
		if e.ContainsPII {
			text = fmt.Sprintf("class %s, personal data in %s", e.DataClassification, strings.Join(personal, ", "))
		}
		return text
	})...)
}

func runbooks(s subject) []string {
	if book := s.runbook(); book != "" {
		return []string{book + ", read by " + s.topic.DeadLetter.Owner}
	}
	return []string{"none is named"}
}

func missingRunbook(s subject) []Problem {
	if s.runbook() != "" {
		return nil
	}
	return []Problem{{File: s.topic.File(), Message: fmt.Sprintf(
		"%s: runbook: is missing; name one here, or for %s in services.yaml, who owns the dead letters", s.topic.Name, s.topic.DeadLetter.Owner)}}
}
