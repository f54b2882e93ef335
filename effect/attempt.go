package effect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// errKilled stands for an attempt of which nothing is known but that it began.
var errKilled = errors.New("the process ended, or was paused beyond its lease, during the last attempt")

// handle brings one claimed call as far as it comes now.
func (w *Worker) handle(ctx context.Context, f *flight, c *claimed) {
	runs := &c.attempts
	if c.answered {
		runs = &c.resultRuns
	}
	switch {
	case ctx.Err() != nil:
		w.release(f, c)
	case w.exceeds(*runs):
		*runs-- // the claim has counted one that is not made
		w.giveUp(f, c, errKilled)
	case c.answered || w.call(f, c):
		w.finish(f, c)
	}
}

// exceeds reports whether attempt n is one more than there may be: the one
// before ended without a word.
func (w *Worker) exceeds(n int) bool { return w.cfg.MaxAttempts > 0 && n > w.cfg.MaxAttempts }

// last reports whether no attempt follows the nth.
func (w *Worker) last(n int) bool { return w.cfg.MaxAttempts > 0 && n >= w.cfg.MaxAttempts }

// call makes an attempt, records its outcome, and reports whether an answer
// waits for its effect.
func (w *Worker) call(f *flight, c *claimed) bool {
	began := time.Now()
	response, err := w.perform(f.calls, c)
	w.metrics.seconds.WithLabelValues(w.name).Observe(time.Since(began).Seconds())
	if hook, ok := w.cfg.Hooks.(AfterPerformHook); ok {
		hook.AfterPerform(c.key)
	}
	if err == nil && len(response) > maxBytes {
		err = Permanent(fmt.Errorf("the response has %d bytes, more than %d; return what is needed of it", len(response), maxBytes))
	}
	switch {
	case err == nil:
		c.response = response
		return w.answer(f, c)
	case f.calls.Err() != nil:
		w.release(f, c)
	case IsPermanent(err) || w.last(c.attempts):
		w.giveUp(f, c, err)
	default:
		w.postpone(f, c, c.attempts, err)
	}
	return false
}

// perform counts the deadline from the claim, so that a process that was paused
// in between does not begin what another may be doing by now.
func (w *Worker) perform(ctx context.Context, c *claimed) (response []byte, err error) {
	ctx, cancel := context.WithDeadline(envelope.WithCause(ctx, c.cause), c.claimedAt.Add(w.cfg.CallTimeout))
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer w.recovered(c, &err)
	return w.cfg.Performer.Perform(ctx, w.name, c.key, c.request)
}

func (w *Worker) recovered(c *claimed, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panicked: %v", p)
		w.log(slog.LevelError, c, "the code of a call panicked", "error", *err, "stack", string(debug.Stack()))
	}
}

// answer records what came back. A call without an effect of its answer and
// without successors is done by that.
func (w *Worker) answer(f *flight, c *claimed) (more bool) {
	more = w.cfg.OnResult != nil || c.orderKey != ""
	args := c.args()
	args["response"], args["lease"], args["state"] = c.response, w.cfg.LeaseTTL, Done
	if more {
		args["state"] = Answered
	}
	sent := time.Now()
	if !w.record(f, c, "answer", "answer", args) {
		return false
	}
	c.leasedUntil = sent.Add(w.cfg.LeaseTTL) // recording has renewed it
	c.resultRuns = 1
	w.metrics.calls.WithLabelValues(w.name, outcomeDone).Inc()
	w.metrics.answer.WithLabelValues(w.name).Observe(max(time.Since(c.storedAt).Seconds(), 0))
	w.log(slog.LevelDebug, c, "call made")
	return more
}

// finish gives an answer its effect. What the database did is repeated at once,
// what OnResult did uses an attempt.
func (w *Worker) finish(f *flight, c *claimed) {
	for n := 0; ; n++ {
		err := w.store.finish(f.records, c, w.result(c))
		own, isOwn := errors.AsType[*handlerError](err)
		switch {
		case err == nil:
			w.metrics.results.WithLabelValues(w.name, outcomeDone).Inc()
			return
		case errors.Is(err, errLost):
			w.metrics.results.WithLabelValues(w.name, outcomeLost).Inc()
			return
		case isOwn && (IsPermanent(err) || w.last(c.resultRuns)):
			w.giveUp(f, c, own.error)
			return
		case isOwn:
			w.postpone(f, c, c.resultRuns, own.error)
			return
		}
		if !w.again(f, c, "result", n, err) {
			return
		}
	}
}

// result is OnResult for one answer, or nil without one.
func (w *Worker) result(c *claimed) func(context.Context, pgx.Tx) error {
	if w.cfg.OnResult == nil {
		return nil
	}
	r := Result{
		Name: w.name, Call: Call{Key: c.key, OrderKey: c.orderKey, Request: c.request},
		Response: c.response, Attempts: c.attempts,
	}
	return func(ctx context.Context, tx pgx.Tx) (err error) {
		defer w.recovered(c, &err)
		return w.cfg.OnResult(envelope.WithCause(ctx, c.cause), tx, r)
	}
}

func (w *Worker) postpone(f *flight, c *claimed, attempts int, cause error) {
	wait := backoff(max(attempts-1, 0), w.cfg.BackoffMin, w.cfg.BackoffMax)
	if d, ok := RetryDelay(cause); ok {
		wait = d
	}
	args := c.args()
	args["wait"], args["error"] = wait, errorText(cause)
	if w.record(f, c, "retry", "postpone", args) {
		w.outcome(c, outcomeRetry)
		w.log(slog.LevelWarn, c, "call failed, another attempt follows", "wait", wait, "error", errorText(cause))
	}
}

func (w *Worker) giveUp(f *flight, c *claimed, cause error) {
	args := c.args()
	args["error"], args["attempts"], args["result_attempts"] = errorText(cause), c.attempts, c.resultRuns
	if w.record(f, c, "dead", "give_up", args) {
		w.outcome(c, outcomeDead)
		w.log(slog.LevelError, c, "call given up; retry or skip it", "error", errorText(cause))
	}
}

// release gives back a call that a shutdown interrupted: no attempt is used.
func (w *Worker) release(f *flight, c *claimed) {
	if w.record(f, c, "release", "release", c.args()) {
		w.outcome(c, outcomeReleased)
	}
}

func (w *Worker) outcome(c *claimed, outcome string) {
	if c.answered || c.resultRuns > 0 {
		w.metrics.results.WithLabelValues(w.name, outcome).Inc()
	} else {
		w.metrics.calls.WithLabelValues(w.name, outcome).Inc()
	}
}

// record repeats a statement until the database answers or the drain is over,
// each try on a connection that answers in time, and reports whether it was this worker that recorded.
func (w *Worker) record(f *flight, c *claimed, step, name string, args named.Args) bool {
	for n := 0; ; n++ {
		err := w.store.change(f.records, c, name, args)
		switch {
		case err == nil:
			return true
		case errors.Is(err, errLost):
			w.outcome(c, outcomeLost)
			w.log(slog.LevelWarn, c, "outcome not recorded: another worker has the call by now", "step", step)
			return false
		}
		if !w.again(f, c, step, n, err) {
			return false
		}
	}
}

// again waits before a step in the database is repeated, and reports whether
// there is time left to do so.
func (w *Worker) again(f *flight, c *claimed, step string, n int, err error) bool {
	if f.records.Err() == nil {
		w.metrics.failures.WithLabelValues(w.name, step).Inc()
		w.log(slog.LevelWarn, c, "outcome not recorded yet", "step", step, "error", err.Error())
	}
	return pause(f.records, backoff(n, 20*time.Millisecond, 2*time.Second))
}

func (w *Worker) log(level slog.Level, c *claimed, message string, more ...any) {
	keys := []any{
		"call_id", c.id, "key", c.key, "order_key", c.orderKey, "event_id", c.eventID, "tenant_id", c.tenantID,
		"attempt", max(c.attempts, c.resultRuns),
	}
	w.cfg.Logger.Log(context.Background(), level, message, append(keys, more...)...) //nolint:sloglint // callers pass constants
}
