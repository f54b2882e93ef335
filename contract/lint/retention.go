package lint

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"factline.dev/contract"
)

// retryHorizonFactor is how many times the whole retry chain must fit into the
// retention, so that an event is still there when its last retry has failed.
const retryHorizonFactor = 2

var daysInWords = regexp.MustCompile(`([0-9]+) days?`)

func retention() Rule {
	return Rule{
		Name:  "retention",
		Title: "Retention is a stated decision, longer than retries and repairs take",
		Why: "Retention is what a projection can be rebuilt from. Left out it is whatever the broker's default is; " +
			"shorter than the retry chain it deletes events that are still being retried; shorter than dead letters " +
			"are kept, a repair finds a letter whose neighbours are gone.",
		Good:  "retentionMs: 31536000000, retention: 365 days plus archive",
		Bad:   "a topic.yaml without retentionMs, or retentionMs of 7 days with dead letters kept for 90 and no archive",
		check: checkRetention,
	}
}

func checkRetention(r *report) {
	for _, t := range r.Topics() {
		checkTopicRetention(r, t)
	}
	for _, e := range r.current() {
		checkEventRetention(r, e)
	}
}

func checkTopicRetention(r *report, t *contract.Topic) {
	if t.CleanupPolicy == "compact" {
		if t.RetentionMs != 0 {
			r.topic(t, "retentionMs", "has no effect on a compacted topic; leave it out")
		}
		return
	}
	var chain time.Duration
	for _, retry := range t.RetryTopics() {
		chain += retry.Delay
	}
	switch {
	case t.RetentionMs == 0:
		r.topic(t, "retentionMs", "is missing; decide how long the events can be read back")
	case t.Retention() < retryHorizonFactor*chain:
		r.topic(t, "retentionMs", "keeps records for %s, less than twice the retry chain of %s; keep them longer",
			t.Retention(), chain)
	case evidence(t) && !t.Archive && t.RetentionMs < t.DeadLetter.RetentionMs:
		r.topic(t, "retentionMs", "keeps records for %d days but dead letters for %d, so that a late redrive or replay finds a gap; keep them as long, or archive them",
			days(t.RetentionMs), days(t.DeadLetter.RetentionMs))
	}
	for _, retry := range t.RetryTopics() {
		if kept := time.Duration(retry.RetentionMs) * time.Millisecond; kept < retryHorizonFactor*retry.Delay {
			r.topic(t, "retryTiers", "delays records for %s on a retry topic that keeps them for %s; shorten the tier", retry.Delay, kept)
		}
	}
}

// evidence reports whether others rebuild their state from the topic.
func evidence(t *contract.Topic) bool {
	return slices.Contains([]string{"domain", "integration", "audit-export"}, t.Category)
}

func days(ms int64) int64 { return ms / (24 * time.Hour).Milliseconds() }

// checkEventRetention holds the words of the ownership record to the number
// that the topic is made with.
func checkEventRetention(r *report, e *contract.Event) {
	t := r.topicOf(e)
	if e.Retention == "" {
		r.event(e, "retention", "is missing; say how long the event can be read back")
		return
	}
	if match := daysInWords.FindStringSubmatch(e.Retention); match != nil && t.RetentionMs > 0 {
		days, _ := strconv.ParseInt(match[1], 10, 64)
		if actual := int64(t.Retention() / (24 * time.Hour)); days != actual {
			r.event(e, "retention", "says %d days but the topic keeps records for %d", days, actual)
		}
	}
	if says := strings.Contains(e.Retention, "archive"); says != t.Archive {
		r.event(e, "retention", "and the topic's archive: %t do not agree; say \"plus archive\" where the topic is archived, and only there", t.Archive)
	}
}
