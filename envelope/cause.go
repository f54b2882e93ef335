package envelope

import "context"

// Cause is where an event comes from: the request or the event being handled.
// It travels in the context, so that everything appended there inherits it.
type Cause struct {
	// TenantID is the tenant on whose behalf work is done.
	TenantID string
	// CorrelationID follows one business request from end to end.
	CorrelationID string
	// CausationID is the id of the command or event being handled.
	CausationID string
	// Traceparent is the W3C trace context header of the current span, or empty.
	Traceparent string
	// Metadata is added to every event: sourceCommandId, idempotencyKey,
	// actorType, actorId.
	Metadata map[string]string
}

type causeKey struct{}

// WithCause returns a context that carries c.
func WithCause(ctx context.Context, c Cause) context.Context {
	return context.WithValue(ctx, causeKey{}, c)
}

// CauseFrom returns the cause that ctx carries, or a zero one.
func CauseFrom(ctx context.Context) Cause {
	c, _ := ctx.Value(causeKey{}).(Cause)
	return c
}

// CauseOf is the cause of whatever is done because of e: same tenant and
// correlation, e as the cause. traceparent is the header of e's record.
func CauseOf[T any](e Event[T], traceparent string) Cause {
	return Cause{
		TenantID: e.TenantID, CorrelationID: e.CorrelationID,
		CausationID: e.EventID, Traceparent: traceparent,
	}
}

// TraceID returns the trace id within the traceparent, or "" where there is
// none or it is malformed.
func (c Cause) TraceID() string {
	// version "-" 32 hex trace id "-" 16 hex parent id "-" flags (W3C Trace Context, section 3.2)
	if len(c.Traceparent) < 55 || c.Traceparent[2] != '-' || c.Traceparent[35] != '-' {
		return ""
	}
	id := c.Traceparent[3:35]
	for i := range len(id) {
		if !isLowerHex(id[i]) {
			return ""
		}
	}
	return id
}

func isLowerHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
