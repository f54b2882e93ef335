package fault

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// NetworkConfig is what [NewNetwork] needs.
type NetworkConfig struct {
	// Seed decides when connections end and how.
	Seed uint64
	// MinLife and MaxLife are how long a connection lives while they are cut.
	MinLife, MaxLife time.Duration
}

// Cuts is what a network did: the evidence that its faults fired.
type Cuts struct {
	// Connections were passed on, and Bytes over them.
	Connections int   `json:"connections"`
	Bytes       int64 `json:"bytes"`
	// Cut is how many of them the network ended.
	Cut int `json:"cut"`
	// Busy were cut within 20 ms of their last bytes.
	Busy int `json:"busy"`
	// Unanswered were cut after answers on them had been thrown away.
	Unanswered int `json:"unanswered"`
	// Torn were cut within a request.
	Torn int `json:"torn"`
	// Refused were not passed on, because the server was isolated.
	Refused int `json:"refused"`
	// Isolations is how often the servers were taken away.
	Isolations int `json:"isolations"`
	// Silenced went silent for good while new ones passed, Ignored are those of
	// them on which a request came after that.
	Silenced int `json:"silenced"`
	Ignored  int `json:"ignored"`
}

// Plus adds what another network did.
func (c Cuts) Plus(d Cuts) Cuts {
	return Cuts{
		c.Connections + d.Connections, c.Bytes + d.Bytes, c.Cut + d.Cut, c.Busy + d.Busy,
		c.Unanswered + d.Unanswered, c.Torn + d.Torn, c.Refused + d.Refused, c.Isolations + d.Isolations,
		c.Silenced + d.Silenced, c.Ignored + d.Ignored,
	}
}

// Network is the way from one client to its servers, over TCP proxies that cut
// every connection or let nothing pass. Its client dials through [Network.Dial].
// Safe for concurrent use.
type Network struct {
	cfg NetworkConfig

	mu       sync.Mutex
	dice     *rand.Rand
	proxies  map[string]*proxy
	cutting  bool
	isolated isolation
	// isolating is how many isolations last, isolations how many there were.
	isolating, isolations int
	closed                bool
}

// NewNetwork returns a network that passes everything on.
func NewNetwork(cfg NetworkConfig) *Network {
	return &Network{cfg: cfg, dice: rand.New(rand.NewPCG(cfg.Seed, 0)), proxies: make(map[string]*proxy)} //nolint:gosec // a test's dice, no secret
}

// Dial connects to a server through the proxy before it. It has the form that
// kgo.Dialer and pgconn.DialFunc take.
func (n *Network) Dial(ctx context.Context, transport, address string) (net.Conn, error) {
	proxied, err := n.Address(transport, address)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, "tcp", proxied)
}

// Address is where the proxy before a server listens, for a client that is
// another process.
func (n *Network) Address(transport, address string) (string, error) {
	p, err := n.proxy(transport, address)
	if err != nil {
		return "", err
	}
	return p.listener.Addr().String(), nil
}

func (n *Network) proxy(transport, address string) (*proxy, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.proxies[transport+" "+address]; p != nil {
		return p, nil
	}
	if n.closed {
		return nil, net.ErrClosed
	}
	dice := rand.New(rand.NewPCG(n.dice.Uint64(), uint64(len(n.proxies)))) //nolint:gosec // a test's dice, no secret
	p, err := newProxy(n.cfg, dice, transport, address)
	if err != nil {
		return nil, err
	}
	p.setCutting(n.cutting)
	p.isolate(n.isolated)
	n.proxies[transport+" "+address] = p
	return p, nil
}

// Cut begins to end every connection after its life, half of them by a reset.
// A third lose the answer to their last request, a sixth have it torn.
func (n *Network) Cut() { n.setCutting(true) }

// Calm ends the cutting.
func (n *Network) Calm() { n.setCutting(false) }

func (n *Network) setCutting(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cutting = on
	for _, p := range n.proxies {
		p.setCutting(on)
	}
}

// Isolate takes the servers away until [Network.Restore]: connections are
// reset and refused, or, quietly, stay open with nothing passing. Isolations may
// overlap; the last way counts.
func (n *Network) Isolate(quietly bool) {
	how := refused
	if quietly {
		how = silent
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.isolating++
	n.isolations++
	n.setIsolated(how)
}

// Silence lets nothing pass on the connections that stand, until the client ends
// them, and does not touch new ones: as where a firewall has forgotten them, or a
// server was replaced. No calm and no restoration ends it.
func (n *Network) Silence() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.proxies {
		p.silence()
	}
}

// Restore ends one isolation. After the last, new connections pass; those of a
// quiet one are reset.
func (n *Network) Restore() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isolating--; n.isolating == 0 {
		n.setIsolated(reachable)
	}
}

// setIsolated is called with mu held.
func (n *Network) setIsolated(how isolation) {
	n.isolated = how
	for _, p := range n.proxies {
		p.isolate(how)
	}
}

// Cuts returns what the network did so far.
func (n *Network) Cuts() Cuts {
	n.mu.Lock()
	defer n.mu.Unlock()
	total := Cuts{Isolations: n.isolations}
	for _, p := range n.proxies {
		total = total.Plus(p.cuts())
	}
	return total
}

// Close ends all connections and proxies.
func (n *Network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	var errs []error
	for _, p := range n.proxies {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}
