package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"factline.dev/contract"
	"factline.dev/contract/compat"
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
	put(OwnerChanged, "ownerService", before.OwnerService, after.OwnerService, "was produced by %s and is produced by %s")
	put(PersonalDataChanged, "containsPII", strconv.FormatBool(before.ContainsPII), strconv.FormatBool(after.ContainsPII), "said containsPII: %s and says %s")
	put(classKind(before.DataClassification, after.DataClassification), "dataClassification",
		before.DataClassification, after.DataClassification, "was of class %q and is of class %q")
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
			return
		}
		c.add(c.stricter(e.Topic), Change{
			Kind: VersionRemoved, Subject: name(e), File: e.File(), Old: e.SchemaRef(), Hurt: groups(e),
			Message: fmt.Sprintf("is removed; produced until %s, its events can be read until %s", e.Deprecation.RemoveAfter, last.Format(time.DateOnly)),
		})
		return
	}
	c.add(c.stricter(e.Topic), Change{
		Kind: VersionRemoved, Subject: name(e), File: e.File(), Old: e.SchemaRef(), Hurt: groups(e),
		Message: "is removed without a deprecation that said until when it is produced",
	})
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
	put(strictnessOf(after) > strictnessOf(before), VisibilityNarrowed, "visibility", before.Visibility, after.Visibility, "was %s and is %s")
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
		for _, s := range state.Catalogue.Services() {
			for _, g := range s.Groups {
				if _, reads := g.Mode(topic); reads {
					found = append(found, g.Name)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// version judges a new version of an event that had others: every version that
// is retained on the same topic is read by the same groups.
func (c *checker) version(e *contract.Event) error {
	if _, existed := c.old.Catalogue.Event(e.Type, e.Version); existed {
		return nil
	}
	for _, other := range c.now.Catalogue.Events() {
		if other.Type != e.Type || other.Version >= e.Version {
			continue
		}
		if other.Topic != e.Topic {
			c.successor(other, e)
			continue
		}
		if err := c.beside(other, e); err != nil {
			return err
		}
	}
	return nil
}

// successor asks the older version on another topic for its end.
func (c *checker) successor(older, e *contract.Event) {
	if older.Deprecation == nil {
		c.add(c.stricter(e.Topic), Change{
			Kind: VersionAdded, Subject: name(e), File: older.File(), Path: "deprecation", Old: name(older), New: name(e), Hurt: groups(older),
			Message: fmt.Sprintf("comes beside %s on %s, which does not say until when it is published too; give it a deprecation", name(older), older.Topic),
		})
	}
}

func (c *checker) beside(older, e *contract.Event) error {
	was, is := compat.NewFolder(payloadOf(c.now.FS, older)), compat.NewFolder(payloadOf(c.now.FS, e))
	result, err := c.compare(was, payloadFile(older), is, payloadFile(e))
	if err != nil {
		return err
	}
	for _, change := range unexplained(&diff{before: older, after: e}, result, "") {
		if change.Kind == SchemaBroken {
			change.Kind = VersionAdded
		}
		change.Old, change.New = older.SchemaRef()+" "+change.Old, e.SchemaRef()+" "+change.New
		next := fmt.Sprintf("%s.v%d", strings.TrimSuffix(e.Topic, ".v1"), e.Version)
		change.Message = fmt.Sprintf("is not compatible with %s on the same topic: %s; put it on %s", name(older), change.Message, next)
		c.add(c.stricter(e.Topic), change)
	}
	return nil
}
