package contract

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of what a topic takes, used where its contract says nothing.
const (
	// DefaultMaxMessageBytes is the largest record of a topic, 1 MiB.
	DefaultMaxMessageBytes = 1 << 20
	// DeadLetterMaxMessageBytes is the largest record of a dead-letter topic,
	// 8 MiB: the largest event must fit with its error around it.
	DeadLetterMaxMessageBytes = 8 << 20
	// DerivedLocalPartitions is how many partitions a retry or dead-letter
	// topic has on a developer's machine, and at least has in production.
	DerivedLocalPartitions = 3
)

const (
	retryRetention             = 7 * 24 * time.Hour
	defaultDeadLetterRetention = 90 * 24 * time.Hour
)

// Topic is the contract of one topic, as its topic.yaml says it. Read only.
type Topic struct {
	// Name is the topic on the broker, such as oms.order.events.v1.
	Name string `json:"name"`
	// Description says in a sentence or two what stands on the topic.
	Description string `json:"description"`
	// Category is one of domain, integration, private, audit-export,
	// operational, current-state.
	Category string `json:"category"`
	// Visibility is one of public, private, integration, operational.
	Visibility string `json:"visibility"`
	// Owner is the service that produces the topic.
	Owner string `json:"owner"`
	// BusinessOwner and TechnicalOwner are the people to ask.
	BusinessOwner  string `json:"businessOwner"`
	TechnicalOwner string `json:"technicalOwner"`
	// Key is the payload field that keys most of the topic's records. The
	// contract of each event decides for its own.
	Key string `json:"key"`
	// Partitions is the number of partitions by environment.
	Partitions Partitions `json:"partitions"`
	// RetentionMs is how long records are kept, in milliseconds. 0 for
	// compacted topics, which keep the latest record of each key.
	RetentionMs int64 `json:"retentionMs"`
	// Archive says that records are also kept in the archive, for longer.
	Archive bool `json:"archive"`
	// CleanupPolicy is delete or compact. Default delete.
	CleanupPolicy string `json:"cleanupPolicy"`
	// Classification is the highest sensitivity on the topic: low, medium, high.
	Classification string `json:"classification"`
	// MaxMessageBytes is the largest record. Default 1 MiB.
	MaxMessageBytes int `json:"maxMessageBytes"`
	// RetryTiers are the delays of the retry chain, such as 1m, 15m, 1h. At
	// least one: a redrive travels through the shortest.
	RetryTiers []string `json:"retryTiers"`
	// DeadLetter is what is particular about the dead-letter topic.
	DeadLetter DeadLetterPolicy `json:"deadLetter"`
	// OnDeadLetter is block (an ordered key waits until its dead letter is
	// redriven or skipped) or continue. Default block.
	OnDeadLetter string `json:"onDeadLetter"`
	// CloudEvents says that the topic's records also carry the headers of a
	// CloudEvent in binary mode, for readers outside. Default false.
	CloudEvents bool `json:"cloudEvents"`
	// Runbook is where to read what to do when the topic's events fail, lag or
	// are missing: a path in the repository or a URL. Default the runbook of
	// the service that owns the dead letters.
	Runbook string `json:"runbook,omitempty"`

	position
}

// Partitions is a number of partitions by environment.
type Partitions struct {
	Production int `json:"production"`
	Local      int `json:"local"`
}

// DeadLetterPolicy is what a topic says about its dead-letter topic.
type DeadLetterPolicy struct {
	// Owner is the service that owns the dead letters. Default the topic's owner.
	Owner string `json:"owner"`
	// RetentionMs is how long they are kept. Default 90 days.
	RetentionMs int64 `json:"retentionMs"`
}

// DerivedTopic is a retry or dead-letter topic, which follows from its source
// and is written nowhere.
type DerivedTopic struct {
	Name string `json:"name"`
	// Source is the topic it serves.
	Source string `json:"source"`
	// Tier is the name of the retry tier, such as 15m, empty for a dead-letter
	// topic.
	Tier string `json:"tier,omitempty"`
	// Delay is how long a record waits in the tier, 0 for a dead-letter topic.
	Delay           time.Duration `json:"delayNanoseconds,omitempty"`
	Partitions      Partitions    `json:"partitions"`
	RetentionMs     int64         `json:"retentionMs"`
	CleanupPolicy   string        `json:"cleanupPolicy"`
	Classification  string        `json:"classification"`
	Owner           string        `json:"owner"`
	MaxMessageBytes int           `json:"maxMessageBytes"`
}

// File is the path of the topic's contract inside the folder.
func (t *Topic) File() string { return t.file }

// Line is the line of a path such as "partitions.local" in [Topic.File], or of what
// would hold it where it is not written. 0 where there is no file.
func (t *Topic) Line(path string) int { return t.line(path) }

// Folder is the name of the topic's folder and of its part of a schema
// reference: the name without .v1.
func (t *Topic) Folder() string { return strings.TrimSuffix(t.Name, ".v1") }

// Retention is [Topic.RetentionMs] as a duration, 0 where records are kept
// for ever.
func (t *Topic) Retention() time.Duration { return time.Duration(t.RetentionMs) * time.Millisecond }

// RetryTopics returns the topics of the retry chain, shortest delay first.
func (t *Topic) RetryTopics() []DerivedTopic {
	chain := make([]DerivedTopic, 0, len(t.RetryTiers))
	for _, tier := range t.RetryTiers {
		retry := t.derive("retry." + tier)
		retry.Tier = tier
		retry.Delay, _ = time.ParseDuration(tier) // Load has parsed it once
		chain = append(chain, retry)
	}
	slices.SortStableFunc(chain, func(a, b DerivedTopic) int { return int(a.Delay - b.Delay) })
	return chain
}

// DeadLetterTopic returns the name of the topic's dead-letter topic.
func (t *Topic) DeadLetterTopic() string { return t.derivedName("dlt") }

// DeadLetters returns the dead-letter topic. It is never classed below medium,
// because a dead letter holds the whole failed record.
func (t *Topic) DeadLetters() DerivedTopic {
	dlt := t.derive("dlt")
	dlt.RetentionMs = t.DeadLetter.RetentionMs
	dlt.Owner = t.DeadLetter.Owner
	dlt.MaxMessageBytes = DeadLetterMaxMessageBytes
	if dlt.Classification != "high" {
		dlt.Classification = "medium"
	}
	return dlt
}

func (t *Topic) derive(kind string) DerivedTopic {
	return DerivedTopic{
		Name:   t.derivedName(kind),
		Source: t.Name,
		Partitions: Partitions{
			Production: max(DerivedLocalPartitions, t.Partitions.Production/2),
			Local:      DerivedLocalPartitions,
		},
		RetentionMs:     retryRetention.Milliseconds(),
		CleanupPolicy:   "delete",
		Classification:  t.Classification,
		Owner:           t.Owner,
		MaxMessageBytes: t.MaxMessageBytes,
	}
}

func (t *Topic) derivedName(kind string) string {
	base, version := cutVersion(t.Name)
	return base + "." + kind + version
}

// cutVersion splits the version off a topic name: "a.b", ".v1". A name without
// one counts as version 1.
func cutVersion(name string) (base, version string) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 || !strings.HasPrefix(name[dot:], ".v") {
		return name, ".v1"
	}
	if _, err := strconv.Atoi(name[dot+2:]); err != nil {
		return name, ".v1"
	}
	return name[:dot], name[dot:]
}

func (t *Topic) fillDefaults() {
	if t.CleanupPolicy == "" {
		t.CleanupPolicy = "delete"
	}
	if t.MaxMessageBytes == 0 {
		t.MaxMessageBytes = DefaultMaxMessageBytes
	}
	if t.OnDeadLetter == "" {
		t.OnDeadLetter = "block"
	}
	if t.DeadLetter.Owner == "" {
		t.DeadLetter.Owner = t.Owner
	}
	if t.DeadLetter.RetentionMs == 0 {
		t.DeadLetter.RetentionMs = defaultDeadLetterRetention.Milliseconds()
	}
}
