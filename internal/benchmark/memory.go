package benchmark

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
)

const (
	// memoryShare is what part of Events the small backlog is; the large one is
	// growthOfBacklog times as large.
	memoryShare     = 4
	growthOfBacklog = 10
	outageSteps     = 5
)

func (b *Bench) memorySubjects() []subject {
	return []subject{
		{"1x", func(ctx context.Context, events int) ([]measure, error) {
			return b.memory(ctx, "1x", events/memoryShare)
		}},
		{"10x", func(ctx context.Context, events int) ([]measure, error) {
			return b.memory(ctx, "10x", events/memoryShare*growthOfBacklog)
		}},
	}
}

func memoryRatios(run map[string]float64) []measure {
	var all []measure
	for _, what := range []string{"relay", "outage", "consumer"} {
		all = append(all, ratio(run, what+"_10x", what+"_1x")...)
		all = append(all, ratio(run, what+"_heap_10x", what+"_heap_1x")...)
	}
	return all
}

// memory has processes of their own drain a backlog to the log and from there
// into a table, and ride out an outage of the broker, and asks each for its peak.
func (b *Bench) memory(ctx context.Context, name string, events int) (all []measure, err error) {
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	f := &filler{pool: s.pool}
	for _, of := range []struct {
		name, about string
		drain       func(context.Context, *site, *filler, int) (peak, error)
	}{
		{"relay", "a relay that drains a backlog", b.relayPeak},
		{"consumer", "a consumer with a bulk projection that takes it in", b.consumerPeak},
		{"outage", "a relay while the broker is away, the outbox grows, and the broker comes back", b.outagePeak},
	} {
		p, err := of.drain(ctx, s, f, events)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", of.name, err)
		}
		all = append(all,
			measure{subject: of.name + "_" + name, unit: "MiB", value: mebibytes(p.Resident), events: events, about: "largest resident memory of " + of.about},
			measure{subject: of.name + "_heap_" + name, unit: "MiB", value: mebibytes(p.Heap), events: events, about: "largest Go heap of " + of.about},
		)
	}
	return all, s.checkWhole(ctx)
}

// checkWhole demands every event of the outbox on the log, in order.
func (s *site) checkWhole(ctx context.Context) error {
	h, err := readLog(ctx, s.addrs, s.topic)
	if err != nil {
		return fmt.Errorf("read the log back: %w", err)
	}
	want := 0
	if err := s.pool.QueryRow(ctx, "SELECT count(*) FROM factline.outbox_event").Scan(&want); err != nil {
		return err
	}
	if len(h.ids) != want {
		return fmt.Errorf("the log holds %d different events, %d were appended", len(h.ids), want)
	}
	return h.checkOrder()
}

func mebibytes(n uint64) float64 { return float64(n) / (1 << 20) }

func (b *Bench) relayPeak(ctx context.Context, s *site, f *filler, events int) (peak, error) {
	if _, err := f.add(ctx, s.topic, events); err != nil {
		return peak{}, err
	}
	return b.whileChild(ctx, s.child(relayChild), func(ctx context.Context, _ *child) error {
		targets, err := s.targets(ctx)
		if err != nil {
			return err
		}
		return awaitDrained(ctx, s.pool, targets)
	})
}

func (b *Bench) outagePeak(ctx context.Context, s *site, f *filler, events int) (peak, error) {
	return b.whileChild(ctx, s.child(relayChild), func(ctx context.Context, c *child) error {
		// Something to publish has the relay meet the broker before it goes away.
		if err := s.addAndDrain(ctx, f, outageSteps); err != nil {
			return err
		}
		if err := c.tell(brokerDown); err != nil {
			return err
		}
		for range outageSteps {
			if _, err := f.add(ctx, s.topic, events/outageSteps); err != nil {
				return err
			}
		}
		if err := c.tell(brokerUp); err != nil {
			return err
		}
		return s.addAndDrain(ctx, f, outageSteps)
	})
}

func (s *site) addAndDrain(ctx context.Context, f *filler, events int) error {
	if _, err := f.add(ctx, s.topic, events); err != nil {
		return err
	}
	targets, err := s.targets(ctx)
	if err != nil {
		return err
	}
	return awaitDrained(ctx, s.pool, targets)
}

// consumerPeak also checks that each event took effect once.
func (b *Bench) consumerPeak(ctx context.Context, s *site, f *filler, _ int) (peak, error) {
	want := 0
	p, err := b.whileChild(ctx, s.child(consumerChild), func(ctx context.Context, _ *child) error {
		if err := s.pool.QueryRow(ctx, "SELECT count(*) FROM factline.outbox_event").Scan(&want); err != nil {
			return err
		}
		return s.awaitConsumed(ctx, childGroup, int64(want))
	})
	if err != nil {
		return p, err
	}
	var applied int
	err = s.pool.QueryRow(ctx, "SELECT coalesce(sum(applied), 0) FROM bench.order_summary").Scan(&applied)
	if err == nil && applied != want {
		err = fmt.Errorf("%d effects of %d events", applied, want)
	}
	return p, err
}

func (s *site) child(role string) childSettings {
	return childSettings{Role: role, Database: s.pool.Config().ConnString(), Brokers: s.addrs, Topic: s.topic}
}

// child is a process of its own, whose memory nobody else uses.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	stderr lastWords
}

// whileChild does something while a child runs, ends it, and returns its peak.
func (b *Bench) whileChild(ctx context.Context, settings childSettings, do func(context.Context, *child) error) (p peak, err error) {
	if len(b.cfg.Child) == 0 {
		return peak{}, errors.New("Config.Child is empty; give the command of a program that calls RunChild")
	}
	c := &child{cmd: exec.CommandContext(ctx, b.cfg.Child[0], b.cfg.Child[1:]...)} //nolint:gosec // our own program
	var stdout bytes.Buffer
	c.cmd.Stdout, c.cmd.Stderr = &stdout, &c.stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return peak{}, err
	}
	if err := c.cmd.Start(); err != nil {
		return peak{}, fmt.Errorf("start %s: %w", b.cfg.Child[0], err)
	}
	err = WhileRunning(ctx, c.run, func(ctx context.Context) error {
		if err := json.NewEncoder(c.in).Encode(settings); err != nil {
			return err
		}
		return do(ctx, c)
	})
	if err != nil {
		return peak{}, err
	}
	return p, json.Unmarshal(stdout.Bytes(), &p)
}

// run waits for the child, whose input ends with ctx.
func (c *child) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.in.Close() })
	defer stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("the process ended with %w: %s", err, c.stderr.text)
	}
	return nil
}

func (c *child) tell(order string) error {
	_, err := fmt.Fprintln(c.in, order)
	return err
}

// lastWords keeps the end of what a process writes.
type lastWords struct{ text []byte }

func (l *lastWords) Write(p []byte) (int, error) {
	const most = 2000
	l.text = append(l.text, p...)
	l.text = l.text[max(len(l.text)-most, 0):]
	return len(p), nil
}
