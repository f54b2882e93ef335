package consumer_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// proxy stands between a pool and PostgreSQL and can lose the answer to a
// COMMIT, which leaves its outcome unknown to the client.
type proxy struct {
	dsn            string
	cutAfterCommit atomic.Int64
	cut            atomic.Int64
	// kill, where set, decides about each commit: whether the process dies now,
	// and whether the server still gets it.
	kill func() (now, reaches bool)
	dead atomic.Bool
}

// killAt makes the process lose its database around the nth commit from now, and
// closes the channel then.
func (p *proxy) killAt(nth int64, before bool) <-chan struct{} {
	killed := make(chan struct{})
	var seen atomic.Int64
	p.kill = func() (now, reaches bool) {
		if seen.Add(1) != nth {
			return false, true
		}
		p.dead.Store(true)
		close(killed)
		return true, !before
	}
	return killed
}

func newProxy(t *testing.T, dsn string) *proxy {
	t.Helper()
	target, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &proxy{}
	server := target.Host
	target.Host = listener.Addr().String()
	p.dsn = target.String()
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client, server)
		}
	}()
	return p
}

func (p *proxy) pool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (p *proxy) serve(client net.Conn, address string) {
	defer client.Close()
	if p.dead.Load() {
		return
	}
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	var losing atomic.Bool
	go func() {
		defer client.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil || losing.Load() {
				return // the answer has come and is thrown away with the connection
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(bytes.ToLower(buffer[:n]), []byte("commit\x00")) && p.cutAfterCommit.Add(-1) >= 0 {
			p.cut.Add(1)
			losing.Store(true)
		}
		if p.kill != nil && bytes.Contains(bytes.ToLower(buffer[:n]), []byte("commit\x00")) {
			now, reaches := p.kill()
			if now && !reaches {
				return
			}
			losing.Store(now)
		}
		if p.dead.Load() && !losing.Load() {
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func textLogger(l *logBuffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func contains(text, part string) bool { return strings.Contains(text, part) }

// freezer makes a client's connections stand still, as those of a stopped
// process.
type freezer struct {
	frozen atomic.Bool
	thaw   chan struct{}
}

func (f *freezer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	f.wait()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return &frozenConn{Conn: conn, freezer: f}, err
}

func (f *freezer) wait() {
	if f.frozen.Load() {
		<-f.thaw
	}
}

type frozenConn struct {
	net.Conn
	freezer *freezer
}

func (c *frozenConn) Write(p []byte) (int, error) {
	c.freezer.wait()
	return c.Conn.Write(p)
}
