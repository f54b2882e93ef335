package prove

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/internal/devstack"
	"factline.dev/migrate"
	"factline.dev/prove/history"
)

//go:embed sql/*.sql
var statements embed.FS

func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("prove: unknown statement " + name)
	}
	return string(text)
}

// stormStack is what a storm falls upon: one database with what writers append,
// one with what handlers do, and the topics of both outboxes.
type stormStack struct {
	observer

	cfg      StormConfig
	dir      string
	postgres *devstack.Postgres
	broker   *devstack.Broker
	admin    string
	// suffix makes the names of databases, topics and group its own.
	suffix  string
	urls    map[string]string
	session time.Duration
}

func (s *stormStack) start(ctx context.Context) (err error) {
	if s.dir, err = makeFolder(); err != nil {
		return err
	}
	// Letters alone: a group id with digits looks generated.
	s.suffix = strings.ToLower(strings.Map(func(r rune) rune {
		if r < 'A' {
			return -1
		}
		return r
	}, rand.Text())[:8])
	for _, part := range []func(context.Context) error{s.startPostgres, s.startBroker, s.makeDatabases, s.makeTopics, s.record} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *stormStack) startPostgres(ctx context.Context) (err error) {
	if s.admin = s.cfg.Postgres; s.admin != "" {
		return nil
	}
	s.postgres, err = devstack.StartPostgres(ctx, devstack.PostgresConfig{
		DataDir: filepath.Join(s.dir, "postgres"), LogFile: filepath.Join(s.dir, "postgres.log"),
		Volatile: true, Prebuilt: true, Progress: s.cfg.Progress, Settings: map[string]string{"max_connections": "200"},
	})
	if err == nil {
		s.admin = s.postgres.URL("postgres")
	}
	return err
}

func (s *stormStack) startBroker(context.Context) (err error) {
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

func (s *stormStack) topic(name string) string { return "storm." + s.suffix + "." + name + ".v1" }

// postings carries what writers append, bookings what handlers do.
func (s *stormStack) postings() string { return s.topic("posting.events") }
func (s *stormStack) bookings() string { return s.topic("booking.events") }

func (s *stormStack) deadLetters() string { return s.topic("posting.events.dlt") }

func (s *stormStack) allTopics() []string {
	return []string{s.postings(), s.bookings(), s.deadLetters()}
}

func (s *stormStack) group() string { return "storm-sink.postings-" + s.suffix + ".consumer" }

func (s *stormStack) makeTopics(ctx context.Context) error {
	var specs []devstack.TopicSpec
	for _, name := range s.allTopics() {
		specs = append(specs, devstack.TopicSpec{Name: name, Partitions: stormPartitions, Configs: map[string]string{"retention.ms": "86400000", "max.message.bytes": "9437184"}})
	}
	return devstack.EnsureTopics(ctx, s.brokers, specs)
}

func (s *stormStack) makeDatabases(ctx context.Context) error {
	admin, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		return fmt.Errorf("prove: reach PostgreSQL: %w; check --postgres", err)
	}
	defer func() { _ = admin.Close(ctx) }()
	s.urls = make(map[string]string)
	for service, tables := range map[string]string{history.StormSource: "storm_source", history.StormSink: "storm_sink"} {
		name := "factline_" + strings.ReplaceAll(service, "-", "_") + "_" + s.suffix
		if _, err := admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
			return fmt.Errorf("prove: make a database: %w; the role needs CREATEDB", err)
		}
		if s.urls[service], err = withDatabase(s.admin, name); err != nil {
			return err
		}
		if err := prepare(ctx, s.urls[service], tables); err != nil {
			return err
		}
	}
	return nil
}

func prepare(ctx context.Context, url, tables string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return fmt.Errorf("prove: prepare a database: %w", err)
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, statement(tables)); err != nil {
		return fmt.Errorf("prove: make the tables of a storm: %w", err)
	}
	return nil
}

func (s *stormStack) record(ctx context.Context) (err error) {
	s.recorder, err = history.NewRecorder(ctx, s.urls, s.brokers, s.allTopics())
	return err
}

// close ends what the stack began, and removes it unless it is to be kept.
func (s *stormStack) close(ctx context.Context, keep bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var errs []error
	if s.recorder != nil {
		s.recorder.Close()
	}
	if s.cfg.Postgres != "" && !keep {
		errs = append(errs, dropDatabases(ctx, s.admin, s.urls))
	}
	if len(s.cfg.Kafka) > 0 && !keep {
		errs = append(errs, s.deleteTopics(ctx))
	}
	if s.broker != nil {
		s.broker.Close()
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop(ctx))
	}
	if s.dir != "" && !keep {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

func (s *stormStack) deleteTopics(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...))
	if err != nil {
		return fmt.Errorf("prove: delete the topics storm.%s.*: %w; delete them by hand", s.suffix, err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	_, err = admin.DeleteTopics(ctx, s.allTopics()...)
	if err != nil {
		return fmt.Errorf("prove: delete the topics storm.%s.*: %w; delete them by hand", s.suffix, err)
	}
	_, err = admin.DeleteGroup(ctx, s.group())
	if err != nil {
		return fmt.Errorf("prove: delete the group %s: %w; delete it by hand", s.group(), err)
	}
	return nil
}
