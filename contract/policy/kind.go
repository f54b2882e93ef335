package policy

import "factline.dev/contract"

// Verdict is what a change means for those who depend on the contract.
type Verdict string

// The verdicts, from good to bad. New is for what had no state to be compared with,
// so that nothing was judged.
const (
	New        Verdict = "new"
	Compatible Verdict = "compatible"
	Risky      Verdict = "risky"
	Unknown    Verdict = "unknown"
	Breaking   Verdict = "breaking"
)

// Kind is what was changed.
type Kind string

// Changes of a payload: the ten kinds that a compatibility matrix knows, and
// what else a schema can hold.
const (
	OptionalAdded    Kind = "optional-field-added"
	RequiredAdded    Kind = "required-field-added"
	OptionalRemoved  Kind = "optional-field-removed"
	RequiredRemoved  Kind = "required-field-removed"
	FieldRenamed     Kind = "field-renamed"
	EnumMeaning      Kind = "enum-meaning-changed"
	EnumValueAdded   Kind = "enum-value-added"
	EnumValueRemoved Kind = "enum-value-removed"
	NumberPrecision  Kind = "number-precision-changed"
	TimeMeaning      Kind = "time-meaning-changed"
	MadeRequired     Kind = "field-made-required"
	MadeOptional     Kind = "field-made-optional"
	TypeChanged      Kind = "field-type-changed"
	SchemaBroken     Kind = "schema-incompatible"
	SchemaUndecided  Kind = "schema-undecided"
)

// Changes of a record.
const (
	KeyChanged          Kind = "key-changed"
	TopicChanged        Kind = "topic-changed"
	AggregateChanged    Kind = "aggregate-changed"
	OwnerChanged        Kind = "owner-changed"
	HeaderRemoved       Kind = "header-removed"
	PromiseWeakened     Kind = "compatibility-weakened"
	EventAdded          Kind = "event-added"
	VersionCompared     Kind = "version-added"
	VersionAdded        Kind = "version-added-beside"
	VersionExpired      Kind = "version-expired"
	VersionRemoved      Kind = "version-removed"
	TopicAdded          Kind = "topic-added"
	TopicRemoved        Kind = "topic-removed"
	RetentionShortened  Kind = "retention-shortened"
	ArchiveDropped      Kind = "archive-dropped"
	CompactionChanged   Kind = "compaction-changed"
	PartitionsChanged   Kind = "partitions-changed"
	ClassRaised         Kind = "class-raised"
	ClassLowered        Kind = "class-lowered"
	VisibilityNarrowed  Kind = "visibility-narrowed"
	PersonalDataChanged Kind = "personal-data-changed"
	DeadLetterBlocks    Kind = "dead-letter-blocks"
	DeadLetterPasses    Kind = "dead-letter-passes"
	RecordSizeLowered   Kind = "record-size-lowered"
	RecordSizeRaised    Kind = "record-size-raised"
	CloudEventsAdded    Kind = "cloud-events-added"
	CloudEventsDropped  Kind = "cloud-events-dropped"
	ModeChanged         Kind = "consumer-mode-changed"
)

// strictness is how much others may rely on a topic.
type strictness int

const (
	strict   strictness = iota // public, integration, and whatever does not say
	moderate                   // private: its readers are its owner's
	loose                      // operational
)

func strictnessOf(t *contract.Topic) strictness {
	switch t.Visibility {
	case "private":
		return moderate
	case "operational":
		return loose
	}
	return strict
}

// Rule is a line of the policy, for people to read.
type Rule struct {
	Kind Kind `json:"kind"`
	// Why says what goes wrong, and what to do instead.
	Why string `json:"why"`
	// The verdicts for public and integration, private, and operational topics:
	// where a declared consumer is hurt, and where none is.
	Public            Verdict `json:"public"`
	PublicUnread      Verdict `json:"publicUnread"`
	Private           Verdict `json:"private"`
	PrivateUnread     Verdict `json:"privateUnread"`
	Operational       Verdict `json:"operational"`
	OperationalUnread Verdict `json:"operationalUnread"`
}

const (
	nw, ok, rk, un, br = New, Compatible, Risky, Unknown, Breaking
)

// Rules returns the policy, in the order of the matrix.
func Rules() []Rule {
	return []Rule{
		{OptionalAdded, "readers ignore what they do not know", ok, ok, ok, ok, ok, ok},
		{RequiredAdded, "older events and producers lack it; add it as optional", br, br, br, rk, br, rk},
		{OptionalRemoved, "whoever reads it finds it gone; let them stop reading it first", br, ok, br, ok, br, ok},
		{RequiredRemoved, "readers refuse the event without it; deprecate it and publish a new version beside", br, br, br, rk, br, rk},
		{FieldRenamed, "it is a removal to its readers; add the new field, deprecate the old one, remove it later", br, br, br, rk, br, rk},
		{EnumMeaning, "whether other words mean another thing no program can tell; a new meaning takes a new value or field", un, un, un, rk, rk, rk},
		{EnumValueAdded, "readers may not handle it, and refuse it while they validate with the older contract; deploy them first", rk, ok, rk, ok, rk, ok},
		{EnumValueRemoved, "events that hold it are still in the log; keep it and stop producing it", br, br, br, rk, br, rk},
		{NumberPrecision, "amounts are compared and added by others; use a new field", br, rk, br, rk, rk, rk},
		{TimeMeaning, "whether other words mean another instant no program can tell; a new meaning takes a new field", un, un, un, rk, rk, rk},
		{MadeRequired, "older events and producers may lack it; keep it optional", br, br, br, rk, br, rk},
		{MadeOptional, "readers refuse the event without it; keep it required", br, br, br, rk, br, rk},
		{TypeChanged, "readers refuse or misread it; use a new field", br, br, br, rk, br, rk},
		{SchemaBroken, "one side refuses what the other writes, as the document shows", br, br, br, rk, br, rk},
		{SchemaUndecided, "it could not be shown that both sides understand each other", un, un, un, un, un, un},

		{KeyChanged, "order holds within a key; a new key needs a new topic", br, br, br, br, br, br},
		{TopicChanged, "readers of the old topic wait in vain; publish on both for a declared time", br, br, br, rk, br, rk},
		{AggregateChanged, "versions are counted by aggregate; readers see gaps that never close", br, br, br, br, br, br},
		{OwnerChanged, "another producer has other rights, people and habits; readers must know", rk, rk, rk, rk, rk, rk},
		{HeaderRemoved, "whoever filters or routes by it finds it gone; the field of the value stays", br, rk, br, rk, rk, rk},
		{PromiseWeakened, "readers were built on the stronger promise; agree with them first", rk, rk, rk, ok, rk, ok},
		{EventAdded, "there is no earlier state, so that nothing was compared", nw, nw, nw, nw, nw, nw},
		{VersionCompared, "it keeps what the versions before it promise", ok, ok, ok, ok, ok, ok},
		{VersionAdded, "readers of the topic meet a version that they may not know; publish it on a topic of its own", br, br, br, rk, br, rk},
		{VersionExpired, "nothing of it can be read any more", ok, ok, ok, ok, ok, ok},
		{VersionRemoved, "events of the version are still in the log or among the dead letters", br, br, br, rk, br, rk},
		{TopicAdded, "there is no earlier state, so that nothing was compared", nw, nw, nw, nw, nw, nw},
		{TopicRemoved, "its readers wait in vain", br, br, br, rk, br, rk},
		{RetentionShortened, "the broker deletes what is older at once, and rebuilds begin later", rk, rk, rk, rk, rk, rk},
		{ArchiveDropped, "what the topic has forgotten can no longer be read anywhere", rk, rk, rk, rk, rk, rk},
		{CompactionChanged, "history is thrown away, or state expires", br, br, br, br, br, br},
		{PartitionsChanged, "keys move to other partitions, and their order with them; use a new topic", br, rk, br, rk, rk, rk},
		{ClassRaised, "readers of low trust and copies elsewhere hold what they must not", rk, rk, rk, rk, rk, rk},
		{ClassLowered, "readers are let in who were kept out for a reason", rk, rk, rk, rk, rk, rk},
		{VisibilityNarrowed, "others were invited to depend on it", br, rk, br, rk, rk, rk},
		{PersonalDataChanged, "what is marked is encrypted, masked and erased, and what was written before is not", rk, rk, rk, rk, rk, rk},
		{DeadLetterBlocks, "one bad event now holds back its key until somebody acts; prepare those who are called", rk, ok, rk, ok, rk, ok},
		{DeadLetterPasses, "later events of a key overtake its dead letter, and its readers see a gap", br, rk, br, rk, rk, rk},
		{RecordSizeLowered, "the broker refuses larger records, and what waits behind them of their key waits too", br, br, rk, rk, rk, rk},
		{RecordSizeRaised, "a reader that fetches or holds less cannot take the largest", rk, ok, rk, ok, rk, ok},
		{CloudEventsAdded, "records carry more headers; readers ignore those that they do not know", ok, ok, ok, ok, ok, ok},
		{CloudEventsDropped, "readers outside that decode CloudEvents find no event in the record", br, br, br, rk, br, rk},
		{ModeChanged, "its gate counts versions only where it read in order; see that it is caught up, and move it by a new group where it is not", rk, rk, rk, rk, rk, rk},
	}
}

// judge is the verdict on a change, and why.
func judge(k Kind, s strictness, hurt bool) (Verdict, string) {
	for _, r := range Rules() {
		if r.Kind != k {
			continue
		}
		verdicts := [3][2]Verdict{{r.PublicUnread, r.Public}, {r.PrivateUnread, r.Private}, {r.OperationalUnread, r.Operational}}
		if hurt {
			return verdicts[s][1], r.Why
		}
		return verdicts[s][0], r.Why
	}
	return Unknown, "no rule judges it"
}
