package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// dialTimeout bounds how long a proxy tries to reach its server.
const dialTimeout = 5 * time.Second

// proxy passes TCP connections on to one server and cuts them.
type proxy struct {
	cfg                NetworkConfig
	transport, address string
	listener           net.Listener
	serving            sync.WaitGroup

	mu       sync.Mutex
	dice     *rand.Rand
	cutting  bool
	isolated isolation
	closed   bool
	links    map[*link]struct{}
	seen     Cuts
}

// isolation is how a server cannot be reached.
type isolation int

const (
	reachable isolation = iota
	// refused: connections are reset and new ones too.
	refused
	// silent: nothing passes, and nobody is told.
	silent
)

func newProxy(cfg NetworkConfig, dice *rand.Rand, transport, address string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fault: put a proxy before %s: %w", address, err)
	}
	p := &proxy{cfg: cfg, dice: dice, transport: transport, address: address, listener: l, links: make(map[*link]struct{})}
	p.serving.Go(p.serve)
	return p, nil
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.connect(client) })
	}
}

// connect is one connection from its begin to its end.
func (p *proxy) connect(client net.Conn) {
	if p.refuses() {
		reset(client)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	server, err := new(net.Dialer).DialContext(ctx, p.transport, p.address)
	if err != nil {
		reset(client)
		return
	}
	l := &link{client: client, server: server}
	if !p.admit(l) {
		l.close(true)
		return
	}
	defer p.dismiss(l)
	var both sync.WaitGroup
	both.Go(func() { p.pass(l, client, server, false) })
	both.Go(func() { p.pass(l, server, client, true) })
	both.Wait()
}

func (p *proxy) refuses() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isolated == refused {
		p.seen.Refused++
	}
	return p.isolated == refused || p.closed
}

func (p *proxy) admit(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.isolated == refused {
		return false
	}
	p.seen.Connections++
	p.links[l] = struct{}{}
	if p.isolated == silent {
		l.silent = whileIsolated
	}
	if p.cutting {
		p.doom(l)
	}
	return true
}

// dismiss forgets a link that has ended, by whatever hand.
func (p *proxy) dismiss(l *link) {
	l.close(false)
	p.mu.Lock()
	defer p.mu.Unlock()
	l.stopTimers()
	delete(p.links, l)
}

// trapped is how long before the end of a link's life a trap waits for a request.
const trapped = 300 * time.Millisecond

// doom decides when and how a link ends. The caller holds mu.
func (p *proxy) doom(l *link) {
	life := p.cfg.MinLife + time.Duration(p.dice.Float64()*float64(p.cfg.MaxLife-p.cfg.MinLife))
	l.resets = p.dice.IntN(2) == 0
	trap := noTrap
	switch p.dice.IntN(6) {
	case 0, 1:
		trap = losesAnswer
	case 2:
		trap = tearsRequest
	}
	// What is left once a trap has sprung, time for the server to do its work.
	l.afterTrap = time.Duration((5 + 45*p.dice.Float64()) * float64(time.Millisecond))
	if trap != noTrap {
		l.timers = append(l.timers, time.AfterFunc(max(0, life-trapped), func() { p.setTrap(l, trap) }))
	}
	l.timers = append(l.timers, time.AfterFunc(life, func() { p.cut(l) }))
}

// trap is what happens to the next request of a link.
type trap int

const (
	noTrap trap = iota
	// losesAnswer lets the request through and then cuts without its answer: what
	// was asked is done, and who asked never learns it.
	losesAnswer
	// tearsRequest lets a part of the request through.
	tearsRequest
)

func (p *proxy) setTrap(l *link, t trap) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.trap = t
}

// busyWithin is how long after its last byte a connection counts as in use.
const busyWithin = 20 * time.Millisecond

func (p *proxy) cut(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutLocked(l)
}

func (p *proxy) cutLocked(l *link) {
	if _, ok := p.links[l]; !ok || l.isCut || l.silent == forGood {
		return
	}
	l.isCut = true
	p.seen.Cut++
	if time.Since(l.last) < busyWithin {
		p.seen.Busy++
	}
	if l.swallowed {
		p.seen.Unanswered++
	}
	l.close(l.resets)
}

// pass copies one direction until either end is gone.
func (p *proxy) pass(l *link, from, to net.Conn, answers bool) {
	defer l.close(false)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n = p.passes(l, n, answers); n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// passes notes traffic and returns how much of it may go through.
func (p *proxy) passes(l *link, n int, answers bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n == 0 {
		return 0
	}
	l.last = time.Now()
	if l.silent == forGood {
		p.ignore(l, answers)
		return 0
	}
	if l.silent != notSilent || l.mute {
		l.swallowed = l.swallowed || answers
		return 0
	}
	if !answers && l.trap != noTrap {
		n = p.spring(l, n)
	}
	p.seen.Bytes += int64(n)
	return n
}

// spring lets a request into the trap and returns how much of it goes on. The
// caller holds mu.
func (p *proxy) spring(l *link, n int) int {
	if l.trap == tearsRequest {
		n /= 2
		p.seen.Torn++
	}
	l.mute = true
	l.timers = append(l.timers, time.AfterFunc(l.afterTrap, func() { p.cut(l) }))
	return n
}

// setCutting begins or ends the cutting. At its end the links that answer no
// more are cut; the others live on.
func (p *proxy) setCutting(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cutting == on {
		return
	}
	p.cutting = on
	for l := range p.links {
		switch {
		case on:
			p.doom(l)
		case l.mute:
			p.cutLocked(l)
		default:
			l.stopTimers()
			l.trap = noTrap
		}
	}
}

// isolate takes the server away or gives it back.
func (p *proxy) isolate(how isolation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isolated = how
	for l := range p.links {
		switch {
		case l.silent == forGood:
		case how == silent:
			l.silent = whileIsolated
			l.stopTimers()
		case how == refused || l.silent == whileIsolated:
			l.resets = true
			p.cutLocked(l)
		}
	}
}

// silence lets nothing pass on the links that stand, until their client ends
// them. New ones are not concerned.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if l.isCut || l.silent == forGood {
			continue
		}
		l.silent = forGood
		l.stopTimers()
		p.seen.Silenced++
	}
}

// ignore notes the first request of a link that is silent for good. The caller
// holds mu.
func (p *proxy) ignore(l *link, answers bool) {
	if !answers && !l.ignored {
		l.ignored = true
		p.seen.Ignored++
	}
}

func (p *proxy) cuts() Cuts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// close ends the proxy with all of its connections.
func (p *proxy) close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		l.close(false)
	}
	p.mu.Unlock()
	p.serving.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// silence is how long a link that tells nobody stays so.
type silence int

const (
	notSilent silence = iota
	// whileIsolated: then it is reset.
	whileIsolated
	// forGood: as where a firewall has forgotten it.
	forGood
)

// link is one connection. Its fields belong to the proxy's lock.
type link struct {
	client, server net.Conn
	timers         []*time.Timer
	// last is when bytes came last.
	last      time.Time
	trap      trap
	afterTrap time.Duration
	// mute lets nothing through until the link is cut.
	mute bool
	// silent lets nothing through either, and lasts longer.
	silent silence
	// ignored is set when a request was thrown away that waits for good.
	ignored bool
	// swallowed is set when an answer was lost.
	swallowed bool
	// resets makes the cut a RST, which also throws away what is on its way.
	resets, isCut bool
}

func (l *link) stopTimers() {
	for _, t := range l.timers {
		t.Stop()
	}
	l.timers = nil
}

func (l *link) close(byReset bool) {
	if byReset {
		reset(l.client)
		reset(l.server)
		return
	}
	_ = l.client.Close()
	_ = l.server.Close()
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it may be closed already
	}
	_ = c.Close()
}
