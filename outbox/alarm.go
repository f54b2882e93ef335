package outbox

import (
	"log/slog"
	"time"
)

// alarms says what an operator should know, and says it again only now and then.
type alarms struct{ blocker, defaultRows, repartitioned time.Time }

const (
	// oldBlocker is the age from which a writing transaction is worth a word: no
	// gap can be proved empty before it ends.
	oldBlocker = time.Minute
	// sayAgain is the pause between two words about the same thing.
	sayAgain = 5 * time.Minute
)

func (a *alarms) raise(log *slog.Logger, report StatusReport, repartitioned []string, now time.Time) {
	if b := report.Blocker; b != nil && b.AgeSeconds > oldBlocker.Seconds() && isTime(&a.blocker, now) {
		log.Warn("a transaction has been writing for long; gaps in the outbox cannot be proved empty, and its partitions not be dropped, before it ends",
			"blocker", b.String(), "age_seconds", b.AgeSeconds)
	}
	if report.DefaultRows > 0 && isTime(&a.defaultRows, now) {
		log.Error("events are in the outbox's default partition: none was made for their day; let a relay run, or run migrate.Up",
			"events", report.DefaultRows)
	}
	if len(repartitioned) > 0 && isTime(&a.repartitioned, now) {
		log.Error("topics have another number of partitions than when they were first published to; keys stay in the first ones, and records wait where there are fewer: drain the consumers, stop all relays, delete the topic's row of factline.outbox_topic and start them",
			"topics", repartitioned)
	}
}

func isTime(last *time.Time, now time.Time) bool {
	if !last.IsZero() && now.Sub(*last) < sayAgain {
		return false
	}
	*last = now
	return true
}
