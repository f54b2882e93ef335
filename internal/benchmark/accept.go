package benchmark

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/internal/devstack"
	"factline.dev/outbox"
	"factline.dev/platform"
	"factline.dev/runbook"
)

// acceptRates is how many quotes a second are accepted: the rate of the aim, and
// less, to show where this machine's processors are full.
func acceptRates() []int { return []int{50, 100} }

// accept times what a customer starts: from the acceptance over HTTP to the
// capture of the order in another service, as the two services' own times say.
// The quotes are drafted and submitted before, their events have had their
// effects, and lines take longer than the measurement, so that nothing else is
// timed with it.
func (b *Bench) accept(ctx context.Context, rate, events int) ([]measure, error) {
	address, err := b.platformAddress(ctx)
	if err != nil {
		return nil, err
	}
	count := b.latencyEvents(rate, events)
	b.accepts++
	report, err := platform.Load(ctx, platform.LoadConfig{
		BaseURL: "http://" + address, Rate: float64(rate), Count: count, AcceptOnly: true, Seed: uint64(b.accepts),
		Prepared: b.untilQuiet,
	})
	if err != nil {
		return nil, err
	}
	if !report.Whole() {
		return nil, fmt.Errorf("not every accepted quote was captured: %s", report)
	}
	var all []measure
	for i, took := range []time.Duration{report.CapturedP50, report.CapturedP99} {
		p := []int{50, 99}[i]
		all = append(all, measure{
			subject: fmt.Sprintf("accept_%d_p%d", rate, p), unit: "ms", events: report.Completed,
			value: milliseconds(took),
			about: fmt.Sprintf("quote accepted over HTTP to order captured at %d/s, %d th percentile", rate, p),
		})
	}
	return all, nil
}

// quietAfter bounds the wait for the effects of the preparation.
const quietAfter = 2 * time.Minute

// untilQuiet waits until every event of the platform has had its effects.
func (b *Bench) untilQuiet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, quietAfter)
	defer cancel()
	log, err := runbook.NewLog(b.stack.addrs)
	if err != nil {
		return err
	}
	defer log.Close()
	for {
		waiting, err := b.waiting(ctx, log)
		if err != nil {
			return fmt.Errorf("wait for the effects of the preparation: %w", err)
		}
		if waiting == 0 {
			return nil
		}
		if err := sleepUntil(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
			return fmt.Errorf("wait for the effects of the preparation: %d are missing: %w", waiting, err)
		}
	}
}

// waiting counts what the platform has not published and not consumed.
func (b *Bench) waiting(ctx context.Context, log *runbook.Log) (n int64, err error) {
	for _, service := range b.services {
		status, err := outbox.Status(ctx, service.Pool)
		if err != nil {
			return 0, err
		}
		n += status.Pending()
	}
	lags, err := runbook.Lag(ctx, b.services, log)
	for _, lag := range lags {
		n += lag.LagRecords
	}
	return n, err
}

// platformAddress starts the reference platform on the stack, once: its topics
// have fixed names, and another start would read them from the beginning.
func (b *Bench) platformAddress(ctx context.Context) (string, error) {
	if b.platform != "" {
		return b.platform, nil
	}
	urls, err := platform.Provision(ctx, platform.ProvisionConfig{AdminURL: b.stack.url("postgres"), Prefix: "factline_bench_" + b.suffix + "_"})
	if err != nil {
		return "", err
	}
	catalogue, err := platform.Catalogue()
	if err != nil {
		return "", err
	}
	var topics []devstack.TopicSpec
	for _, t := range platform.Topics(catalogue, false) {
		topics = append(topics, devstack.TopicSpec(t))
	}
	if err := devstack.EnsureTopics(ctx, b.stack.addrs, topics); err != nil {
		return "", err
	}
	if err := b.openServices(ctx, urls); err != nil {
		return "", err
	}
	return b.startPlatform(ctx, urls)
}

func (b *Bench) openServices(ctx context.Context, urls map[string]string) error {
	for name, url := range urls {
		pool, err := pgxpool.New(ctx, url)
		if err != nil {
			return err
		}
		b.stack.cleanup(func(context.Context) error { pool.Close(); return nil })
		b.services = append(b.services, runbook.Service{Name: name, Pool: pool})
	}
	return nil
}

func (b *Bench) startPlatform(ctx context.Context, urls map[string]string) (string, error) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- platform.Run(running, platform.Config{
			Databases: urls, Brokers: b.stack.addrs, Listen: "127.0.0.1:0", LineDelay: time.Hour,
			Ready: func(address string) { ready <- address },
		})
	}()
	select {
	case b.platform = <-ready:
		b.stack.cleanup(func(context.Context) error { stop(); return <-ended })
		return b.platform, nil
	case err := <-ended:
		stop()
		return "", errors.Join(errors.New("the platform ended before it was ready"), err)
	}
}
