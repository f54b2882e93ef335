package replay

import (
	"errors"
	"fmt"
	"strings"
)

// Condition names a precondition of a replay that does not hold.
type Condition string

const (
	// NotReplaySafe is a group with side effects, or a projection or event that
	// is not declared safe to read again.
	NotReplaySafe Condition = "NOT_REPLAY_SAFE"
	// EffectsOpen is a handler that was caught writing elsewhere than to the
	// table it was given. Its transaction is rolled back.
	EffectsOpen Condition = "EFFECTS_OPEN"
	// HistoryCut is a topic whose log no longer holds its first records.
	HistoryCut Condition = "HISTORY_CUT"
	// VersionUnreadable is an event on the log whose version the catalogue does
	// not hold, or that breaks its contract today although the live group
	// applied it.
	VersionUnreadable Condition = "VERSION_UNREADABLE"
	// ModeUnsupported is a current-state topic, which a log that compacts
	// cannot rebuild version by version.
	ModeUnsupported Condition = "MODE_UNSUPPORTED"
	// TopicUnknown is a topic that the broker or the catalogue does not know.
	TopicUnknown Condition = "TOPIC_UNKNOWN"
	// GroupUnknown is a live group that has read nothing: there is nothing to
	// compare with.
	GroupUnknown Condition = "GROUP_UNKNOWN"
	// TableUnusable is a live table that does not exist or has no primary key.
	TableUnusable Condition = "TABLE_UNUSABLE"
)

// Refusal is one condition and where it was found.
type Refusal struct {
	Condition Condition `json:"condition"`
	// Detail says what was found and what to do about it.
	Detail string `json:"detail"`
}

// RefusedError says why a replay must not run. Nothing was changed.
type RefusedError struct {
	Projection string
	Refusals   []Refusal
}

func (e *RefusedError) Error() string {
	lines := make([]string, len(e.Refusals))
	for i, r := range e.Refusals {
		lines[i] = string(r.Condition) + ": " + r.Detail
	}
	return fmt.Sprintf("replay: plan %s: refused: %s", e.Projection, strings.Join(lines, "; "))
}

// ErrDecisionChanged says that an operator settled a dead letter of the live
// group while the replay ran past it, so that the two decided differently.
var ErrDecisionChanged = errors.New("replay: catch up: an operator settled a dead letter of the live group meanwhile; run the replay again")

// ErrLiveRestless says that the live group has events whose turn has come and
// does not apply them, so there is no instant to compare.
var ErrLiveRestless = errors.New("replay: compare: the live group has released events that it does not apply; check that it runs and what its handler fails on, then run the replay again")
