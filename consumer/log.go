package consumer

import (
	"context"
	"log/slog"

	"factline.dev/inbox"
)

func outcomeOf(v inbox.Verdict, rejected bool) string {
	switch {
	case rejected:
		return outcomeRejected
	case v == inbox.Apply:
		return outcomeApplied
	case v == inbox.Advance:
		return outcomeAdvanced
	case v == inbox.Duplicate:
		return outcomeDuplicate
	case v == inbox.Dead:
		return outcomeDeadLetter
	}
	return outcomeHeld
}

// logEvent writes one line about one event, under the keys that all rooms use.
func (r *Runner) logEvent(level slog.Level, it *item, message string, more ...any) {
	if !r.cfg.Logger.Enabled(context.Background(), level) {
		return
	}
	//nolint:sloglint // the callers' messages are constants
	r.cfg.Logger.Log(context.Background(), level, message, append([]any{
		"event_id", it.event.EventID, "event_type", it.msg.EventType, "topic", it.msg.Topic,
		"partition", it.msg.Partition, "offset", it.msg.Offset, "correlation_id", it.msg.CorrelationID,
		"tenant_id", it.event.Aggregate.TenantID, "group", r.cfg.Group,
	}, more...)...)
}

// logChunk tells what a committed chunk did that somebody may ask for.
func (r *Runner) logChunk(done *run) {
	for _, s := range done.plan.Steps {
		it := &done.items[s.Event]
		switch s.Verdict {
		case inbox.Apply, inbox.Advance, inbox.Duplicate:
			r.logEvent(slog.LevelDebug, it, "event settled", "outcome", outcomeOf(s.Verdict, false))
		case inbox.Again:
			r.logEvent(slog.LevelWarn, it, "event failed and is tried again later", "attempt", it.pause.fault.attempts,
				"due", it.pause.due, "error_class", string(it.pause.fault.class), "error", firstLine(it.pause.fault.message))
		case inbox.HoldGap, inbox.HoldBlocked:
			r.logEvent(slog.LevelWarn, it, "event held", "reason", s.Verdict.String(), "aggregate_version", it.event.Version)
		}
	}
	for _, x := range done.rejected {
		r.logEvent(slog.LevelInfo, x.item, "event rejected by the business", "reason", x.reason.Error())
	}
	for _, b := range done.letters {
		if b.isNew {
			r.logEvent(slog.LevelError, b.item, "event given up", "dead_letter_id", b.id, "error_class", string(b.fault.class),
				"attempt", b.fault.attempts, "blocks_key", b.blocks, "error", firstLine(b.fault.message))
		}
	}
}
