package prove

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"factline.dev/deadletter"
	"factline.dev/envelope"
	"factline.dev/prove/check"
	"factline.dev/prove/history"
)

// breakEvent gives a completed order two more versions on the log: one that
// breaks its contract, and a sound one behind it.
func (s *slice) breakEvent(ctx context.Context, out *outcome) error {
	last, err := s.lastEvent(ctx)
	if err != nil {
		return err
	}
	broken, err := s.forge(last, 1, func(p payload) { delete(p, "completedAt") })
	if err != nil {
		return err
	}
	behind, err := s.forge(last, 2, func(payload) {})
	if err != nil {
		return err
	}
	sent, err := s.recorder.Inject(ctx, last.Topic, last.Partition, broken)
	if err != nil {
		return err
	}
	if _, err := s.recorder.Inject(ctx, last.Topic, last.Partition, behind); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	s.ahead[last.AggregateID] = 2
	if err := s.checkLetter(ctx, out, check.SentBroken{
		Record: sent, Group: readModelGroup, EventID: sent.EventID, EventType: sent.EventType, ErrorClass: "SCHEMA_VALIDATION_FAILED",
	}); err != nil {
		return err
	}
	return s.release(ctx, out, last)
}

// lastEvent is the completion of an order.
func (s *slice) lastEvent(ctx context.Context) (history.Record, error) {
	log, err := s.recorder.Log(ctx)
	if err != nil {
		return history.Record{}, err
	}
	var completed []history.Record
	for _, r := range log {
		if r.EventType == "OrderCompleted" && !r.Injected {
			completed = append(completed, r)
		}
	}
	if len(completed) == 0 {
		return history.Record{}, fmt.Errorf("prove: break an event: no OrderCompleted is on the log")
	}
	return completed[s.planner.Dice(len(completed))], nil
}

// payload is the content of an event, member by member.
type payload map[string]json.RawMessage

// forge makes a later version of an event with another id.
func (s *slice) forge(last history.Record, later int64, change func(payload)) (history.RawRecord, error) {
	e, err := envelope.DecodeRaw(last.Raw.Value)
	if err != nil {
		return history.RawRecord{}, fmt.Errorf("prove: read %s: %w", last.EventID, err)
	}
	var content payload
	if err := json.Unmarshal(e.Payload, &content); err != nil {
		return history.RawRecord{}, fmt.Errorf("prove: read the payload of %s: %w", last.EventID, err)
	}
	change(content)
	forged := envelope.WithPayload(e, content)
	forged.EventID, forged.AggregateVersion = envelope.NewID(), e.AggregateVersion+later
	value, err := envelope.Encode(forged)
	if err != nil {
		return history.RawRecord{}, fmt.Errorf("prove: forge an event: %w", err)
	}
	raw := history.RawRecord{Key: last.Raw.Key, Value: value}
	for _, h := range envelope.Headers(forged, "") {
		raw.Headers = append(raw.Headers, history.Header{Key: h.Key, Value: h.Value})
	}
	return raw, nil
}

// checkLetter waits until dead letters are on the log, then judges the one that
// tells of what was sent.
func (s *slice) checkLetter(ctx context.Context, out *outcome, sent check.SentBroken) error {
	topic, ok := s.catalogue.Topic(sent.Record.Topic)
	if !ok {
		return fmt.Errorf("prove: find the dead-letter topic of %s: the catalogue does not know it", sent.Record.Topic)
	}
	var result check.Result
	err := s.await(ctx, "the dead letter is published", func(ctx context.Context) ([]string, error) {
		log, err := s.recorder.Log(ctx)
		if err != nil {
			return nil, err
		}
		var letters []history.Record
		for _, r := range log {
			if r.Topic == topic.DeadLetterTopic() {
				letters = append(letters, r)
			}
		}
		result = check.DeadLetterComplete(sent, letters)
		return result.Problems, nil
	})
	if err != nil && result.OK() {
		return err
	}
	out.check(result)
	return nil
}

// release compares what waits before an audited skip and after it.
func (s *slice) release(ctx context.Context, out *outcome, last history.Record) error {
	h := check.Hold{Group: readModelGroup, VersionWanted: last.Version + 2}
	var err error
	if h.HeldBefore, h.BlockedBefore, h.VersionBefore, err = s.held(ctx, last.AggregateID); err != nil {
		return err
	}
	pool := s.recorder.Pool(history.Projections)
	open, err := deadletter.List(ctx, pool, deadletter.Filter{Consumer: readModelGroup, State: deadletter.Open})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(open, func(e deadletter.Entry) bool { return e.AggregateID == last.AggregateID })
	if i < 0 {
		out.fail("no open dead letter of order " + last.AggregateID + " is in the database")
		return nil
	}
	if _, err := deadletter.Skip(ctx, pool, deadletter.SkipRequest{ID: open[i].ID, Reason: "forged by the proof", Operator: "prover"}); err != nil {
		return err
	}
	err = s.await(ctx, "the held event is applied", func(ctx context.Context) ([]string, error) {
		if h.HeldAfter, h.BlockedAfter, h.VersionAfter, err = s.held(ctx, last.AggregateID); err != nil || (h.HeldAfter == 0 && h.VersionAfter == h.VersionWanted) {
			return nil, err
		}
		return []string{fmt.Sprintf("%d events are held, version %d is shown", h.HeldAfter, h.VersionAfter)}, nil
	})
	if err != nil {
		out.saw("%v", err) // the check below says it exactly
	}
	if h.Actions, err = s.recorder.Actions(ctx, history.Projections, open[i].ID); err != nil {
		return err
	}
	out.check(check.KeyHeldThenReleased(h))
	return nil
}

func (s *slice) held(ctx context.Context, orderID string) (held int64, blocked bool, version int64, err error) {
	waiting, err := s.recorder.Waiting(ctx)
	if err != nil {
		return 0, false, 0, err
	}
	for _, w := range waiting {
		if w.Service == history.Projections {
			held, blocked = w.Held, w.Blocked > 0
		}
	}
	summaries, err := s.recorder.Summaries(ctx)
	for _, o := range summaries {
		if o.OrderID == orderID {
			version = o.Version
		}
	}
	return held, blocked, version, err
}

// breakRecord sends bytes that are no event. Every group of the topic gives
// them up, and their dead letters stay open for the rest of the proof.
func (s *slice) breakRecord(ctx context.Context, out *outcome) error {
	sent, err := s.recorder.Inject(ctx, orderTopic, 0, history.RawRecord{
		Key: []byte("no-order"), Value: []byte("\x00\xff this is no event"), Headers: []history.Header{{Key: "sender", Value: []byte("prover")}},
	})
	if err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	for _, r := range readings() {
		if r.topic != orderTopic {
			continue
		}
		s.expected[r.service]++
		if err := s.checkLetter(ctx, out, check.SentBroken{Record: sent, Group: r.group, ErrorClass: "SCHEMA_VALIDATION_FAILED"}); err != nil {
			return err
		}
	}
	after, err := s.recorder.Waiting(ctx)
	if err != nil {
		return err
	}
	out.check(check.NothingWaits(after, s.expected))
	return nil
}
