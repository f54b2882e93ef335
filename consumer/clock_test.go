package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
)

// Before, an event was due by the clock of the host that failed to handle it, and one
// whose clock was wrong had the others try it an hour late.
func TestAFailedEventIsDueByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.send(order("a", 1))
	cfg := b.cfg
	handlers(func(context.Context, pgx.Tx, consumer.Message) error { return errors.New("not yet") })(&cfg)
	cfg.Subscriptions[0].RetryTiers, cfg.InPlaceAttempts = []time.Duration{time.Minute}, 1
	runner, err := consumer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	runner.SetHostClock(func() time.Time { return time.Now().Add(time.Hour) })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	b.wantHeld("a/1 RETRY")
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if left := one[float64](b, `SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM factline.held_event`); left > 60 {
		t.Errorf("it is due in %.0f s, want its pause of a minute", left)
	}
}
