package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// superuser is the role that initdb makes, whoever runs the server.
const superuser = "postgres"

// Postgres is a running server. Its methods may be called concurrently.
type Postgres struct {
	cfg      PostgresConfig
	bin      string
	as       account
	port     int
	password string
	child    *child
	log      *logKeeper
	done     chan error
}

// StartPostgres installs the binaries if need be, makes the cluster if need be,
// stops a server that a killed process left on the same folder, starts a new one
// and returns when it accepts connections. ctx bounds the start, not the life;
// end that with [Postgres.Stop]. The server also ends when this process does.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Port != 0 {
		if err := checkPort("start PostgreSQL", cfg.Port); err != nil && !ownServer(cfg.DataDir) {
			return nil, err
		}
	}
	bin, err := InstallPostgres(ctx, cfg.Cache, cfg.Progress)
	if err != nil {
		return nil, err
	}
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	password, err := prepareCluster(ctx, cfg, bin, as)
	if err != nil {
		return nil, err
	}
	return startServer(ctx, cfg, bin, as, password)
}

// startServer tries other ports when it may choose: between finding a free one
// and binding it, another process can take it.
func startServer(ctx context.Context, cfg PostgresConfig, bin string, as account, password string) (*Postgres, error) {
	for try := 0; ; try++ {
		p := &Postgres{cfg: cfg, bin: bin, as: as, port: cfg.Port, password: password, done: make(chan error, 1)}
		err := p.start(ctx)
		if err == nil {
			cfg.Logger.Info("postgres started", "port", p.port, "pid", p.Pid(), "folder", cfg.DataDir)
			return p, nil
		}
		if !errors.Is(err, ErrPortInUse) || cfg.Port != 0 || try == 4 {
			return nil, err
		}
	}
}

func (p *Postgres) start(ctx context.Context) (err error) {
	if p.port == 0 {
		if p.port, err = freePort(); err != nil {
			return err
		}
	} else if err = checkPort("start PostgreSQL", p.port); err != nil {
		return err
	}
	if p.log, err = openLog(p.cfg.LogFile); err != nil {
		return err
	}
	cmd := exec.Command(p.program(), p.cfg.arguments(p.port)...)
	cmd.Dir, cmd.Env = p.cfg.DataDir, serverEnv()
	cmd.Stdout, cmd.Stderr = p.log.file, p.log.file
	if p.child, err = startChild(cmd, p.as, syscall.SIGINT); err != nil {
		p.log.close()
		return fmt.Errorf("devstack: start %s as user %s: %w", cmd.Path, p.as.name, err)
	}
	go p.watch()
	if err = p.awaitReady(ctx); err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return errors.Join(err, p.Stop(stopCtx))
	}
	return nil
}

// serverEnv keeps the caller's PG* variables and locale away from the server.
func serverEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}

// watch reports an end that nobody asked for, and closes done at any end.
func (p *Postgres) watch() {
	<-p.child.exited
	if !p.child.stopping.Load() {
		p.done <- p.exitError()
	}
	close(p.done)
	p.log.close()
}

func (p *Postgres) exitError() error {
	return serverError(fmt.Sprintf("PostgreSQL ended by itself (%v)", p.child.err),
		p.cfg.DataDir, p.log.tail(), p.cfg.LogFile, p.port)
}

func (p *Postgres) awaitReady(ctx context.Context) error {
	if p.cfg.StartTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.cfg.StartTimeout)
		defer cancel()
	}
	for {
		err := p.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.child.exited:
			return p.exitError()
		case <-ctx.Done():
			return fmt.Errorf("devstack: wait for PostgreSQL on port %d: %w (last answer: %w); read %s", p.port, ctx.Err(), err, p.cfg.LogFile)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *Postgres) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// URL is a connection string of the superuser to the database. It holds the
// password: do not log it.
func (p *Postgres) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, p.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (p *Postgres) program() string { return filepath.Join(p.bin, "bin", "postgres") }

// Command is a line for a shell that starts this server again, with its
// ordinary settings on the same port, to look at the data after a stop.
func (p *Postgres) Command() string {
	line := fmt.Sprintf("%s -D %s -c port=%d -c listen_addresses=127.0.0.1 -c unix_socket_directories=", p.program(), p.cfg.DataDir, p.port)
	if p.as.drop {
		line = fmt.Sprintf("su %s -s /bin/sh -c '%s'", p.as.name, line)
	}
	return line
}

// Port the server listens on, on 127.0.0.1.
func (p *Postgres) Port() int { return p.port }

// Pid of the server's first process.
func (p *Postgres) Pid() int { return p.child.pid }

// Done is closed when the server has ended. If that was not through
// [Postgres.Stop], it first delivers one error that says how.
func (p *Postgres) Done() <-chan error { return p.done }

// Stop rolls back what is open, writes everything out and ends the server. When
// ctx ends first, or after a minute, the server is killed, which costs recovery
// at the next start and no committed data. Calling it again does nothing.
func (p *Postgres) Stop(ctx context.Context) error {
	if err := p.child.stop(ctx, syscall.SIGINT, syscall.SIGQUIT); err != nil {
		return fmt.Errorf("devstack: stop PostgreSQL in %s: %w", p.cfg.DataDir, err)
	}
	p.cfg.Logger.Info("postgres stopped", "folder", p.cfg.DataDir)
	return nil
}
