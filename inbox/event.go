package inbox

// Aggregate names an entity whose events are counted.
type Aggregate struct {
	TenantID, Type, ID string
}

// Key is what an operator unblocks: a record key of a tenant, or the aggregate
// id of an event without one.
type Key struct {
	TenantID, BlockKey string
}

// Fault says what is wrong with an event before anybody looks at its version.
type Fault int

const (
	// Sound is an event that may be applied.
	Sound Fault = iota
	// Broken is an event that can be read and must not be applied.
	Broken
	// Unreadable is a record of which nothing is known: no id, no aggregate.
	Unreadable
	// Failed is an event whose effect failed and is tried again later.
	Failed
)

// Event is what a decision needs to know of a record.
type Event struct {
	Aggregate Aggregate
	// Partition is where the record stands.
	Partition int32
	// Version is the aggregateVersion, 0 where the event has none.
	Version int64
	EventID string
	// BlockKey is the record key, or the aggregate id of an event without one.
	BlockKey string
	// Handled is false for a type that only advances the gate.
	Handled bool
	Fault   Fault
	// Tombstone is a record without a value, in mode Latest alone.
	Tombstone bool
	// Repeated is a record whose offset is below the partition's next offset.
	// It matters for a tombstone, which has no version and no id.
	Repeated bool
	// Due is an event that failed and whose turn has come: its own block does not
	// stop it.
	Due bool
	// GateEventID is, in mode Latest, whose event the gate had when a Due event
	// failed. Another one of the same version came later and stays.
	GateEventID string
	// Redriven is an event that was given up and is tried again. Where
	// [View.Continue] let the later ones go on, it comes after them.
	Redriven bool
}

// Key is what blocks e.
func (e *Event) Key() Key { return Key{TenantID: e.Aggregate.TenantID, BlockKey: e.BlockKey} }

// Position is how far an aggregate has come: the last version and the id of
// its event.
type Position struct {
	Version int64
	EventID string
	// IsBaseline is set where the first version seen was not 1, because the
	// log's start was cut.
	IsBaseline bool
}

// Block is why a key waits: the first event of it that was given up. Earlier
// versions of the same aggregate still pass.
type Block struct {
	Aggregate Aggregate
	Version   int64
	EventID   string
}

func (b Block) stops(e *Event) bool {
	return e.Aggregate != b.Aggregate || e.Version >= b.Version
}

// Verdict is what becomes of an event.
type Verdict int

const (
	// Apply runs the handler and moves the gate.
	Apply Verdict = iota
	// Advance moves the gate and runs nothing.
	Advance
	// Duplicate changes nothing: it took effect before, or was settled.
	Duplicate
	// HoldGap keeps the event until an earlier version arrives.
	HoldGap
	// HoldBlocked keeps the event until its key is unblocked.
	HoldBlocked
	// Conflict keeps the event and blocks its key: another event has its version.
	Conflict
	// Dead gives the event up and, in mode Ordered, blocks its key.
	Dead
	// Again keeps the event for a later attempt and, in mode Ordered, blocks its
	// key until then.
	Again
)

func (v Verdict) String() string {
	return [...]string{"apply", "advance", "duplicate", "hold: gap", "hold: blocked", "conflict", "dead", "again"}[v]
}
