package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/deploy/kafka"
)

// KafkaConfig says how to run a real Apache Kafka, one node. The zero value
// keeps its data in a temporary folder, on a free port.
type KafkaConfig struct {
	// Dir keeps data, configuration and log. Default a temporary folder, removed
	// by [Kafka.Stop].
	Dir string

	// Port on 127.0.0.1. 0 picks a free one.
	Port int

	// HeapMB is the Java heap in megabytes. Default 512.
	HeapMB int

	// StartTimeout bounds the time to readiness, after downloads. Default 2 minutes.
	StartTimeout time.Duration

	// Cache keeps the jars. Default [CacheDir].
	Cache string

	// Logger is told of starts, stops and the download. Default discards.
	Logger *slog.Logger
}

// WithDefaults returns c with every unset field filled in.
func (c KafkaConfig) WithDefaults() KafkaConfig {
	if c.HeapMB == 0 {
		c.HeapMB = 512
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = 2 * time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c KafkaConfig) validate() error {
	var errs []error
	if c.Dir != "" && !filepath.IsAbs(c.Dir) {
		errs = append(errs, fmt.Errorf("devstack: KafkaConfig.Dir: must be an absolute path (%q)", c.Dir))
	}
	if c.Port < 0 || c.Port > 65535 {
		errs = append(errs, fmt.Errorf("devstack: KafkaConfig.Port: must be 0 to 65535 (%d)", c.Port))
	}
	if c.HeapMB < 0 {
		errs = append(errs, fmt.Errorf("devstack: KafkaConfig.HeapMB: must not be negative (%d)", c.HeapMB))
	}
	return errors.Join(errs...)
}

// Kafka is a running Apache Kafka. Its methods may be called concurrently.
type Kafka struct {
	cfg       KafkaConfig
	port      int
	java      string
	jars      string
	temporary bool
	child     *child
	log       *logKeeper
	done      chan error
}

// StartKafka fetches the jars with Maven once per machine, formats the folder if
// it is new, starts the server and returns when it answers. It needs java 17 or
// later, and mvn for the first time. ctx bounds the start, not the life; end
// that with [Kafka.Stop]. The server also ends when this process does.
func StartKafka(ctx context.Context, cfg KafkaConfig) (*Kafka, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("devstack: start Apache Kafka: %w; install Java 17 or later (Debian: apt-get install default-jre-headless), or use the embedded broker", err)
	}
	jars, err := installKafka(ctx, cfg)
	if err != nil {
		return nil, err
	}
	k := &Kafka{cfg: cfg, port: cfg.Port, java: java, jars: jars, done: make(chan error, 1)}
	if err := k.start(ctx); err != nil {
		return nil, errors.Join(err, k.tidy())
	}
	cfg.Logger.Info("apache kafka started", "addr", k.Addr(), "pid", k.Pid(), "folder", k.cfg.Dir)
	return k, nil
}

func (k *Kafka) start(ctx context.Context) error {
	if err := k.prepare(); err != nil {
		return err
	}
	if err := k.configure(ctx); err != nil {
		return err
	}
	var err error
	if k.log, err = openLog(k.logFile()); err != nil {
		return err
	}
	cmd := exec.Command(k.java, append(k.javaFlags(), "kafka.Kafka", k.propertiesFile())...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = k.cfg.Dir, k.log.file, k.log.file
	if k.child, err = startChild(cmd, account{}, syscall.SIGKILL); err != nil {
		k.log.close()
		return fmt.Errorf("devstack: start %s: %w", k.java, err)
	}
	go k.watch()
	if err := k.awaitReady(ctx); err != nil {
		return errors.Join(err, k.child.stop(ended(), syscall.SIGKILL, syscall.SIGKILL))
	}
	return nil
}

// prepare finds the folder and the port.
func (k *Kafka) prepare() (err error) {
	if k.cfg.Dir == "" {
		k.temporary = true
		if k.cfg.Dir, err = os.MkdirTemp("", "factline-kafka-"); err != nil {
			return diskError("make a folder for Apache Kafka", os.TempDir(), err)
		}
	} else if err = makeDir(k.cfg.Dir, 0o700); err != nil {
		return err
	}
	if k.port != 0 {
		return checkPort("start Apache Kafka", k.port)
	}
	k.port, err = freePort()
	return err
}

// configure writes the configuration, and formats the folder unless it is: the
// tool then does nothing, as told.
func (k *Kafka) configure(ctx context.Context) error {
	controller, err := freePort()
	if err != nil {
		return err
	}
	text := kafka.Properties(strconv.Itoa(k.port), strconv.Itoa(controller), filepath.Join(k.cfg.Dir, "data"))
	if err := os.WriteFile(k.propertiesFile(), []byte(text), 0o600); err != nil {
		return diskError("write "+k.propertiesFile(), k.propertiesFile(), err)
	}
	const cluster = "ZmFjdGxpbmUta2Fma2EtMQ" // 16 bytes in URL-safe base64
	cmd := exec.Command(k.java, append(k.javaFlags(), "kafka.tools.StorageTool",
		"format", "-t", cluster, "-c", k.propertiesFile(), "--ignore-formatted")...)
	if out, err := runHelper(ctx, cmd, account{}); err != nil {
		return serverError(fmt.Sprintf("Apache Kafka's StorageTool failed (%v)", err), k.cfg.Dir, out, "its output", k.port)
	}
	return nil
}

func (k *Kafka) javaFlags() []string {
	heap := strconv.Itoa(k.cfg.HeapMB)
	return []string{
		"-Xmx" + heap + "m", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=4", "-Djava.awt.headless=true",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", k.Classpath(),
	}
}

func (k *Kafka) watch() {
	<-k.child.exited
	if !k.child.stopping.Load() {
		k.done <- k.exitError()
	}
	close(k.done)
	k.log.close()
}

func (k *Kafka) exitError() error {
	return serverError(fmt.Sprintf("Apache Kafka ended by itself (%v)", k.child.err), k.cfg.Dir, k.log.tail(), k.logFile(), k.port)
}

func (k *Kafka) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.StartTimeout)
	defer cancel()
	for {
		err := k.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-k.child.exited:
			return k.exitError()
		case <-ctx.Done():
			return fmt.Errorf("devstack: wait for Apache Kafka on %s: %w (last answer: %w); read %s", k.Addr(), ctx.Err(), err, k.logFile())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (k *Kafka) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ping(ctx)
}

func (k *Kafka) propertiesFile() string { return filepath.Join(k.cfg.Dir, "server.properties") }
func (k *Kafka) logFile() string        { return filepath.Join(k.cfg.Dir, "kafka.log") }

// Addr is the server's host:port.
func (k *Kafka) Addr() string { return "127.0.0.1:" + strconv.Itoa(k.port) }

// Pid of the Java process.
func (k *Kafka) Pid() int { return k.child.pid }

// Java is the program that runs it, for Kafka's own tools together with
// [Kafka.Classpath]: org.apache.kafka.tools.consumer.ConsoleConsumer, say.
func (k *Kafka) Java() string { return k.java }

// Classpath holds the server's jars and its command-line tools.
func (k *Kafka) Classpath() string { return filepath.Join(k.jars, "*") }

// Done is closed when the server has ended. If that was not through
// [Kafka.Stop], it first delivers one error that says how.
func (k *Kafka) Done() <-chan error { return k.done }

// Stop ends the server, and kills it when ctx ends first. A temporary folder is
// removed. Calling it again does nothing.
func (k *Kafka) Stop(ctx context.Context) error {
	if err := k.child.stop(ctx, syscall.SIGTERM, syscall.SIGKILL); err != nil {
		return fmt.Errorf("devstack: stop Apache Kafka in %s: %w", k.cfg.Dir, err)
	}
	k.cfg.Logger.Info("apache kafka stopped", "folder", k.cfg.Dir)
	return k.tidy()
}

func (k *Kafka) tidy() error {
	if !k.temporary {
		return nil
	}
	return os.RemoveAll(k.cfg.Dir)
}

// ended is for a stop without patience.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
