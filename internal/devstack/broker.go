package devstack

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

// BrokerPort is where Kafka clients look first.
const BrokerPort = 9092

// BrokerConfig says how to run the embedded broker. The zero value is a broker
// in memory on a free port.
type BrokerConfig struct {
	// DataDir keeps topics, groups and offsets between runs. Only one broker may
	// use it at a time, which nothing but a [Folder] ensures. Everything in it is
	// read into memory at start: give topics a retention. Default none, in memory.
	DataDir string

	// Port on 127.0.0.1. 0 picks a free one; see [BrokerPort].
	Port int

	// Volatile acknowledges before the disk has it: faster, and what was
	// acknowledged survives a killed process but not a power cut.
	Volatile bool

	// Options go to the broker last and win over ours.
	Options []kfake.Opt

	// Logger is told what the broker warns of. Default discards.
	Logger *slog.Logger
}

// WithDefaults returns c with every unset field filled in.
func (c BrokerConfig) WithDefaults() BrokerConfig {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c BrokerConfig) validate() error {
	var errs []error
	if c.DataDir != "" && !filepath.IsAbs(c.DataDir) {
		errs = append(errs, fmt.Errorf("devstack: BrokerConfig.DataDir: must be an absolute path (%q)", c.DataDir))
	}
	if c.Port < 0 || c.Port > 65535 {
		errs = append(errs, fmt.Errorf("devstack: BrokerConfig.Port: must be 0 to 65535 (%d)", c.Port))
	}
	return errors.Join(errs...)
}

// Broker is a Kafka broker inside this process, for development: it speaks the
// protocol and keeps its log, and has no replicas, no quotas and no timestamp
// checks. Its methods may be called concurrently.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
	log     *brokerLog
}

// StartBroker returns a broker that accepts connections. It creates no topic by
// itself; see [Broker.EnsureTopics].
func StartBroker(cfg BrokerConfig) (*Broker, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	log := &brokerLog{to: cfg.Logger, dir: cfg.DataDir, failed: make(chan error, 1)}
	cluster, err := kfake.NewCluster(cfg.options(log)...)
	if err != nil {
		return nil, brokerError(cfg, err)
	}
	b := &Broker{cluster: cluster, addr: cluster.ListenAddrs()[0], log: log}
	cfg.Logger.Info("embedded broker started", "addr", b.addr, "folder", cfg.DataDir)
	return b, nil
}

// options: the broker looks for expired records once an hour unless told.
func (c BrokerConfig) options(log kfake.Logger) []kfake.Opt {
	opts := []kfake.Opt{
		kfake.ClusterID("factline-embedded"),
		kfake.Ports(c.Port),
		kfake.WithLogger(log),
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "60000"}),
	}
	if c.DataDir != "" {
		opts = append(opts, kfake.DataDir(c.DataDir))
		if !c.Volatile {
			opts = append(opts, kfake.SyncWrites())
		}
	}
	return append(opts, c.Options...)
}

func brokerError(cfg BrokerConfig, err error) error {
	var op *net.OpError
	switch {
	case errors.As(err, &op):
		return listenError("start the embedded broker", cfg.Port, err)
	case cfg.DataDir != "":
		return diskError("start the embedded broker on "+cfg.DataDir,
			cfg.DataDir, fmt.Errorf("%w; if it stays, start over with --fresh", err))
	}
	return fmt.Errorf("devstack: start the embedded broker: %w", err)
}

// Addr is the broker's host:port, which it also advertises.
func (b *Broker) Addr() string { return b.addr }

// Port of [Broker.Addr].
func (b *Broker) Port() int {
	_, port, _ := net.SplitHostPort(b.addr)
	n, _ := strconv.Atoi(port)
	return n
}

// Cluster is the embedded implementation, for fault injection.
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }

// Failed delivers the first failure to write to disk. Producers get errors from
// then on, so nothing acknowledged is lost.
func (b *Broker) Failed() <-chan error { return b.log.failed }

// Close writes everything out and ends the broker. Calling it again does nothing.
func (b *Broker) Close() { b.cluster.Close() }

// brokerLog passes warnings on and recognises a failing disk in them: the broker
// has no other way to tell.
type brokerLog struct {
	to     *slog.Logger
	dir    string
	failed chan error
}

func (l *brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level == kfake.LogLevelNone || level > kfake.LogLevelWarn {
		return
	}
	text := fmt.Sprintf(format, args...)
	l.to.Warn("embedded broker", "text", text)
	for _, arg := range args {
		if err, ok := arg.(error); ok && strings.HasPrefix(format, "persist") {
			l.fail(text, err)
		}
	}
}

func (l *brokerLog) fail(text string, err error) {
	if _, ok := errors.AsType[syscall.Errno](err); !ok {
		return
	}
	select {
	case l.failed <- diskError("embedded broker: "+strings.TrimSuffix(text, ": "+err.Error()), l.dir, err):
	default:
	}
}
