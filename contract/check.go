package contract

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// The words that a contract may use. A word outside is a problem of loading,
// because everything derived from it would be guessed.
var (
	categories      = []string{"domain", "integration", "private", "audit-export", "operational", "current-state"}
	visibilities    = []string{"public", "private", "integration", "operational"}
	policies        = []string{"delete", "compact"}
	classifications = []string{"low", "medium", "high"}
	deadLetterRules = []string{"block", "continue"}
	compatibilities = []string{"additive", "backward", "none"}
	trustLevels     = []string{"CORE", "EDGE", "PLATFORM", "LOW"}
	modes           = []string{"ordered", "unordered", "latest"}
)

func (l *loader) oneOf(pos position, at, value string, words []string) {
	if value != "" && !slices.Contains(words, value) {
		l.problems.at(pos, at, "must be one of %s", strings.Join(words, ", "))
	}
}

func (l *loader) required(pos position, at, value string) {
	if value == "" {
		l.problems.at(pos, at, "is missing")
	}
}

func (l *loader) checkTopic(dir string, t *Topic) {
	l.required(t.position, "name", t.Name)
	switch {
	case t.Name == "":
	case !topicName.MatchString(t.Name):
		l.problems.at(t.position, "name", "is no topic name; use letters, digits, dots and dashes, at most 249")
	case t.Folder() != path.Base(dir):
		l.problems.at(t.position, "name", "%s belongs in a folder named %s, not %s", t.Name, t.Folder(), path.Base(dir))
	}
	l.oneOf(t.position, "category", t.Category, categories)
	l.oneOf(t.position, "visibility", t.Visibility, visibilities)
	l.oneOf(t.position, "cleanupPolicy", t.CleanupPolicy, policies)
	l.oneOf(t.position, "classification", t.Classification, classifications)
	l.oneOf(t.position, "onDeadLetter", t.OnDeadLetter, deadLetterRules)
	l.checkNumbers(t)
	l.checkTiers(t)
}

func (l *loader) checkNumbers(t *Topic) {
	for _, n := range []struct {
		at          string
		value, from int64
	}{
		{"partitions.production", int64(t.Partitions.Production), 1},
		{"partitions.local", int64(t.Partitions.Local), 1},
		{"retentionMs", t.RetentionMs, 0},
		{"maxMessageBytes", int64(t.MaxMessageBytes), 0},
		{"deadLetter.retentionMs", t.DeadLetter.RetentionMs, 0},
	} {
		if n.value < n.from {
			l.problems.at(t.position, n.at, "must be %d or more", n.from)
		}
	}
	if t.MaxMessageBytes > DeadLetterMaxMessageBytes/2 {
		l.problems.at(t.position, "maxMessageBytes",
			"must be at most %d, so that the dead-letter topic can hold a record with its error", DeadLetterMaxMessageBytes/2)
	}
}

func (l *loader) checkTiers(t *Topic) {
	if len(t.RetryTiers) == 0 {
		l.problems.at(t.position, "retryTiers", "is missing; one tier is the least, because a redrive travels through it")
	}
	for i, tier := range t.RetryTiers {
		at := fmt.Sprintf("retryTiers[%d]", i)
		if d, err := time.ParseDuration(tier); err != nil || d <= 0 {
			l.problems.at(t.position, at, "must be a duration such as 1m")
		}
		if slices.Index(t.RetryTiers, tier) != i {
			l.problems.at(t.position, at, "stands twice; keep one")
		}
	}
}

func (l *loader) checkEvent(e *Event, t *Topic) {
	name := path.Base(e.dir)
	l.required(e.position, "eventType", e.Type)
	switch {
	case e.Type == "":
	case !eventName.MatchString(e.Type):
		l.problems.at(e.position, "eventType", "must be a name in PascalCase, letters and digits, at most 100")
	case e.Type != name:
		l.problems.at(e.position, "eventType", "%s belongs in a folder of its name, not in %s", e.Type, name)
	}
	if e.Topic != t.Name {
		l.problems.at(e.position, "topic", "must be %s, the topic of the folder", t.Name)
	}
	l.required(e.position, "ownerService", e.OwnerService)
	l.required(e.position, "aggregateType", e.AggregateType)
	if len(e.Key) == 0 || slices.Contains(e.Key, "") {
		l.problems.at(e.position, "key", "must name a field of the payload")
		e.Key = nil
	}
	l.oneOf(e.position, "compatibility", e.Compatibility, compatibilities)
	l.oneOf(e.position, "dataClassification", e.DataClassification, classifications)
	l.checkConsumers(e)
	l.checkDeprecation(e)
}

func (l *loader) checkConsumers(e *Event) {
	for i, c := range e.Consumers {
		at := fmt.Sprintf("consumers[%d]", i)
		l.required(e.position, at+".service", c.Service)
		l.required(e.position, at+".group", c.Group)
		if len(c.Reads) == 0 {
			l.problems.at(e.position, at+".reads", "is missing; name the fields that the group depends on, or \"*\"")
		}
	}
}

func (l *loader) checkDeprecation(e *Event) {
	if e.Deprecation == nil {
		return
	}
	for at, date := range map[string]string{"since": e.Deprecation.Since, "removeAfter": e.Deprecation.RemoveAfter} {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			l.problems.at(e.position, "deprecation."+at, "must be a date, YYYY-MM-DD")
		}
	}
}

func (l *loader) checkService(s *Service) {
	l.required(s.position, "name", s.Name)
	l.required(s.position, "trust", s.Trust)
	l.oneOf(s.position, "trust", s.Trust, trustLevels)
	for i, g := range s.Groups {
		l.required(s.position, groupPath(i, "name"), g.Name)
		for j, t := range g.Topics {
			at := groupPath(i, fmt.Sprintf("topics[%d]", j))
			l.required(s.position, at+".name", t.Name)
			l.required(s.position, at+".mode", t.Mode)
			l.oneOf(s.position, at+".mode", t.Mode, modes)
		}
	}
}

func groupPath(i int, rest string) string { return fmt.Sprintf("groups[%d].%s", i, rest) }
