package effect

import "context"

// RecordFunc is told each call that a replay would have made, with the name of
// its caller. It must not change the request and is called concurrently where
// handlers run concurrently.
type RecordFunc func(name string, call Call)

type replayKey struct{}

// WithReplay returns a context in which the port to other systems is closed:
// [Caller.Do] checks the call, tells record and stores nothing, and
// [Worker.Run] refuses to start. A nil record forgets the calls.
func WithReplay(ctx context.Context, record RecordFunc) context.Context {
	if record == nil {
		record = func(string, Call) {}
	}
	return context.WithValue(ctx, replayKey{}, record)
}

func replayFrom(ctx context.Context) (RecordFunc, bool) {
	record, ok := ctx.Value(replayKey{}).(RecordFunc)
	return record, ok
}
