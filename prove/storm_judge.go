package prove

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"factline.dev/prove/check"
	"factline.dev/prove/history"
	"factline.dev/prove/workload"
)

// drain waits until nothing is under way any more. Where something stays the
// proof goes on, so that the report names what is lost and not only that one
// waits.
func (s *storm) drain(ctx context.Context, out *outcome) error {
	began := time.Now()
	if err := s.await(ctx, "everything has drained", s.undrained); err != nil {
		out.fail(err.Error())
		return ctx.Err()
	}
	out.saw("drained %s after the storm", time.Since(began).Round(time.Millisecond))
	return nil
}

// undrained asks along the way of an event: what was under way when one station
// was asked may have come to an earlier outbox meanwhile, so both are asked again.
func (s *storm) undrained(ctx context.Context) ([]string, error) {
	before, err := s.unpublished(ctx)
	if err != nil {
		return nil, err
	}
	behind, err := s.behind(ctx, []reading{{history.StormSink, s.group(), s.postings()}})
	if err != nil {
		return nil, err
	}
	after, err := s.unpublished(ctx)
	left := slices.Concat(s.endedParts(), before, behind, after)
	slices.Sort(left)
	return slices.Compact(left), err
}

func (s *storm) unpublished(ctx context.Context) (left []string, err error) {
	waiting, err := s.recorder.Waiting(ctx)
	for _, w := range waiting {
		if w.Unpublished > 0 {
			left = append(left, fmt.Sprintf("%s has %d events to publish", w.Service, w.Unpublished))
		}
		if w.Held > 0 {
			left = append(left, fmt.Sprintf("%s holds %d events", w.Service, w.Held))
		}
	}
	return left, err
}

// end stops relays and members, and then reads all that they left.
func (s *storm) end(ctx context.Context, out *outcome) error {
	told := time.Now()
	s.endings = s.stop(20 * time.Second)
	ended := check.EndedAsAsked(s.endings)
	out.check(ended)
	if ended.OK() {
		out.saw("%s", s.slowest(told))
	}
	h := s.known
	h.Seed, h.TakenAt = s.report.Seed, time.Now().UTC()
	for _, f := range s.report.Facts {
		h.Versions = append(h.Versions, [2]string{f.Name, f.Value})
	}
	var errs [6]error
	h.Committed, errs[0] = s.recorder.Committed(ctx)
	h.Log, errs[1] = s.recorder.Log(ctx)
	h.Inboxes, errs[2] = s.recorder.Inboxes(ctx)
	h.Waiting, errs[3] = s.recorder.Waiting(ctx)
	*h.Storm, errs[4] = s.recorder.Storm(ctx, *h.Storm)
	*h.Storm, errs[5] = s.recorder.StormOffsets(ctx, *h.Storm, s.group(), s.postings())
	s.final = h
	return errors.Join(append(errs[:], s.save(h))...)
}

// committedTo are the events of one database's outbox.
func committedTo(committed []history.Event, service string) []history.Event {
	return slices.DeleteFunc(slices.Clone(committed), func(e history.Event) bool { return e.Service != service })
}

func (s *storm) judgeOperations(_ context.Context, out *outcome) error {
	h := s.final
	out.check(check.OperationsAreWhole(h.Storm.Operations, h.Storm.Recorded, committedTo(h.Committed, history.StormSource)))
	return nil
}

func (s *storm) judgeLog(_ context.Context, out *outcome) error {
	if s.cfg.Gap > 0 {
		s.judgeTakeovers(out)
	}
	checkLog(s.final, out)
	return nil
}

func (s *storm) judgeTakeovers(out *outcome) {
	h := s.final.Storm
	out.fired(check.LanesChangedHands(h.Settled, h.Takeovers, history.StormSource))
}

func (s *storm) judgeEffects(_ context.Context, out *outcome) error {
	h := s.final
	source, sink := committedTo(h.Committed, history.StormSource), committedTo(h.Committed, history.StormSink)
	out.check(check.EffectsInTurn(source, h.Storm.Effects))
	out.check(check.AppliedOnce(h.Inboxes, h.Log, []check.Handles{{Group: s.group(), Topic: s.postings(), Types: []string{workload.AmountPosted}}}))
	out.check(check.SameBalances(h.Storm.Written, h.Storm.Booked))
	out.check(check.CausedInTurn(source, sink, h.Log))
	out.check(check.ToldIsNotAhead(h.Storm.Reached, h.Storm.Told))
	return nil
}

func (s *storm) judgeRest(_ context.Context, out *outcome) error {
	out.check(check.NothingWaits(s.final.Waiting, nil))
	return nil
}
