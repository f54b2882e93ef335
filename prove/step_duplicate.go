package prove

import (
	"context"
	"fmt"
	"slices"

	"factline.dev/prove/check"
	"factline.dev/prove/history"
)

// mustHold are the tables without which equal state says nothing.
func mustHold() []string {
	return []string{
		"quote.quote", "quote.quote_acceptance", "orders.sales_order", "orders.order_line", "orders.order_capture", "orders.order_transition",
		"projection.order_summary_projection", "projection.order_line_projection", "factline.inbox", "factline.gate", "factline.outbox_event",
	}
}

// repeatEvents sends records again, byte by byte, so that every group gets one of
// a type that it handles.
func (s *slice) repeatEvents(ctx context.Context, out *outcome) error {
	before, err := s.recorder.Tables(ctx)
	if err != nil {
		return err
	}
	counted, err := s.duplicates(ctx)
	if err != nil {
		return err
	}
	repeated, places, err := s.sendAgain(ctx, "QuoteAccepted", "OrderCaptured", "OrderActivated")
	if err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	if err := s.await(ctx, "the repetitions are counted", func(ctx context.Context) ([]string, error) { return s.uncounted(ctx, counted, repeated) }); err != nil {
		out.saw("%v", err) // the check below says it exactly
	}
	now, err := s.duplicates(ctx)
	if err != nil {
		return err
	}
	for key := range now {
		now[key] -= counted[key]
	}
	after, err := s.recorder.Tables(ctx)
	if err != nil {
		return err
	}
	if err := s.markPassed(ctx, repeated, places); err != nil {
		return err
	}
	out.check(check.DuplicatesIgnored(repeated, now, check.SameState(before, after, mustHold())))
	for _, r := range readings() {
		if !slices.ContainsFunc(repeated, func(e check.Repeated) bool { return slices.Contains(e.Groups, r.group) }) {
			out.fail(fmt.Sprintf("no event that %s handles was repeated: nothing is proved about it", r.group))
		}
	}
	return nil
}

func (s *slice) sendAgain(ctx context.Context, types ...string) (repeated []check.Repeated, places []history.Place, err error) {
	log, err := s.recorder.Log(ctx)
	if err != nil {
		return nil, nil, err
	}
	inboxes, err := s.recorder.Inboxes(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, eventType := range types {
		var found []history.Record
		for _, r := range log {
			if r.EventType == eventType && !r.Injected {
				found = append(found, r)
			}
		}
		if len(found) == 0 {
			return nil, nil, fmt.Errorf("prove: send %s again: none is on the log", eventType)
		}
		original := found[s.planner.Dice(len(found))]
		again, err := s.recorder.Inject(ctx, original.Topic, original.Partition, original.Raw)
		if err != nil {
			return nil, nil, err
		}
		repeated = append(repeated, check.Repeated{EventID: original.EventID, Topic: original.Topic, Groups: handling(inboxes, original.EventID)})
		places = append(places, history.Place{Topic: again.Topic, Partition: again.Partition})
	}
	return repeated, places, nil
}

// handling are the groups that an event had its effect in: one counts no
// duplicate of what it ignores.
func handling(inboxes []history.Settled, eventID string) (groups []string) {
	for _, i := range inboxes {
		if i.EventID == eventID {
			groups = append(groups, i.Group)
		}
	}
	return groups
}

// markPassed: after settling, a group whose effects reach the end of the
// partition has passed the repetition.
func (s *slice) markPassed(ctx context.Context, repeated []check.Repeated, places []history.Place) error {
	ends, err := s.recorder.EndOffsets(ctx)
	if err != nil {
		return err
	}
	next, err := s.recorder.NextOffsets(ctx)
	if err != nil {
		return err
	}
	for i := range repeated {
		for _, group := range repeated[i].Groups {
			if next[group][places[i]] == ends[places[i]] {
				repeated[i].Passed = append(repeated[i].Passed, group)
			}
		}
	}
	return nil
}

// duplicates are the counters of dropped duplicates, by group and topic.
func (s *slice) duplicates(ctx context.Context) (map[[2]string]float64, error) {
	samples, err := history.Scrape(ctx, s.base()+"/metrics")
	if err != nil {
		return nil, err
	}
	counts := make(map[[2]string]float64)
	for _, r := range readings() {
		counts[[2]string{r.group, r.topic}], _ = check.Sum(samples, "factline_consumer_duplicates_total", map[string]string{"group": r.group, "topic": r.topic})
	}
	return counts, nil
}

func (s *slice) uncounted(ctx context.Context, before map[[2]string]float64, repeated []check.Repeated) ([]string, error) {
	now, err := s.duplicates(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range repeated {
		for _, group := range e.Groups {
			now[[2]string{group, e.Topic}]--
		}
	}
	var left []string
	for key, n := range now {
		if n < before[key] {
			left = append(left, key[0])
		}
	}
	return left, nil
}
