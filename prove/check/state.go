package check

import (
	"fmt"
	"slices"

	"factline.dev/prove/history"
)

// SameState asks that every table holds the same before and after, and those of mustHold
// hold something. The comparison is over every column of every row.
func SameState(before, after []history.Table, mustHold []string) Result {
	r := Result{Name: "equal content of every table, by hash over every column"}
	var rows int64
	later := make(map[string]history.Table, len(after))
	for _, t := range after {
		later[t.Database+" "+t.Name] = t
	}
	for _, was := range before {
		now, ok := later[was.Database+" "+was.Name]
		delete(later, was.Database+" "+was.Name)
		switch {
		case !ok:
			r.problem("%s of %s is gone", was.Name, was.Database)
		case was.Rows != now.Rows:
			r.problem("%s of %s had %d rows and has %d", was.Name, was.Database, was.Rows, now.Rows)
		case was.Hash != now.Hash:
			r.problem("%s of %s has %d rows as before and other content: hash %.12s, now %.12s", was.Name, was.Database, was.Rows, was.Hash, now.Hash)
		}
		rows += was.Rows
	}
	for name := range later {
		r.problem("%s is new", name)
	}
	for _, name := range mustHold {
		if !slices.ContainsFunc(before, func(t history.Table) bool { return t.Name == name && t.Rows > 0 }) {
			r.problem("%s is empty or missing: nothing is proved about it", name)
		}
	}
	r.Observed = fmt.Sprintf("%d tables, %d rows", len(before), rows)
	return r
}
