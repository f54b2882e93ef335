package benchmark

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/outbox"
)

// What a child is, and what it is told.
const (
	relayChild    = "relay"
	consumerChild = "consumer"
	brokerDown    = "down"
	brokerUp      = "up"

	childGroup = "projection-service.memory.consumer"
)

// childSettings are the first line of a child's input.
type childSettings struct {
	Role     string   `json:"role"`
	Database string   `json:"database"`
	Brokers  []string `json:"brokers"`
	Topic    string   `json:"topic"`
}

// peak is the most memory a process used, in bytes.
type peak struct {
	Resident uint64 `json:"resident"`
	Heap     uint64 `json:"heap"`
}

// RunChild is a process whose memory is measured: a relay or a consumer alone. It
// reads what it is from in, runs until in ends, and writes its peak to out.
func RunChild(ctx context.Context, in io.Reader, out io.Writer) error {
	orders := bufio.NewReader(in)
	line, err := orders.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("benchmark: read the settings of the child: %w; \"factline bench memory\" starts it", err)
	}
	var s childSettings
	if err := json.Unmarshal(line, &s); err != nil {
		return fmt.Errorf("benchmark: read the settings of the child: %w", err)
	}
	pool, err := pgxpool.New(ctx, s.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	link := &brokerLink{}
	run, err := s.part(pool, link)
	if err != nil {
		return err
	}
	var p peak
	err = WhileRunning(ctx, run, func(ctx context.Context) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		heap := watchHeap(ctx)
		link.obey(ctx, orders)
		stop()
		p.Heap = <-heap
		return nil
	})
	if err != nil {
		return err
	}
	if p.Resident, err = peakResident(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(p)
}

func (s childSettings) part(pool *pgxpool.Pool, link *brokerLink) (run func(context.Context) error, err error) {
	options := []kgo.Opt{kgo.Dialer(link.dial)}
	switch s.Role {
	case relayChild:
		r, err := outbox.NewRelay(outbox.RelayConfig{Pool: pool, Brokers: s.Brokers, Instance: "bench", ClientOptions: options})
		if err != nil {
			return nil, err
		}
		return r.Run, nil
	case consumerChild:
		r, err := newRunner(pool, s.Brokers, s.Topic, variant{group: childGroup, bulk: true, change: func(c *consumer.Config) {
			c.ClientOptions = options
		}}, nil)
		if err != nil {
			return nil, err
		}
		return r.Run, nil
	}
	return nil, fmt.Errorf("benchmark: the child cannot be %q; it is %s or %s", s.Role, relayChild, consumerChild)
}

// heapEvery is how often the heap is looked at: often enough to see it between
// two collections.
const heapEvery = 5 * time.Millisecond

// watchHeap returns the largest heap of live and dead objects once ctx ends.
func watchHeap(ctx context.Context) <-chan uint64 {
	most := make(chan uint64, 1)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		largest := uint64(0)
		_ = poll(ctx, heapEvery, func() (bool, error) {
			metrics.Read(sample)
			largest = max(largest, sample[0].Value.Uint64())
			return false, nil
		})
		most <- largest
	}()
	return most
}

// brokerLink is the way to the broker, which can be cut.
type brokerLink struct {
	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

var errBrokerAway = errors.New("the broker is away")

func (l *brokerLink) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		return nil, errBrokerAway
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err == nil {
		l.conns = append(l.conns, conn)
	}
	return conn, err
}

func (l *brokerLink) cut(isCut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut = isCut; isCut {
		for _, conn := range l.conns {
			_ = conn.Close()
		}
		l.conns = nil
	}
}

// obey cuts and mends until there are no more orders or ctx ends.
func (l *brokerLink) obey(ctx context.Context, orders io.Reader) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(orders); lines.Scan(); {
			l.cut(lines.Text() == brokerDown)
		}
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}
