package prove

import (
	"context"
	"fmt"
	"strings"
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
	s.eachNetwork(func(n network) { n.Cut() })
	load := s.startWriters(ctx, writers)
	isolated := s.isolateFor(ctx, s.cfg.For)
	s.known.Storm = &history.Storm{Operations: load.end()}
	s.calm()
	for _, c := range s.clients {
		s.known.Storm.Cuts = append(s.known.Storm.Cuts, c.cuts()...)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	out.saw("%d transactions, %d isolations", len(s.known.Storm.Operations), len(isolated))
	for _, line := range first(isolated, 6) {
		out.saw("%s", line)
	}
	// What one client with one connection would lose.
	out.fired(check.ConnectionsWereCut(s.known.Storm.Cuts, max(1, int(s.cfg.For/s.cfg.MaxLife))))
	out.fail(s.endedParts()...)
	return nil
}

func (s *storm) startParts(ctx context.Context) error {
	for _, service := range []string{history.StormSource, history.StormSink} {
		for n := 1; n <= stormRelays; n++ {
			if err := s.startRelay(ctx, service, n); err != nil {
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

// network is what a storm does to one.
type network interface {
	Cut()
	Calm()
	Isolate(quietly bool)
	Restore()
}

func (s *storm) eachNetwork(do func(network)) {
	for _, c := range s.clients {
		for _, n := range c.networks {
			do(n)
		}
	}
}

func (s *storm) calm() {
	s.eachNetwork(func(n network) { n.Restore() })
	s.eachNetwork(func(n network) { n.Calm() })
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

// isolation is who cannot reach what for a while.
type isolation struct {
	// client is an index into the clients, negative for all of them.
	client  int
	server  string
	quietly bool
	length  time.Duration
}

// isolateFor lets isolations follow each other and returns what was done.
func (s *storm) isolateFor(ctx context.Context, d time.Duration) (told []string) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if s.cfg.Gap < 0 {
		<-ctx.Done()
		return nil
	}
	for n := 0; wait(ctx, s.cfg.Gap); n++ {
		i := s.nextIsolation(n)
		began := time.Now()
		name := s.isolate(i, func(n network) { n.Isolate(i.quietly) })
		wait(ctx, i.length)
		s.isolate(i, func(n network) { n.Restore() })
		how := "refused"
		if i.quietly {
			how = "silent"
		}
		told = append(told, fmt.Sprintf("%s: %s %s for %s", name, i.server, how, time.Since(began).Round(time.Millisecond)))
		s.logger.Info("isolation ended", "client", name, "server", i.server, "quietly", i.quietly, "length", time.Since(began).String())
	}
	return told
}

// nextIsolation draws one. The first two take the database from one relay of
// the writers' outbox after the other, so that its lanes must change hands.
func (s *storm) nextIsolation(n int) isolation {
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(s.dice.Float64()*float64(most-least))
	}
	i := isolation{client: s.dice.IntN(len(s.clients)), server: toDatabase, quietly: s.dice.IntN(2) == 0, length: between(time.Second, 5*time.Second)}
	if s.dice.IntN(2) == 0 {
		i.server = toBroker
	}
	if s.dice.IntN(6) == 0 {
		i.client, i.length = -1, between(time.Second, 4*time.Second)
	}
	if n < stormRelays {
		i = isolation{client: s.firstRelay() + n, server: toDatabase, quietly: n == 0, length: stormLease * 7 / 4}
	}
	return i
}

func (s *storm) firstRelay() int {
	for i, c := range s.clients {
		if strings.HasPrefix(c.name, "relay") {
			return i
		}
	}
	return 0
}

// isolate does something to the networks of an isolation and names who has them.
func (s *storm) isolate(i isolation, do func(network)) string {
	if i.client >= 0 {
		if n := s.clients[i.client].networks[i.server]; n != nil {
			do(n)
		}
		return s.clients[i.client].name
	}
	for _, c := range s.clients {
		if n := c.networks[i.server]; n != nil {
			do(n)
		}
	}
	return "everyone"
}

// wait reports whether the time passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
