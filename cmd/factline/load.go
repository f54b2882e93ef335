package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/platform"
)

const (
	// settleTime is how long, after the last quote, no order may end before the
	// open ones count as lost.
	settleTime = 60 * time.Second
	// settleInterrupted is the same after Ctrl-C, where a person waits.
	settleInterrupted = 10 * time.Second
	// statusEvery is the pause between two status lines of a load.
	statusEvery = 5 * time.Second
)

// loadAndWait drives load as asked and returns when up is to stop: at Ctrl-C, or
// when the time is over and every order has ended or failed to.
func (u *up) loadAndWait(ctx context.Context, s *stack.Stack) error {
	timed := ctx
	if u.forTime > 0 {
		var cancel context.CancelFunc
		timed, cancel = context.WithTimeout(ctx, u.forTime)
		defer cancel()
	}
	report, err := u.driveLoad(timed, s)
	if err != nil {
		return err
	}
	<-timed.Done()
	if ctx.Err() != nil || u.forTime == 0 {
		if report != nil {
			u.say("load: %s", render.Safe(report.String()))
		}
		return nil
	}
	return u.summarise(ctx, s, report)
}

func (u *up) driveLoad(ctx context.Context, s *stack.Stack) (*platform.LoadReport, error) {
	if u.load == 0 {
		return nil, nil
	}
	u.say("\n%g quotes a second; Ctrl-C stops", u.load)
	settle := settleInterrupted
	if u.forTime > 0 {
		settle = settleTime
	}
	last := time.Now()
	report, err := platform.Load(ctx, platform.LoadConfig{
		BaseURL: s.State().HTTP, Rate: u.load, Seed: uint64(time.Now().UnixNano()), Settle: settle,
		OnProgress: func(r platform.LoadReport) {
			if now := time.Now(); now.Sub(last) >= statusEvery {
				last = now
				u.say("  %s", loadStatus(r))
			}
		},
	})
	return &report, err
}

func loadStatus(r platform.LoadReport) string {
	return fmt.Sprintf("%7s  %d quotes, %d accepted, %d completed, %d under way, %d failed; accepted to captured p50 %s, p99 %s",
		render.Duration(r.Elapsed), r.Started, r.Accepted, r.Completed, r.Started-r.Completed-r.Failed, r.Failed,
		render.Duration(r.CapturedP50), render.Duration(r.CapturedP99))
}

// summary is the last line of a timed run.
type summary struct {
	stack.Tally
	Open int64                `json:"openOrders"`
	Load *platform.LoadReport `json:"load,omitempty"`
}

// summarise waits for what is under way and counts whether every accepted quote
// has an order that came to its end, those of earlier starts included.
func (u *up) summarise(ctx context.Context, s *stack.Stack, load *platform.LoadReport) error {
	c, err := stack.Connect(ctx, stack.Target{Folder: s.Folder()})
	if err != nil {
		return err
	}
	defer c.Close()
	tally, err := c.Settle(ctx, settleTime)
	if err != nil || ctx.Err() != nil {
		return err
	}
	u.result = &summary{tally, tally.Open(), load}
	return nil
}

// conclude prints the summary, the last thing of a timed run.
func (u *up) conclude(s summary) error {
	if err := u.print(s, func(w io.Writer) error { return writeSummary(w, s) }); err != nil {
		return err
	}
	again := withFolder("up", u.cfg.Folder)
	switch {
	case s.Open != 0:
		return foundf(again, "up: %d accepted quotes have no ended order, and none has ended for %s", s.Open, render.Duration(settleTime))
	case s.Load != nil && s.Load.Accepted == 0:
		return failed(fmt.Errorf("up: the load got no quote accepted (%d tried, %d failed)", s.Load.Started, s.Load.Failed), again)
	}
	return nil
}

func writeSummary(w io.Writer, s summary) error {
	if s.Load != nil {
		if _, err := fmt.Fprintf(w, "load: %s\n", render.Safe(s.Load.String())); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "summary: %d quotes accepted, %d refused at capture, %d orders ended, %d open\n", s.Accepted, s.Refused, s.Ended, s.Open)
	return err
}
