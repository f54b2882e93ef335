package check

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"factline.dev/prove/history"
)

// SentBroken is a record that must become a dead letter.
type SentBroken struct {
	Record history.Record
	Group  string
	// EventID and EventType are what can be read of it, empty for a record that
	// cannot be read at all.
	EventID, EventType, ErrorClass string
}

// letter is the form of a dead letter, written here again: the reader of an
// operator has no library either.
type letter struct {
	FailedAt        *string
	SourceTopic     *string
	SourcePartition *int32
	SourceOffset    *int64
	ConsumerGroup   *string
	EventID         *string
	EventType       *string
	ErrorClass      *string
	ErrorMessage    *string
	AttemptCount    *int
	OriginalRecord  *struct {
		Key           *string
		KeyEncoding   string
		Headers       map[string]string
		Value         *string
		ValueEncoding string
	}
}

// DeadLetterComplete asks that exactly one record on the dead-letter topic tells of what
// was sent, with every field filled and the original byte by byte.
func DeadLetterComplete(sent SentBroken, deadLetters []history.Record) Result {
	r := Result{Name: "an invalid event is on the dead-letter topic with its whole record"}
	found := 0
	for _, record := range deadLetters {
		var l letter
		if err := json.Unmarshal(record.Value, &l); err != nil {
			r.problem("%s/%d/%d is no dead letter: %v", record.Topic, record.Partition, record.Offset, err)
			continue
		}
		if !l.isOf(sent) {
			continue
		}
		found++
		l.judge(&r, sent)
		r.Observed = fmt.Sprintf("at %s/%d/%d: class %s, %s", record.Topic, record.Partition, record.Offset, text(l.ErrorClass), text(l.ErrorMessage))
	}
	if found != 1 {
		r.problem("%d dead letters of %s tell of %s/%d/%d, 1 was expected", found, sent.Group, sent.Record.Topic, sent.Record.Partition, sent.Record.Offset)
	}
	return r
}

func (l letter) isOf(sent SentBroken) bool {
	return text(l.ConsumerGroup) == sent.Group && text(l.SourceTopic) == sent.Record.Topic &&
		l.SourcePartition != nil && *l.SourcePartition == sent.Record.Partition && l.SourceOffset != nil && *l.SourceOffset == sent.Record.Offset
}

func (l letter) judge(r *Result, sent SentBroken) {
	if _, err := time.Parse(time.RFC3339, text(l.FailedAt)); err != nil {
		r.problem("failedAt is no time")
	}
	for _, f := range []struct {
		name      string
		got, want *string
	}{
		{"eventId", l.EventID, &sent.EventID}, {"eventType", l.EventType, &sent.EventType}, {"errorClass", l.ErrorClass, &sent.ErrorClass},
	} {
		if f.got == nil || *f.got != *f.want {
			r.problem("%s is %q, %q was sent", f.name, text(f.got), *f.want)
		}
	}
	if text(l.ErrorMessage) == "" {
		r.problem("errorMessage is missing")
	}
	if l.AttemptCount == nil || *l.AttemptCount < 1 {
		r.problem("attemptCount is missing or below 1")
	}
	l.judgeOriginal(r, sent.Record.Raw)
}

func (l letter) judgeOriginal(r *Result, sent history.RawRecord) {
	o := l.OriginalRecord
	if o == nil {
		r.problem("originalRecord is missing")
		return
	}
	if !bytes.Equal(original(o.Key, o.KeyEncoding), sent.Key) {
		r.problem("originalRecord.key is not the key that was sent")
	}
	if o.Value == nil || !bytes.Equal(original(o.Value, o.ValueEncoding), sent.Value) {
		r.problem("originalRecord.value is not the value that was sent, byte by byte")
	}
	for _, h := range sent.Headers {
		if got, ok := o.Headers[h.Key]; !ok || got != string(h.Value) {
			r.problem("originalRecord.headers lacks %s", h.Key)
		}
	}
	if o.Headers == nil {
		r.problem("originalRecord.headers is missing")
	}
}

func original(value *string, encoding string) []byte {
	if value == nil {
		return nil
	}
	if encoding != "base64" {
		return []byte(*value)
	}
	decoded, err := base64.StdEncoding.DecodeString(*value)
	if err != nil {
		return nil
	}
	return decoded
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// Hold is what a group did with a broken event's key and the event behind it.
type Hold struct {
	Group string
	// Blocked is whether the key was blocked and Held how many events waited,
	// before the skip and after it.
	BlockedBefore, BlockedAfter bool
	HeldBefore, HeldAfter       int64
	// VersionBefore and VersionAfter are what the read model showed.
	VersionBefore, VersionAfter, VersionWanted int64
	// Actions are the audited acts on the dead letter.
	Actions []string
}

// KeyHeldThenReleased asks that the broken event blocked its key, its successor waited
// without effect, and an audited skip let it take effect.
func KeyHeldThenReleased(h Hold) Result {
	r := Result{Name: "an invalid event blocks its key, holds its successors, and a skip releases them"}
	if !h.BlockedBefore {
		r.problem("the key was not blocked")
	}
	if h.HeldBefore == 0 {
		r.problem("no successor was held")
	}
	if h.VersionBefore >= h.VersionWanted {
		r.problem("the successor took effect before the skip: version %d was shown", h.VersionBefore)
	}
	if h.BlockedAfter || h.HeldAfter != 0 {
		r.problem("after the skip the key is blocked (%v) or events are held (%d)", h.BlockedAfter, h.HeldAfter)
	}
	if h.VersionAfter != h.VersionWanted {
		r.problem("after the skip version %d is shown, %d was wanted", h.VersionAfter, h.VersionWanted)
	}
	if !slices.Contains(h.Actions, "deadletter.skip") {
		r.problem("the skip left no audited action")
	}
	r.Observed = fmt.Sprintf("%s: %d held at version %d, then %d held at version %d; acts %v",
		h.Group, h.HeldBefore, h.VersionBefore, h.HeldAfter, h.VersionAfter, h.Actions)
	return r
}
