package prove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/outbox"
	"factline.dev/prove/fault"
	"factline.dev/prove/history"
)

// relaySettings are what the prover sends to a relay that it starts.
type relaySettings struct {
	Database string   `json:"database"`
	Brokers  []string `json:"brokers"`
	// Proxies are where to dial instead of a broker's own address.
	Proxies  map[string]string `json:"proxies"`
	Instance string            `json:"instance"`
}

// RunRelay is a relay as the prover of a storm runs, pauses and kills it. It
// reports to out and logs to standard error.
func RunRelay(ctx context.Context, in io.Reader, out io.Writer) error {
	return fault.Serve(ctx, in, out, func(ctx context.Context, text json.RawMessage, _ *fault.Hooks, ready func()) error {
		var s relaySettings
		if err := json.Unmarshal(text, &s); err != nil {
			return fmt.Errorf("prove: read the settings of a relay: %w", err)
		}
		return s.run(ctx, ready)
	})
}

func (s relaySettings) run(ctx context.Context, ready func()) error {
	cfg, err := pgxpool.ParseConfig(s.Database)
	if err != nil {
		return fmt.Errorf("prove: connect a relay: %w", err)
	}
	cfg.MaxConns = 8
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("prove: connect a relay: %w", err)
	}
	defer pool.Close()
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		Pool: pool, Brokers: s.Brokers, Instance: s.Instance, LeaseTTL: stormLease,
		ClientOptions: []kgo.Opt{kgo.Dialer(s.dial)}, Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	ready()
	return relay.Run(ctx)
}

func (s relaySettings) dial(ctx context.Context, transport, address string) (net.Conn, error) {
	proxied, ok := s.Proxies[address]
	if !ok {
		return nil, fmt.Errorf("prove: dial %s: no proxy stands before it", address)
	}
	return new(net.Dialer).DialContext(ctx, transport, proxied)
}

// relayProcess is a relay that can be paused and killed.
type relayProcess struct {
	name string
	spec fault.Spec
	acts chan act
}

// act is what to do to a process next.
type act struct {
	signal string
	// pause is how long a SIGSTOP lasts.
	pause time.Duration
	done  chan<- history.Signal
}

// startRelayProcess runs a relay of the writers' outbox as a child.
func (s *storm) startRelayProcess(ctx context.Context, n int) error {
	c := s.newClient(relayName(history.StormSource, n), toDatabase, toBroker)
	settings := relaySettings{Brokers: s.brokers, Instance: fmt.Sprintf("%s-%d", history.StormSource, n)}
	var err error
	if settings.Database, err = c.proxiedURL(s.urls[history.StormSource]); err != nil {
		return err
	}
	if settings.Proxies, err = c.proxiedBrokers(ctx, s.brokers); err != nil {
		return err
	}
	c.process = &relayProcess{name: c.name, acts: make(chan act), spec: fault.Spec{
		Binary: s.cfg.Binary, Args: s.cfg.Args, Settings: settings, LogFile: filepath.Join(s.dir, fmt.Sprintf("relay-%d.log", n)),
	}}
	s.run(ctx, c.name, c.process.run)
	return nil
}

// run keeps the process alive but for the acts, and stops it with ctx.
func (p *relayProcess) run(ctx context.Context) error {
	for {
		child, err := fault.Start(ctx, p.spec)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if again, err := p.live(ctx, child); !again {
			return err
		}
	}
}

// live is one life of the process. It reports whether there is to be another.
func (p *relayProcess) live(ctx context.Context, child *fault.Child) (again bool, err error) {
	for {
		select {
		case <-ctx.Done():
			err := child.Stop(20 * time.Second)
			if ending := child.Ending(); err == nil && ending != "exit 0" {
				err = fmt.Errorf("prove: stop %s: it ended by %q: %s", p.name, ending, child.Tail())
			}
			return false, err
		case <-child.Done():
			return false, fmt.Errorf("prove: run %s: it ended by itself (%s): %s", p.name, child.Ending(), child.Tail())
		case a := <-p.acts:
			signal := history.Signal{Client: p.name, PID: child.PID(), Name: a.signal}
			if a.signal == sigkill {
				signal.Ending, err = child.Kill()
			} else {
				err = pause(ctx, child, a.pause)
			}
			signal.Confirmed = err == nil
			a.done <- signal
			if err != nil || a.signal == sigkill {
				return err == nil, err
			}
		}
	}
}

func pause(ctx context.Context, child *fault.Child, length time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := child.Pause(limited)
	if err == nil {
		wait(ctx, length)
	}
	return errors.Join(err, child.Resume())
}

// The signals that a relay's process gets.
const (
	sigstop = "SIGSTOP"
	sigkill = "SIGKILL"
)

// strike does something to the process and returns when it is over. It reports
// whether that came about before ctx ended.
func (p *relayProcess) strike(ctx context.Context, signal string, length time.Duration) (history.Signal, bool) {
	done := make(chan history.Signal, 1)
	select {
	case p.acts <- act{signal, length, done}:
		return <-done, true
	case <-ctx.Done():
		return history.Signal{}, false
	}
}

// proxiedURL is a database's URL with the proxy's address.
func (c *stormClient) proxiedURL(text string) (string, error) {
	cfg, err := pgx.ParseConfig(text)
	if err != nil {
		return "", fmt.Errorf("prove: connect %s: %w", c.name, err)
	}
	at, err := c.networks[toDatabase].Address("tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))))
	if err != nil {
		return "", err
	}
	return withHost(text, at)
}

// proxiedBrokers are the proxies before every address that a client may dial:
// those that it starts from and those that brokers advertise.
func (c *stormClient) proxiedBrokers(ctx context.Context, seeds []string) (map[string]string, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(seeds...))
	if err != nil {
		return nil, fmt.Errorf("prove: make a Kafka client: %w", err)
	}
	defer client.Close()
	nodes, err := kadm.NewClient(client).ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("prove: ask %s for its brokers: %w", strings.Join(seeds, ","), err)
	}
	addresses := append([]string(nil), seeds...)
	for _, node := range nodes {
		addresses = append(addresses, net.JoinHostPort(node.Host, strconv.Itoa(int(node.Port))))
	}
	proxies := make(map[string]string)
	for _, address := range addresses {
		if proxies[address], err = c.networks[toBroker].Address("tcp", address); err != nil {
			return nil, err
		}
	}
	return proxies, nil
}
