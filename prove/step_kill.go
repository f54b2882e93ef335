package prove

import (
	"context"
	"errors"
	"fmt"
	"time"

	"factline.dev/prove/check"
	"factline.dev/prove/fault"
	"factline.dev/prove/history"
)

// killing is one way to die.
type killing struct {
	title string
	point fault.Point
	// passes is how many events of one quote may pass first, at most: fewer than
	// a quote brings, so that the point is reached.
	passes int
}

func kills() []killing {
	return []killing{
		{fault.BeforePublish, fault.Point{Name: fault.BeforePublish}, 12},
		{fault.AfterPublish, fault.Point{Name: fault.AfterPublish}, 12},
		{fault.AfterEffect + " of order capture", fault.Point{Name: fault.AfterEffect, Group: captureGroup}, 3},
		{fault.AfterEffect + " of the read model", fault.Point{Name: fault.AfterEffect, Group: readModelGroup}, 8},
	}
}

// hitTimeout is how long an event may take to reach an armed point.
const hitTimeout = 20 * time.Second

// kill lets an event be caught at a point, kills the platform there, looks at
// what is left, starts it again and judges. Clients go on all the while.
func (s *slice) kill(ctx context.Context, k killing, out *outcome) error {
	quotes := max(2, s.cfg.Quotes/2)
	point := k.point
	point.Skip = s.planner.Dice(k.passes * quotes)
	if err := s.child.Arm(ctx, point); err != nil {
		return err
	}
	clients := make(chan struct{})
	go func() {
		defer close(clients)
		s.accept(ctx, quotes)
	}()
	kill, err := s.strike(ctx, point)
	if err == nil {
		err = s.startPlatform(ctx)
	}
	<-clients
	if err != nil {
		return err
	}
	h, err := s.settleAndRecord(ctx, out)
	if err != nil {
		return err
	}
	for _, r := range h.Log {
		if r.EventID == kill.EventID && !r.Injected {
			kill.Occurrences++
		}
	}
	s.known.Kills = append(s.known.Kills, kill)
	out.fired(check.FaultFired(kill))
	out.check(check.KilledEventSurvived(kill, h.Log, h.Inboxes))
	s.judge(h, out)
	return nil
}

// strike kills the platform once an event is caught. Where none comes it is
// killed all the same, and the missing event makes the step inconclusive.
func (s *slice) strike(ctx context.Context, point fault.Point) (history.Kill, error) {
	kill := history.Kill{Point: point.Name, Group: point.Group, PID: s.child.PID()}
	limited, cancel := context.WithTimeout(ctx, hitTimeout)
	defer cancel()
	hit, err := s.child.AwaitHit(limited)
	if err != nil && !errors.Is(err, fault.ErrNotReached) {
		return kill, err
	}
	kill.EventID = hit.EventID
	if kill.Signal, err = s.child.Kill(); err != nil {
		return kill, err
	}
	if kill.EventID == "" {
		kill.Evidence = "no event was caught"
		return kill, nil
	}
	kill.Evidence, kill.Confirmed, err = s.evidence(ctx, point, kill.EventID)
	return kill, err
}

// evidence looks from outside, while the platform is dead, whether the event is
// between the two steps.
func (s *slice) evidence(ctx context.Context, point fault.Point, eventID string) (string, bool, error) {
	if point.Name == fault.AfterEffect {
		return s.effectEvidence(ctx, point.Group, eventID)
	}
	committed, err := s.recorder.Committed(ctx)
	if err != nil {
		return "", false, err
	}
	service := ""
	for _, e := range committed {
		if e.EventID == eventID {
			service = e.Service
		}
	}
	if service == "" {
		return "no outbox holds the event", false, nil
	}
	log, err := s.recorder.Log(ctx)
	if err != nil {
		return "", false, err
	}
	onLog := 0
	for _, r := range log {
		if r.EventID == eventID {
			onLog++
		}
	}
	receipt, err := s.recorder.HasReceipt(ctx, service, eventID)
	if err != nil {
		return "", false, err
	}
	text := fmt.Sprintf("committed by %s, %d times on the log, receipt %v", service, onLog, receipt)
	wantOnLog := 0
	if point.Name == fault.AfterPublish {
		wantOnLog = 1
	}
	return text, onLog == wantOnLog && !receipt, nil
}

func (s *slice) effectEvidence(ctx context.Context, group, eventID string) (string, bool, error) {
	inboxes, err := s.recorder.Inboxes(ctx)
	if err != nil {
		return "", false, err
	}
	committed, err := s.recorder.CommittedOffsets(ctx, group)
	if err != nil {
		return "", false, err
	}
	for _, i := range inboxes {
		if i.Group != group || i.EventID != eventID {
			continue
		}
		at := committed[history.Place{Topic: i.Topic, Partition: i.Partition}]
		text := fmt.Sprintf("effect %s at %s/%d/%d, committed offset %d", i.State, i.Topic, i.Partition, i.Offset, at)
		return text, i.State == "DONE" && at <= i.Offset, nil
	}
	return "the inbox of " + group + " does not hold the event", false, nil
}
