// Package running runs what is measured beside what watches it.
package running

import (
	"context"
	"errors"
	"time"
)

// While does something while run runs, and ends run afterwards. It fails when
// run ends early.
func While(ctx context.Context, run, do func(context.Context) error) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	doing, giveUp := context.WithCancel(ctx)
	defer giveUp()
	ended := make(chan error, 1)
	go func() {
		err := run(running)
		if running.Err() == nil {
			giveUp()
			err = errors.Join(errors.New("it ended by itself"), err)
		}
		ended <- err
	}()
	err := do(doing)
	stop()
	return errors.Join(<-ended, err)
}

// Poll asks every 50 ms until done says so.
func Poll(ctx context.Context, done func() (bool, error)) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
