package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/contract"
	"factline.dev/internal/devstack"
	"factline.dev/platform"
)

// Stack is the ground a platform stands on: folder, HTTP port, database, broker,
// with databases, roles and topics made.
type Stack struct {
	cfg      Config
	folder   *devstack.Folder
	listener net.Listener
	logFile  *os.File
	logger   *slog.Logger
	postgres *devstack.Postgres // nil where --postgres names one
	broker   *devstack.Broker   // nil where --kafka names one
	admin    string
	urls     map[string]string
	brokers  []string
	contract *contract.Catalogue
}

// OpenOptions are what [Open] tells on its way.
type OpenOptions struct {
	// Progress is told about a download. Nil is not.
	Progress devstack.ProgressFunc
	// Logs receives the log beside the log file. Nil leaves it to the file.
	Logs slog.Handler
	// Learn is told every secret before it is used. Nil is not.
	Learn func(secret string)
}

// Open takes hold of the folder and brings up everything below the services.
// ctx bounds the start. Close the stack. Errors: [*PortError], and those of
// package devstack.
func Open(ctx context.Context, cfg Config, opts OpenOptions) (_ *Stack, err error) {
	cfg, err = cfg.WithDefaults()
	if err != nil {
		return nil, err
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := checkDisk(cfg.Folder); err != nil {
		return nil, err
	}
	s := &Stack{cfg: cfg, logger: slog.New(slog.DiscardHandler)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.folder, err = devstack.OpenFolder(cfg.Folder, cfg.Fresh); err != nil {
		return nil, err
	}
	if err := s.openLog(opts.Logs); err != nil {
		return nil, err
	}
	// A port in use or a wrong address should not cost a download or the start of
	// a database.
	if err := s.listen(ctx); err != nil {
		return nil, err
	}
	if err := pingKafka(ctx, cfg.Kafka); err != nil {
		return nil, err
	}
	if err := s.openPostgres(ctx, opts); err != nil {
		return nil, err
	}
	if err := s.openKafka(ctx); err != nil {
		return nil, err
	}
	return s, s.writeState()
}

const logLimit = 16 << 20

func (s *Stack) openLog(also slog.Handler) (err error) {
	path := s.LogFile()
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return fmt.Errorf("stack: rotate %s: %w", path, err)
		}
	}
	s.logFile, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("stack: open the log: %w", err)
	}
	var handler slog.Handler = slog.NewJSONHandler(s.logFile, nil)
	if also != nil {
		handler = slog.NewMultiHandler(handler, also)
	}
	s.logger = slog.New(handler)
	return nil
}

func (s *Stack) listen(ctx context.Context) (err error) {
	var network net.ListenConfig
	if s.listener, err = network.Listen(ctx, "tcp", s.cfg.HTTP); err != nil {
		return listenError("HTTP", "http", s.cfg.HTTP, err)
	}
	if len(s.cfg.Kafka) > 0 || s.cfg.BrokerPort < 0 {
		return nil
	}
	addr := fmt.Sprintf("127.0.0.1:%d", s.cfg.BrokerPort)
	probe, err := network.Listen(ctx, "tcp", addr)
	if err != nil {
		return listenError("the embedded broker", "kafka-port", addr, err)
	}
	return probe.Close()
}

func (s *Stack) openPostgres(ctx context.Context, opts OpenOptions) (err error) {
	s.admin = s.cfg.Postgres
	if s.admin == "" {
		cfg := s.folder.PostgresConfig()
		cfg.Port, cfg.Progress, cfg.Logger = port(s.cfg.PostgresPort), opts.Progress, s.logger
		if s.postgres, err = devstack.StartPostgres(ctx, cfg); err != nil {
			if errors.Is(err, devstack.ErrPortInUse) {
				return &PortError{What: "PostgreSQL", Flag: "postgres-port", Addr: fmt.Sprintf("127.0.0.1:%d", s.cfg.PostgresPort), Err: err}
			}
			return err
		}
		s.admin = s.postgres.URL("postgres")
	}
	return s.provision(ctx, opts.Learn)
}

// provision keeps the passwords of earlier starts, so that a tool that was
// given one goes on working.
func (s *Stack) provision(ctx context.Context, learn func(string)) (err error) {
	known := map[string]string{}
	if err := readJSON(s.connectionsFile(), &known); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("stack: read connections: %w; remove the file, new passwords are made then", err)
	}
	passwords := map[string]string{}
	for name, text := range known {
		passwords[name] = passwordOf(text)
	}
	if err := ping(ctx, s.admin); err != nil {
		return explainPostgres("the platform's databases", err)
	}
	s.urls, err = platform.Provision(ctx, platform.ProvisionConfig{AdminURL: s.admin, Passwords: passwords})
	if err != nil {
		return err
	}
	for _, text := range s.urls {
		if learn != nil {
			learn(passwordOf(text))
		}
	}
	return writeJSON(s.connectionsFile(), s.urls)
}

func ping(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func passwordOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return password
}

func (s *Stack) openKafka(ctx context.Context) error {
	var err error
	if s.contract, err = platform.Catalogue(); err != nil {
		return err
	}
	var topics []devstack.TopicSpec
	for _, t := range platform.Topics(s.contract, len(s.cfg.Kafka) == 0) {
		topics = append(topics, devstack.TopicSpec{Name: t.Name, Partitions: t.Partitions, Configs: t.Configs})
	}
	if s.brokers = s.cfg.Kafka; len(s.brokers) > 0 {
		return devstack.EnsureTopics(ctx, s.brokers, topics)
	}
	s.broker, err = devstack.StartBroker(devstack.BrokerConfig{DataDir: s.folder.Broker(), Port: port(s.cfg.BrokerPort), Logger: s.logger})
	if errors.Is(err, devstack.ErrPortInUse) {
		return &PortError{What: "the embedded broker", Flag: "kafka-port", Addr: fmt.Sprintf("127.0.0.1:%d", s.cfg.BrokerPort), Err: err}
	}
	if err != nil {
		return err
	}
	s.brokers = []string{s.broker.Addr()}
	return s.broker.EnsureTopics(ctx, topics)
}

func pingKafka(ctx context.Context, brokers []string) error {
	if len(brokers) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return fmt.Errorf("stack: reach the Kafka brokers %s: %w; correct --kafka", strings.Join(brokers, ","), err)
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("stack: reach the Kafka brokers %s: %w; start the broker, or correct host and port in --kafka", strings.Join(brokers, ","), err)
	}
	return nil
}

func (s *Stack) connectionsFile() string {
	return filepath.Join(s.folder.Secrets(), "connections.json")
}

// LogFile receives the log of the platform, the database's stands beside it.
func (s *Stack) LogFile() string { return filepath.Join(s.folder.Logs(), "platform.log") }

// State is what other processes may know of the stack.
func (s *Stack) State() State {
	return State{
		PID: os.Getpid(), StartedAt: time.Now().UTC().Truncate(time.Millisecond), HTTP: "http://" + s.listener.Addr().String(),
		Brokers: s.brokers, Postgres: hostOf(s.admin), ConnectionsFile: s.connectionsFile(), LogFile: s.LogFile(),
	}
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}

func (s *Stack) writeState() error { return writeJSON(stateFile(s.cfg.Folder), s.State()) }

// Close stops what was started, the database last, and lets go of the folder.
func (s *Stack) Close() error {
	var errs []error
	if s.listener != nil {
		_ = s.listener.Close() // the platform has closed it already, as a rule
	}
	if s.broker != nil {
		s.broker.Close()
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop(context.Background()))
	}
	var file io.Closer = s.logFile
	if s.logFile != nil {
		errs = append(errs, file.Close())
	}
	if s.folder != nil {
		s.folder.Close()
	}
	return errors.Join(errs...)
}

// Folder is where everything of the stack is.
func (s *Stack) Folder() string { return s.cfg.Folder }

// BrokerKind says in words what broker it is.
func (s *Stack) BrokerKind() string {
	if s.broker != nil {
		return "embedded"
	}
	return "given"
}

// Database is one service's database, without its password.
type Database struct{ Service, Database, Role string }

// Databases are those of all services, in the order they start.
func (s *Stack) Databases() []Database {
	var all []Database
	for _, name := range platform.Services() {
		u, err := url.Parse(s.urls[name])
		if err != nil {
			continue
		}
		all = append(all, Database{name, strings.TrimPrefix(u.Path, "/"), u.User.Username()})
	}
	return all
}
