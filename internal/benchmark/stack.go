package benchmark

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/deploy/kafka"
	"factline.dev/internal/devstack"
	"factline.dev/migrate"
)

// stack is the pair of servers and what was made on them.
type stack struct {
	url      func(database string) string
	admin    *pgxpool.Pool
	addrs    []string
	kafka    string
	template string
	cleanups []func(context.Context) error
}

// Open starts the servers that cfg does not name, and prepares both.
func Open(ctx context.Context, cfg Config) (*Bench, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("benchmark: check configuration: %w", err)
	}
	b := &Bench{cfg: cfg, stack: &stack{}, suffix: strings.ToLower(rand.Text()[:8]), grown: map[int]*filler{}}
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(err, b.Close(ctx))
	}
	return b, nil
}

func (b *Bench) open(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "factline-bench-")
	if err != nil {
		return fmt.Errorf("benchmark: make a folder: %w; set TMPDIR to a folder you can write", err)
	}
	b.stack.cleanup(func(context.Context) error { return os.RemoveAll(dir) })
	if err := b.stack.openPostgres(ctx, b.cfg, dir); err != nil {
		return err
	}
	if err := b.stack.openKafka(ctx, b.cfg, dir); err != nil {
		return err
	}
	return b.prepareTemplate(ctx)
}

// Close drops what was made and stops what was started.
func (b *Bench) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var errs []error
	for _, cleanup := range slices.Backward(b.stack.cleanups) {
		errs = append(errs, cleanup(ctx))
	}
	b.stack.cleanups = nil
	return errors.Join(errs...)
}

func (s *stack) cleanup(do func(context.Context) error) { s.cleanups = append(s.cleanups, do) }

func (s *stack) openPostgres(ctx context.Context, cfg Config, dir string) error {
	if cfg.Postgres == "" {
		if err := s.startPostgres(ctx, cfg, dir); err != nil {
			return err
		}
	} else {
		u, err := url.Parse(cfg.Postgres)
		if err != nil || u.Host == "" {
			return errors.New("benchmark: open PostgreSQL: --postgres is no URL; write postgres://user:password@host:5432/postgres")
		}
		s.url = func(database string) string {
			v := *u
			if database != "postgres" {
				v.Path = "/" + database
			}
			return v.String()
		}
	}
	pool, err := pgxpool.New(ctx, s.url("postgres"))
	if err != nil {
		return fmt.Errorf("benchmark: open PostgreSQL: %w", err)
	}
	s.admin = pool
	s.cleanup(func(context.Context) error { pool.Close(); return nil })
	if err := pool.Ping(ctx); err != nil {
		return fmt.Errorf("benchmark: reach PostgreSQL: %w; check --postgres", err)
	}
	return nil
}

// startPostgres leaves durability as it is in production and gives the server
// room, so that no checkpoint falls into one subject's run and not another's.
func (s *stack) startPostgres(ctx context.Context, cfg Config, dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return fmt.Errorf("benchmark: open %s for the database server: %w", dir, err)
	}
	pg, err := devstack.StartPostgres(ctx, devstack.PostgresConfig{
		DataDir: filepath.Join(dir, "data"), Prebuilt: true, Logger: cfg.Logger,
		Settings: with(map[string]string{
			"fsync": "on", "synchronous_commit": "on",
			"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min", "jit": "off",
		}, cfg.PostgresSettings),
	})
	if err != nil {
		return err
	}
	s.url = pg.URL
	s.cleanup(pg.Stop)
	return nil
}

func (s *stack) openKafka(ctx context.Context, cfg Config, dir string) error {
	switch cfg.Kafka {
	case "":
		broker, err := devstack.StartBroker(devstack.BrokerConfig{DataDir: filepath.Join(dir, "broker"), Logger: cfg.Logger})
		if err != nil {
			return err
		}
		s.addrs, s.kafka = []string{broker.Addr()}, "embedded broker (kfake, writes synced)"
		s.cleanup(func(context.Context) error { broker.Close(); return nil })
	case RealKafka:
		k, err := devstack.StartKafka(ctx, devstack.KafkaConfig{Dir: filepath.Join(dir, "kafka"), HeapMB: 1024, Logger: cfg.Logger})
		if err != nil {
			return err
		}
		s.addrs, s.kafka = []string{k.Addr()}, "Apache Kafka "+kafka.Version
		s.cleanup(k.Stop)
	default:
		s.addrs = strings.Split(cfg.Kafka, ",")
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.addrs...))
	if err != nil {
		return fmt.Errorf("benchmark: open Kafka: %w", err)
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("benchmark: reach Kafka at %s: %w; check --kafka", strings.Join(s.addrs, ","), err)
	}
	return nil
}

func (b *Bench) prepareTemplate(ctx context.Context) error {
	s := b.stack
	s.template = "factline_bench_" + b.suffix
	if err := s.create(ctx, s.template, "template0"); err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, s.url(s.template))
	if err != nil {
		return fmt.Errorf("benchmark: prepare the template: %w", err)
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, statement("tables")); err != nil {
		return fmt.Errorf("benchmark: make the tables of the other subjects: %w", err)
	}
	return nil
}

func (s *stack) create(ctx context.Context, name, from string) error {
	id := pgx.Identifier{name}.Sanitize()
	if _, err := s.admin.Exec(ctx, "CREATE DATABASE "+id+" TEMPLATE "+pgx.Identifier{from}.Sanitize()+" STRATEGY file_copy"); err != nil {
		return fmt.Errorf("benchmark: create a database: %w; the role needs CREATEDB", err)
	}
	s.cleanup(func(ctx context.Context) error { return s.drop(ctx, name) })
	return nil
}

func (s *stack) drop(ctx context.Context, name string) error {
	_, err := s.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
	return err
}

// site is a database and a topic for one measurement.
type site struct {
	pool  *pgxpool.Pool
	addrs []string
	topic string
	close func()
}

// connections is more than any subject uses at once.
const connections = 24

// newSite makes a database and a topic nobody has used.
func (b *Bench) newSite(ctx context.Context) (*site, error) {
	name := b.databaseName()
	pool, err := b.newDatabase(ctx, name)
	if err != nil {
		return nil, err
	}
	s, err := b.siteOn(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	closeTopic := s.close
	s.close = func() {
		pool.Close()
		b.dropDatabase(context.WithoutCancel(ctx), name)
		closeTopic()
	}
	return s, nil
}

func (b *Bench) databaseName() string {
	b.made++
	return fmt.Sprintf("factline_bench_%s_%d", b.suffix, b.made)
}

// siteOn makes a topic nobody has used beside a database that stays.
func (b *Bench) siteOn(ctx context.Context, pool *pgxpool.Pool) (*site, error) {
	b.made++
	// No subject pays for what the one before has dirtied. A role that may not
	// do this measures without it.
	_, _ = pool.Exec(ctx, "CHECKPOINT")
	topic := fmt.Sprintf("bench.orders.%s.%d.v1", b.suffix, b.made)
	if err := devstack.EnsureTopics(ctx, b.stack.addrs, []devstack.TopicSpec{topicSpec(topic)}); err != nil {
		return nil, err
	}
	return &site{pool: pool, addrs: b.stack.addrs, topic: topic, close: func() {
		b.deleteTopic(context.WithoutCancel(ctx), topic)
	}}, nil
}

func topicSpec(name string) devstack.TopicSpec {
	return devstack.TopicSpec{Name: name, Partitions: partitions, Configs: map[string]string{"retention.ms": "86400000"}}
}

func (b *Bench) newDatabase(ctx context.Context, name string) (*pgxpool.Pool, error) {
	if err := b.stack.create(ctx, name, b.stack.template); err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(b.stack.url(name))
	if err != nil {
		return nil, fmt.Errorf("benchmark: connect to %s: %w", name, err)
	}
	cfg.MaxConns = connections
	return pgxpool.NewWithConfig(ctx, cfg)
}

// dropDatabase and deleteTopic free the space early; what fails here is dropped
// at the end.
func (b *Bench) dropDatabase(ctx context.Context, name string) {
	if err := b.stack.drop(ctx, name); err != nil {
		b.cfg.Logger.Warn("benchmark database is not dropped yet", "error", err)
	}
}

func (b *Bench) deleteTopic(ctx context.Context, topic string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.stack.addrs...))
	if err == nil {
		_, err = kadm.NewClient(client).DeleteTopic(ctx, topic)
		client.Close()
	}
	if err != nil {
		b.cfg.Logger.Warn("benchmark topic is not deleted", "topic", topic, "error", err)
	}
}
