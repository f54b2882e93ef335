package prove

import (
	"context"
	"fmt"
	"slices"
	"time"

	"factline.dev/prove/history"
)

// mishap is what befalls one client, or all, beside the cutting.
type mishap struct {
	// client is an index into the clients, negative for all of them.
	client int
	// what is the server that cannot be reached, or the signal that is sent.
	what string
	// quietly is how a server cannot be reached.
	quietly bool
	length  time.Duration
}

// strikeFor lets mishaps follow each other and returns what was done.
func (s *storm) strikeFor(ctx context.Context, d time.Duration) (told []string) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if s.cfg.Gap < 0 {
		<-ctx.Done()
		return nil
	}
	for n := 0; wait(ctx, s.cfg.Gap); n++ {
		m := s.nextMishap(n)
		began := time.Now()
		how := s.befall(ctx, m)
		line := fmt.Sprintf("%s: %s for %s", s.nameOf(m), how, time.Since(began).Round(time.Millisecond))
		told = append(told, line)
		s.logger.Info("a mishap is over", "mishap", line)
	}
	return told
}

// befall does it, for its length, and says what it was.
func (s *storm) befall(ctx context.Context, m mishap) string {
	if m.what == sigstop || m.what == sigkill {
		if signal, ok := s.clients[m.client].process.strike(ctx, m.what, m.length); ok {
			s.known.Storm.Signals = append(s.known.Storm.Signals, signal)
		}
		return m.what
	}
	s.isolate(m, func(n network) { n.Isolate(m.quietly) })
	wait(ctx, m.length)
	s.isolate(m, func(n network) { n.Restore() })
	if m.quietly {
		return m.what + " silent"
	}
	return m.what + " refused"
}

// nextMishap draws one, but for the first.
func (s *storm) nextMishap(n int) mishap {
	if first := s.firstMishaps(); n < len(first) {
		return first[n]
	}
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(s.dice.Float64()*float64(most-least))
	}
	m := mishap{client: s.dice.IntN(len(s.clients)), what: toDatabase, quietly: s.dice.IntN(2) == 0, length: between(time.Second, 5*time.Second)}
	if s.dice.IntN(2) == 0 && s.clients[m.client].networks[toBroker] != nil {
		m.what = toBroker
	}
	switch dice := s.dice.IntN(6); {
	case dice == 0:
		m.client, m.length = -1, between(time.Second, 4*time.Second)
	case dice == 1 && s.hasProcesses():
		m = mishap{client: s.relays()[s.dice.IntN(stormRelays)], what: sigkill}
	case dice == 2 && s.hasProcesses():
		m = mishap{client: s.relays()[s.dice.IntN(stormRelays)], what: sigstop, length: between(time.Second, 3*stormLease)}
	}
	return m
}

// firstMishaps are those of every storm, however short. They take one relay of
// the writers' outbox after the other away for longer than its lease, so that
// its lanes must change hands.
func (s *storm) firstMishaps() []mishap {
	const length = stormLease * 7 / 4
	relays := s.relays()
	if !s.hasProcesses() {
		return []mishap{
			{client: relays[0], what: toDatabase, quietly: true, length: length},
			{client: relays[1], what: toDatabase, length: length},
		}
	}
	return []mishap{
		{client: relays[0], what: sigkill},
		{client: relays[0], what: toDatabase, quietly: true, length: length},
		{client: relays[1], what: sigstop, length: length},
	}
}

// relays are the clients that relay the writers' outbox.
func (s *storm) relays() (all []int) {
	for n := 1; n <= stormRelays; n++ {
		all = append(all, slices.IndexFunc(s.clients, func(c *stormClient) bool { return c.name == relayName(history.StormSource, n) }))
	}
	return all
}

func (s *storm) nameOf(m mishap) string {
	if m.client < 0 {
		return "everyone"
	}
	return s.clients[m.client].name
}

// isolate does something to the networks that a mishap is about.
func (s *storm) isolate(m mishap, do func(network)) {
	clients := s.clients
	if m.client >= 0 {
		clients = clients[m.client : m.client+1]
	}
	for _, c := range clients {
		if n := c.networks[m.what]; n != nil {
			do(n)
		}
	}
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
