package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
)

// settleTime is how long orders may take to end after the last quote.
const settleTime = 60 * time.Second

// loadAndWait drives load as asked and returns when up is to stop: at Ctrl-C, or
// when the time is over and every order has ended or failed to.
func (u *up) loadAndWait(ctx context.Context, s *stack.Stack) error {
	timed := ctx
	if u.forTime > 0 {
		var cancel context.CancelFunc
		timed, cancel = context.WithTimeout(ctx, u.forTime)
		defer cancel()
	}
	<-timed.Done()
	if ctx.Err() != nil || u.forTime == 0 {
		return nil
	}
	return u.summarise(ctx, s)
}

// summary is the last line of a timed run.
type summary struct {
	stack.Tally
	Open int64 `json:"openOrders"`
}

// summarise waits for what is under way and counts whether every accepted quote
// has an order that came to its end, those of earlier starts included.
func (u *up) summarise(ctx context.Context, s *stack.Stack) error {
	c, err := stack.Connect(ctx, stack.Target{Folder: s.Folder()})
	if err != nil {
		return err
	}
	defer c.Close()
	tally, err := c.Settle(ctx, settleTime)
	if err != nil || ctx.Err() != nil {
		return err
	}
	u.result = &summary{tally, tally.Open()}
	return nil
}

// conclude prints the summary, the last thing of a timed run.
func (u *up) conclude(s summary) error {
	if err := u.print(s, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%d quotes accepted, %d refused at capture, %d orders ended, %d open\n", s.Accepted, s.Refused, s.Ended, s.Open)
		return err
	}); err != nil {
		return err
	}
	if s.Open != 0 {
		return foundf(withFolder("up", u.cfg.Folder), "up: %d accepted quotes have no ended order after %s", s.Open, render.Duration(settleTime))
	}
	return nil
}
