package prove

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/internal/devstack"
	"factline.dev/platform"
	"factline.dev/prove/fault"
	"factline.dev/prove/history"
	"factline.dev/prove/report"
)

// stack is what a proof runs on: database and broker in this process or outside,
// the platform as a child.
type stack struct {
	observer

	cfg       Config
	dir       string
	postgres  *devstack.Postgres
	broker    *devstack.Broker
	admin     string
	prefix    string
	databases map[string]string
	listen    string
	session   time.Duration
}

func startStack(ctx context.Context, cfg Config) (*stack, error) {
	s := &stack{observer: observer{patience: cfg.Patience}, cfg: cfg, prefix: "factline_prove_" + strings.ToLower(rand.Text()[:8]) + "_"}
	err := s.start(ctx)
	if err != nil {
		return nil, errors.Join(err, s.close(ctx))
	}
	return s, nil
}

func (s *stack) start(ctx context.Context) (err error) {
	if s.catalogue, err = platform.Catalogue(); err != nil {
		return err
	}
	if s.dir, err = makeFolder(); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{s.startPostgres, s.startBroker, s.makeTopics, s.provision, s.record, s.startPlatform} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// makeFolder is a temporary one, open to a database server that runs as another
// user.
func makeFolder() (string, error) {
	dir, err := os.MkdirTemp("", "factline-prove-")
	if err != nil {
		return "", fmt.Errorf("prove: make a folder: %w", err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // see above
		return dir, fmt.Errorf("prove: open folder %s for the database server: %w", dir, err)
	}
	return dir, nil
}

func (s *stack) startPostgres(ctx context.Context) (err error) {
	if s.admin = s.cfg.Postgres; s.admin != "" {
		return nil
	}
	s.postgres, err = devstack.StartPostgres(ctx, devstack.PostgresConfig{
		DataDir: filepath.Join(s.dir, "postgres"), LogFile: filepath.Join(s.dir, "postgres.log"),
		Volatile: true, Prebuilt: true, Progress: s.cfg.Progress,
	})
	if err == nil {
		s.admin = s.postgres.URL("postgres")
	}
	return err
}

// The shortest session that brokers allow, and the one that ours does.
const (
	realSession     = 6 * time.Second
	embeddedSession = 2 * time.Second
)

func (s *stack) startBroker(context.Context) (err error) {
	s.brokers, s.session = s.cfg.Kafka, realSession
	if len(s.brokers) > 0 {
		return nil
	}
	s.session = embeddedSession
	s.broker, err = devstack.StartBroker(devstack.BrokerConfig{Options: []kfake.Opt{kfake.GroupMinSessionTimeout(time.Second)}})
	if err == nil {
		s.brokers = []string{s.broker.Addr()}
	}
	return err
}

func (s *stack) makeTopics(ctx context.Context) error {
	var specs []devstack.TopicSpec
	for _, t := range platform.Topics(s.catalogue, s.broker != nil) {
		specs = append(specs, devstack.TopicSpec{Name: t.Name, Partitions: t.Partitions, Configs: t.Configs})
	}
	if s.broker != nil {
		return s.broker.EnsureTopics(ctx, specs)
	}
	if err := devstack.EnsureTopics(ctx, s.brokers, specs); err != nil {
		return err
	}
	return s.checkEmpty(ctx)
}

// checkEmpty protects whatever platform lives on a real broker.
func (s *stack) checkEmpty(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...))
	if err != nil {
		return fmt.Errorf("prove: make a Kafka client: %w", err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, s.topics()...)
	if err != nil {
		return fmt.Errorf("prove: look at the topics of %s: %w", strings.Join(s.brokers, ","), err)
	}
	var used []string
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 && (len(used) == 0 || used[len(used)-1] != o.Topic) {
			used = append(used, o.Topic)
		}
	})
	if len(used) > 0 {
		return fmt.Errorf("prove: use %s: it holds records already (%s) and the proof sends broken events; use a broker that is empty", strings.Join(s.brokers, ","), strings.Join(used, ", "))
	}
	return nil
}

func (s *stack) provision(ctx context.Context) (err error) {
	s.databases, err = platform.Provision(ctx, platform.ProvisionConfig{AdminURL: s.admin, Prefix: s.prefix})
	return err
}

func (s *stack) record(ctx context.Context) (err error) {
	s.recorder, err = history.NewRecorder(ctx, s.databases, s.brokers, s.topics())
	return err
}

// startPlatform keeps the address over restarts, as a service in production has
// one, so that clients can go on.
func (s *stack) startPlatform(ctx context.Context) (err error) {
	if s.listen == "" {
		if s.listen, err = freeAddress(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	s.child, err = fault.Start(ctx, fault.Spec{
		Binary: s.cfg.Binary, Args: s.cfg.Args, Env: s.cfg.Env, LogFile: filepath.Join(s.dir, "platform.log"),
		Settings: childSettings{
			Databases: s.databases, Brokers: s.brokers, Listen: s.listen, SessionMillis: int(s.session.Milliseconds()),
		},
	})
	return err
}

// freeAddress is one on this machine that nobody listens on now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("prove: find a port for the platform: %w", err)
	}
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("prove: find a port for the platform: %w", err)
	}
	return l.Addr().String(), nil
}

func (s *stack) base() string { return "http://" + s.listen }

// close ends everything in the order in which it leans on each other.
func (s *stack) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var errs []error
	if s.child != nil {
		errs = append(errs, s.child.Stop(20*time.Second))
	}
	if s.recorder != nil {
		s.recorder.Close()
	}
	if s.cfg.Postgres != "" && !s.cfg.Keep {
		errs = append(errs, dropDatabases(ctx, s.admin, s.databases))
	}
	if s.broker != nil {
		s.broker.Close()
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop(ctx))
	}
	if s.dir != "" && !s.cfg.Keep {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// dropDatabases removes what a proof made on somebody's server, with the roles
// that have a database's name.
func dropDatabases(ctx context.Context, admin string, databases map[string]string) error {
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return fmt.Errorf("prove: drop the databases factline_*: %w; drop them by hand", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var errs []error
	for _, url := range databases {
		cfg, err := pgx.ParseConfig(url)
		if err != nil {
			continue
		}
		id := pgx.Identifier{cfg.Database}.Sanitize()
		drops := []string{"DROP DATABASE IF EXISTS " + id + " WITH (FORCE)"}
		if cfg.User == cfg.Database {
			drops = append(drops, "DROP ROLE IF EXISTS "+id)
		}
		for _, sql := range drops {
			if _, err := conn.Exec(ctx, sql); err != nil {
				errs = append(errs, fmt.Errorf("prove: %s: %w; do it by hand", sql, err))
			}
		}
	}
	return errors.Join(errs...)
}

// facts are what a reader needs to repeat the proof.
func (s *stack) facts(ctx context.Context) []report.Fact {
	return factsOf(ctx, s.recorder.Pool(history.Orders), s.broker != nil, s.brokers, s.dir)
}

func factsOf(ctx context.Context, pool *pgxpool.Pool, isEmbedded bool, brokers []string, dir string) []report.Fact {
	facts := []report.Fact{{Name: "factline", Value: build()}, {Name: "go", Value: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}}
	var version string
	if err := pool.QueryRow(ctx, "SELECT version()").Scan(&version); err == nil {
		facts = append(facts, report.Fact{Name: "postgres", Value: version})
	}
	return append(facts, report.Fact{Name: "broker", Value: brokerVersion(ctx, isEmbedded, brokers)}, report.Fact{Name: "folder", Value: dir})
}

func brokerVersion(ctx context.Context, isEmbedded bool, brokers []string) string {
	if isEmbedded {
		return "embedded " + module("github.com/twmb/franz-go/pkg/kfake")
	}
	name := strings.Join(brokers, ",")
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return name
	}
	defer client.Close()
	versions, err := kadm.NewClient(client).ApiVersions(ctx)
	if err != nil {
		return name
	}
	for _, v := range versions.Sorted() {
		return fmt.Sprintf("%s, speaks as Kafka %s, %d nodes", name, v.VersionGuess(), len(versions))
	}
	return name
}

// cannotShow is honest about the stack.
func (s *stack) cannotShow(ctx context.Context) []string {
	return limitsOf(ctx, s.broker != nil, s.brokers, "power cuts and killed brokers: only the platform is killed here")
}

// limitsOf is what a stack cannot show; outside says so of servers that are not
// the prover's.
func limitsOf(ctx context.Context, isEmbedded bool, brokers []string, outside string) []string {
	const oneNode = "replication, leader changes and lost replicas: the broker is one, without replicas"
	if isEmbedded {
		return []string{oneNode, "power cuts: the embedded database and broker of a proof do not sync to disk"}
	}
	limits := []string{outside}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return limits
	}
	defer client.Close()
	if nodes, err := kadm.NewClient(client).ListBrokers(ctx); err == nil && len(nodes) == 1 {
		limits = append(limits, oneNode)
	}
	return limits
}

func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return strings.TrimSpace(info.Main.Version + " " + setting.Value)
		}
	}
	return info.Main.Version
}

func module(path string) string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return path[strings.LastIndex(path, "/")+1:] + " " + m.Version
			}
		}
	}
	return path
}
