package prove

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
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
	// silences the connections that stand, for good, while new ones pass. length
	// is then the time that clients have to notice.
	silences bool
}

// track is a row of mishaps, one after the other; tracks run beside each other.
type track struct {
	storm *storm
	dice  *rand.Rand
	// first are those of every storm, however short.
	first []mishap
	// next draws one of the others.
	next func(*track) mishap
}

// tracks are one for the relays of the writers' outbox and one for the rest.
func (s *storm) tracks() []*track {
	newTrack := func(first []mishap, next func(*track) mishap) *track {
		return &track{storm: s, dice: newDice(s.dice.Uint64()), first: first, next: next}
	}
	return []*track{
		newTrack(s.firstOfRelays(), (*track).ofRelays),
		newTrack(s.firstOfOthers(), (*track).ofOthers),
	}
}

// strikeFor lets mishaps follow each other and returns what was done.
func (s *storm) strikeFor(ctx context.Context, d time.Duration) []history.Mishap {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if s.cfg.Gap < 0 {
		<-ctx.Done()
		return nil
	}
	tracks := s.tracks()
	done := make([][]history.Mishap, len(tracks))
	var all sync.WaitGroup
	for i, t := range tracks {
		all.Go(func() { done[i] = t.run(ctx) })
	}
	all.Wait()
	mishaps := slices.Concat(done...)
	slices.SortStableFunc(mishaps, func(a, b history.Mishap) int { return a.From.Compare(b.From) })
	return mishaps
}

func (t *track) run(ctx context.Context) (done []history.Mishap) {
	for n := 0; wait(ctx, t.storm.cfg.Gap); n++ {
		m := t.draw(n)
		told := history.Mishap{Client: t.storm.nameOf(m), From: time.Now().UTC()}
		told.What = t.storm.befall(ctx, m)
		told.To = time.Now().UTC()
		done = append(done, told)
		t.storm.logger.Info("a mishap is over", "mishap", told.What, "client", told.Client, "length", told.To.Sub(told.From).String())
	}
	return done
}

func (t *track) draw(n int) mishap {
	if n < len(t.first) {
		return t.first[n]
	}
	return t.next(t)
}

// befall does it, for its length, and says what it was.
func (s *storm) befall(ctx context.Context, m mishap) string {
	if m.what == sigstop || m.what == sigkill {
		if signal, ok := s.clients[m.client].process.strike(ctx, m.what, m.length); ok {
			s.known.Storm.Signals = append(s.known.Storm.Signals, signal)
		}
		return m.what
	}
	if m.silences {
		s.isolate(m, func(n network) { n.Silence() })
		wait(ctx, m.length)
		return m.what + " connections silenced"
	}
	s.isolate(m, func(n network) { n.Isolate(m.quietly) })
	wait(ctx, m.length)
	s.isolate(m, func(n network) { n.Restore() })
	if m.quietly {
		return m.what + " silent"
	}
	return m.what + " refused"
}

func (t *track) between(least, most time.Duration) time.Duration {
	return least + time.Duration(t.dice.Float64()*float64(most-least))
}

// isolation draws who cannot reach which server, and how.
func (t *track) isolation(clients []int) mishap {
	m := mishap{client: clients[t.dice.IntN(len(clients))], what: toDatabase, quietly: t.dice.IntN(2) == 0, length: t.between(time.Second, 5*time.Second)}
	if t.dice.IntN(2) == 0 && t.storm.clients[m.client].networks[toBroker] != nil {
		m.what = toBroker
	}
	m.silences = t.storm.cfg.Silence && m.what == toDatabase && m.quietly
	return m
}

func (t *track) ofRelays() mishap {
	relays := t.storm.relays()
	m := t.isolation(relays)
	if !t.storm.hasProcesses() {
		return m
	}
	switch t.dice.IntN(4) {
	case 0:
		return mishap{client: m.client, what: sigkill}
	case 1:
		return mishap{client: m.client, what: sigstop, length: t.between(time.Second, 3*stormLease)}
	}
	return m
}

// ofOthers is one of six times everybody's, and long enough for a session to
// end where a member loses the broker.
func (t *track) ofOthers() mishap {
	var others []int
	relays := t.storm.relays()
	for i := range t.storm.clients {
		if !slices.Contains(relays, i) {
			others = append(others, i)
		}
	}
	m := t.isolation(others)
	if t.dice.IntN(6) == 0 {
		m.client, m.length = -1, t.between(time.Second, 4*time.Second)
		return m
	}
	if isMember := strings.HasPrefix(t.storm.nameOf(m), "member"); isMember && m.what == toBroker {
		m.length = t.between(time.Second, 2*t.storm.session)
	}
	return m
}

// firstOfRelays take one relay of the writers' outbox after the other away for
// longer than its lease, so that its lanes must change hands.
func (s *storm) firstOfRelays() []mishap {
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

// firstOfOthers takes the broker from a member for longer than its session, so
// that others get its partitions while it may still be at work on them. Before
// that everyone's connections to the database go silent, where a storm has that.
func (s *storm) firstOfOthers() (all []mishap) {
	if s.cfg.Silence {
		all = append(all, mishap{client: -1, what: toDatabase, silences: true})
	}
	length := min(3*s.session, max(6*time.Second, s.session*3/2))
	return append(all, mishap{client: s.client(memberName(1)), what: toBroker, quietly: true, length: length})
}

// client is an index into the clients, by name.
func (s *storm) client(name string) int {
	return slices.IndexFunc(s.clients, func(c *stormClient) bool { return c.name == name })
}

// relays are the clients that relay the writers' outbox.
func (s *storm) relays() (all []int) {
	for n := 1; n <= stormRelays; n++ {
		all = append(all, s.client(relayName(history.StormSource, n)))
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
