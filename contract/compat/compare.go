package compat

import "context"

// Compare says whether next can follow old.
func Compare(ctx context.Context, old, next *Schema, o Options) Result {
	o = o.WithDefaults()
	return Result{Verdict: Unknown, Direction: o.Direction, Reason: "not decided yet"}
}
