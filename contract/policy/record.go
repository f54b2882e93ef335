package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"factline.dev/contract"
)

// record judges what changed in an event's ownership record.
func (c *checker) record(before, after *contract.Event) {
	t := c.stricter(before.Topic)
	put := func(kind Kind, path, old, now, message string) {
		if old == now {
			return
		}
		c.add(t, Change{
			Kind: kind, Subject: name(after), File: after.File(), Line: after.Line(path), Path: path,
			Old: old, New: now, Message: fmt.Sprintf(message, old, now), Hurt: groups(before, after),
		})
	}
	put(TopicChanged, "topic", before.Topic, after.Topic, "moves from %s to %s")
	put(KeyChanged, "key", before.KeyName(), after.KeyName(), "was keyed by %s and is keyed by %s")
	put(AggregateChanged, "aggregateType", before.AggregateType, after.AggregateType, "belonged to %s and belongs to %s")
	put(OwnerChanged, "anyProducer", producers(before), producers(after), "was produced by %s and is produced by %s")
	for _, header := range minus(before.Headers, after.Headers) {
		put(HeaderRemoved, "headers", header, "", "does not carry the header %s any more%s")
	}
	if rank(after.Compatibility) > rank(before.Compatibility) {
		put(PromiseWeakened, "compatibility", before.Compatibility, after.Compatibility, "said compatibility: %s and says %s")
	}
	put(OwnerChanged, "ownerService", before.OwnerService, after.OwnerService, "was produced by %s and is produced by %s")
	put(PersonalDataChanged, "containsPII", strconv.FormatBool(before.ContainsPII), strconv.FormatBool(after.ContainsPII), "said containsPII: %s and says %s")
	put(classKind(before.DataClassification, after.DataClassification), "dataClassification",
		before.DataClassification, after.DataClassification, "was of class %q and is of class %q")
}

func producers(e *contract.Event) string {
	if e.AnyProducer {
		return "any service"
	}
	return "its owner alone"
}

var classes = []string{"", "low", "medium", "high"}

func classKind(old, now string) Kind {
	if slices.Index(classes, now) > slices.Index(classes, old) {
		return ClassRaised
	}
	return ClassLowered
}

// removed judges an event version that is gone: it may go when the day that its
// deprecation named is over and no record of it can be read any more.
func (c *checker) removed(e *contract.Event) {
	t := c.topicNow(e.Topic)
	if e.Deprecation != nil {
		end, _ := time.Parse(time.DateOnly, e.Deprecation.RemoveAfter) // Load has parsed it once
		last := end.Add(longest(t))
		if t.CleanupPolicy != "compact" && len(e.Consumers) == 0 && c.today.After(last) {
			c.add(c.stricter(e.Topic), Change{
				Kind: VersionExpired, Subject: name(e), File: e.File(), Old: e.SchemaRef(),
				Message: fmt.Sprintf("is removed; it was produced until %s and could be read until %s", e.Deprecation.RemoveAfter, last.Format(time.DateOnly)),
			})
			return
		}
		c.add(c.stricter(e.Topic), Change{
			Kind: VersionRemoved, Subject: name(e), File: e.File(), Old: e.SchemaRef(), Hurt: groups(e),
			Message: fmt.Sprintf("is removed; produced until %s, its events can be read until %s%s", e.Deprecation.RemoveAfter, last.Format(time.DateOnly), stillRead(e)),
		})
		return
	}
	c.add(c.stricter(e.Topic), Change{
		Kind: VersionRemoved, Subject: name(e), File: e.File(), Old: e.SchemaRef(), Hurt: groups(e),
		Message: "is removed without a deprecation that said until when it is produced" + stillRead(e),
	})
}

// stillRead names who still reads an event that goes.
func stillRead(e *contract.Event) string {
	if len(e.Consumers) == 0 {
		return ", and no declared consumer reads it"
	}
	return ", and is read by " + strings.Join(groups(e), ", ")
}

// longest is how long a record can still come back after it was written: from
// the topic, or redriven from the dead letters.
func longest(t *contract.Topic) time.Duration {
	return max(t.Retention(), time.Duration(t.DeadLetter.RetentionMs)*time.Millisecond)
}

// topic judges what became of a topic.
func (c *checker) topic(before *contract.Topic) {
	after, ok := c.now.Catalogue.Topic(before.Name)
	if !ok {
		c.add(before, Change{
			Kind: TopicRemoved, Subject: before.Name, File: before.File(), Old: before.Name, Message: "is removed", Hurt: c.groupsOn(before.Name),
		})
		return
	}
	put := func(differs bool, kind Kind, path, old, now, message string) {
		if !differs {
			return
		}
		c.add(c.stricter(after.Name), Change{
			Kind: kind, Subject: after.Name, File: after.File(), Line: after.Line(path), Path: path,
			Old: old, New: now, Message: fmt.Sprintf(message, old, now), Hurt: c.groupsOn(after.Name),
		})
	}
	put(before.Owner != after.Owner, OwnerChanged, "owner", before.Owner, after.Owner, "was owned by %s and is owned by %s")
	put(before.RetentionMs > after.RetentionMs && after.CleanupPolicy != "compact", RetentionShortened, "retentionMs",
		inDays(before.Retention()), inDays(after.Retention()), "kept records for %s and keeps them for %s")
	put(before.Archive && !after.Archive, ArchiveDropped, "archive", "true", "false", "was archived (%s) and is not any more (%s)")
	put(before.CleanupPolicy != after.CleanupPolicy, CompactionChanged, "cleanupPolicy", before.CleanupPolicy, after.CleanupPolicy, "had the cleanup policy %s and has %s")
	put(before.Partitions.Production != after.Partitions.Production, PartitionsChanged, "partitions.production",
		strconv.Itoa(before.Partitions.Production), strconv.Itoa(after.Partitions.Production), "had %s partitions and has %s")
	put(before.Classification != after.Classification, classKind(before.Classification, after.Classification), "classification",
		before.Classification, after.Classification, "was of class %q and is of class %q")
	c.delivery(before, after, put)
	put(strictnessOf(after) > strictnessOf(before), VisibilityNarrowed, "visibility", before.Visibility, after.Visibility, "was %s and is %s")
}

// delivery judges what the broker and the library do with the topic's records.
func (c *checker) delivery(before, after *contract.Topic, put func(differs bool, kind Kind, path, old, now, message string)) {
	put(before.DeadLetter.RetentionMs > after.DeadLetter.RetentionMs, RetentionShortened, "deadLetter.retentionMs",
		inDays(time.Duration(before.DeadLetter.RetentionMs)*time.Millisecond), inDays(time.Duration(after.DeadLetter.RetentionMs)*time.Millisecond),
		"kept dead letters for %s and keeps them for %s")
	deadLetters := DeadLetterBlocks
	if after.OnDeadLetter == "continue" {
		deadLetters = DeadLetterPasses
	}
	put(before.OnDeadLetter != after.OnDeadLetter, deadLetters, "onDeadLetter", before.OnDeadLetter, after.OnDeadLetter, "a dead letter of an ordered key: was %s and is %s")
	was, is := strconv.Itoa(before.MaxMessageBytes), strconv.Itoa(after.MaxMessageBytes)
	put(before.MaxMessageBytes > after.MaxMessageBytes, RecordSizeLowered, "maxMessageBytes", was, is, "took records of %s bytes and takes %s, also from what "+after.Owner+" has not published yet")
	put(before.MaxMessageBytes < after.MaxMessageBytes, RecordSizeRaised, "maxMessageBytes", was, is, "took records of %s bytes and takes %s")
	put(!before.CloudEvents && after.CloudEvents, CloudEventsAdded, "cloudEvents", "false", "true", "carried no headers of a CloudEvent (%s) and carries them (%s)")
	put(before.CloudEvents && !after.CloudEvents, CloudEventsDropped, "cloudEvents", "true", "false", "carried the headers of a CloudEvent (%s) and carries them no more (%s)")
}

// newTopic tells of a topic that nothing is compared with.
func (c *checker) newTopic(t *contract.Topic) {
	if _, existed := c.old.Catalogue.Topic(t.Name); !existed {
		c.add(t, Change{Kind: TopicAdded, Subject: t.Name, File: t.File(), Line: t.Line("name"), New: t.Name, Message: "is new"})
	}
}

// modes judges how groups read what they read before.
func (c *checker) modes() {
	for _, s := range c.now.Catalogue.Services() {
		for i, g := range s.Groups {
			before, existed := c.old.Catalogue.Group(g.Name)
			if !existed {
				continue
			}
			for j, sub := range g.Topics {
				was, read := before.Mode(sub.Name)
				if t := c.topicNow(sub.Name); read && was != sub.Mode && t != nil {
					path := fmt.Sprintf("groups[%d].topics[%d].mode", i, j)
					c.add(t, Change{
						Kind: ModeChanged, Subject: g.Name, File: s.File(), Line: s.Line(path), Path: path, Old: sub.Name + " " + was, New: sub.Name + " " + sub.Mode,
						Message: fmt.Sprintf("read %s %s and reads it %s", sub.Name, was, sub.Mode), Hurt: []string{g.Name},
					})
				}
			}
		}
	}
}

func inDays(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}

// groupsOn are the groups that either state has on a topic.
func (c *checker) groupsOn(topic string) []string {
	var found []string
	for _, state := range []State{c.old, c.now} {
		for _, g := range state.Catalogue.GroupsOn(topic) {
			found = append(found, g.Name)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
