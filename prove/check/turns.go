package check

import (
	"cmp"
	"fmt"
	"slices"

	"factline.dev/prove/history"
)

// EffectsInTurn asks that the effects of each aggregate were done in version
// order, each once, from the first to the last that was committed.
func EffectsInTurn(committed []history.Event, effects []history.Effect) Result {
	r := Result{Name: "the effects of each aggregate were done once each, in version order"}
	last := make(map[string]int64)
	ids := make(map[string]history.Event, len(committed))
	for _, e := range committed {
		last[e.AggregateID] = max(last[e.AggregateID], e.Version)
		ids[e.EventID] = e
	}
	sorted := slices.Clone(effects)
	slices.SortStableFunc(sorted, func(a, b history.Effect) int { return cmp.Compare(a.Sequence, b.Sequence) })
	done := make(map[string]int64)
	for _, e := range sorted {
		before := done[e.AccountID]
		if e.Version != before+1 {
			r.problem("%s: the effect of version %d (event %s) follows that of version %d", e.AccountID, e.Version, e.EventID, before)
		}
		if c, ok := ids[e.EventID]; !ok || c.AggregateID != e.AccountID || c.Version != e.Version {
			r.problem("%s: the effect of event %s as version %d was never committed so", e.AccountID, e.EventID, e.Version)
		}
		done[e.AccountID] = max(before, e.Version)
	}
	for id, version := range last {
		if done[id] != version {
			r.problem("%s: effects reach version %d and version %d was committed", id, done[id], version)
		}
	}
	if len(effects) == 0 {
		r.problem("there is no effect: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d effects on %d aggregates", len(effects), len(done))
	return r
}

// CausedInTurn asks that each event caused exactly one further event, on the
// aggregate of the same id and with the same version: what handlers append is
// part of the effect and in its order.
func CausedInTurn(causes, caused []history.Event, log []history.Record) Result {
	r := Result{Name: "each event caused one event of its own, in the same order"}
	type place struct {
		id      string
		version int64
	}
	causeOf := make(map[string]string, len(log))
	for _, record := range log {
		causeOf[record.EventID] = record.CausationID
	}
	missing := make(map[string]place, len(causes))
	for _, e := range causes {
		missing[e.EventID] = place{e.AggregateID, e.Version}
	}
	for _, e := range caused {
		cause := causeOf[e.EventID]
		at, ok := missing[cause]
		switch {
		case !ok:
			r.problem("%s version %d was caused by %q, which caused another one or is unknown", e.AggregateID, e.Version, cause)
		case at != place{e.AggregateID, e.Version}:
			r.problem("%s version %d was caused by version %d of %s", e.AggregateID, e.Version, at.version, at.id)
		}
		delete(missing, cause)
	}
	for id, at := range missing {
		r.problem("%s version %d (%s) caused no event", at.id, at.version, id)
	}
	if len(caused) == 0 {
		r.problem("no event was caused: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d events, %d caused by them", len(causes), len(caused))
	return r
}

// SameBalances asks that sums kept by addition are the same on both sides: a
// doubled effect would be in the sum.
func SameBalances(written, booked []history.Balance) Result {
	r := Result{Name: "every sum that effects added up is the one that was written"}
	sums := make(map[string]history.Balance, len(booked))
	for _, b := range booked {
		sums[b.AccountID] = b
	}
	var entries int64
	for _, b := range written {
		entries += b.Entries
		if got := sums[b.AccountID]; got != b {
			r.problem("%s: %d written in %d entries, %d booked in %d", b.AccountID, b.Amount, b.Entries, got.Amount, got.Entries)
		}
		delete(sums, b.AccountID)
	}
	for id := range sums {
		r.problem("%s was booked and never written", id)
	}
	if len(written) == 0 {
		r.problem("nothing was written: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d accounts, %d entries", len(written), entries)
	return r
}
