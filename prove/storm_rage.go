package prove

import (
	"context"
	"fmt"
	"time"

	"factline.dev/prove/check"
	"factline.dev/prove/history"
	"factline.dev/prove/workload"
)

// rage is the storm itself.
func (s *storm) rage(ctx context.Context, out *outcome) error {
	writers, err := s.newWriters(ctx)
	if err != nil {
		return err
	}
	if err := s.startParts(ctx); err != nil {
		return err
	}
	if err := s.share(ctx); err != nil {
		return err
	}
	s.eachNetwork(func(n network) { n.Cut() })
	load := s.startWriters(ctx, writers)
	mishaps := s.strikeFor(ctx, s.cfg.For)
	s.known.Storm.Operations = load.end()
	s.eachNetwork(func(n network) { n.Calm() })
	for _, c := range s.clients {
		s.known.Storm.Cuts = append(s.known.Storm.Cuts, c.cuts()...)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	out.saw("%d transactions, %d mishaps", len(s.known.Storm.Operations), len(mishaps))
	for _, m := range mishaps[:min(8, len(mishaps))] {
		out.saw("%s: %s for %s", m.Client, m.What, m.To.Sub(m.From).Round(time.Millisecond))
	}
	s.known.Storm.Mishaps, s.known.Storm.Assignments = mishaps, s.assignments.taken()
	s.fired(out)
	out.fail(s.endedParts()...)
	return nil
}

// fired is the evidence of the storm.
func (s *storm) fired(out *outcome) {
	h := s.known.Storm
	// What one client with one connection would lose. Of shorter lives no more is
	// asked: clients wait before they connect again.
	out.fired(check.ConnectionsWereCut(h.Cuts, max(1, int(s.cfg.For/max(s.cfg.MaxLife, 1500*time.Millisecond)))))
	if s.cfg.Gap > 0 {
		out.fired(check.PartitionsMoved(h.Mishaps, h.Assignments))
	}
	if s.cfg.Silence && s.cfg.Gap > 0 {
		out.fired(check.ConnectionsWentSilent(h.Cuts))
	}
	if s.hasProcesses() && s.cfg.Gap > 0 {
		out.fired(check.SignalsFired(h.Signals))
	}
}

func (s *storm) startParts(ctx context.Context) error {
	for _, service := range []string{history.StormSource, history.StormSink} {
		for n := 1; n <= stormRelays; n++ {
			start := func() error { return s.startRelay(ctx, service, n) }
			if service == history.StormSource && s.hasProcesses() {
				start = func() error { return s.startRelayProcess(ctx, n) }
			}
			if err := start(); err != nil {
				return err
			}
		}
	}
	for n := 1; n <= stormMembers; n++ {
		if err := s.startMember(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// sharePatience is how long relays and members may take to share the work while
// nothing is done to them.
const sharePatience = 30 * time.Second

// share waits until relays share the lanes and members the partitions, and notes
// how often lanes changed hands by that alone: no fault is behind it.
func (s *storm) share(ctx context.Context) error {
	s.known.Storm = &history.Storm{Settled: make(map[string]int)}
	calm := s.observer
	calm.patience = sharePatience
	return calm.await(ctx, "relays and members share the work", s.unshared)
}

func (s *storm) unshared(ctx context.Context) ([]string, error) {
	left := s.endedParts()
	if !s.isShared() {
		left = append(left, fmt.Sprintf("not each of %d members has partitions", stormMembers))
	}
	for service := range s.urls {
		lanes, err := s.recorder.Lanes(ctx, service)
		if err != nil {
			return nil, err
		}
		if lanes.Relays != stormRelays || !lanes.Even {
			left = append(left, fmt.Sprintf("%d relays of %s hold lanes, each its share: %v", lanes.Relays, service, lanes.Even))
		}
		s.known.Storm.Settled[service] = lanes.Takeovers
	}
	return left, nil
}

// isShared reports whether every partition is held, and every member holds one.
func (s *storm) isShared() bool {
	holders, members := history.Holders(s.assignments.taken(), time.Now()), make(map[string]bool)
	for _, member := range holders {
		members[member] = true
	}
	return len(holders) >= stormPartitions && len(members) == stormMembers
}

// network is what a storm does to one.
type network interface {
	Cut()
	Calm()
	Isolate(quietly bool)
	Silence()
	Restore()
}

func (s *storm) eachNetwork(do func(network)) {
	for _, c := range s.clients {
		for _, n := range c.networks {
			do(n)
		}
	}
}

// stormLoad is the writers at work.
type stormLoad struct {
	enough chan struct{}
	done   chan []history.Operation
}

func (s *storm) startWriters(ctx context.Context, w *workload.Writers) *stormLoad {
	l := &stormLoad{enough: make(chan struct{}), done: make(chan []history.Operation, 1)}
	go func() { l.done <- w.Drive(ctx, l.enough) }()
	return l
}

// end begins no more transactions and returns what became of all. Those under
// way are still in the storm.
func (l *stormLoad) end() []history.Operation {
	close(l.enough)
	return <-l.done
}

func (s *storm) hasProcesses() bool { return s.cfg.Binary != "" }
