package fault

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// server answers every message with itself and tells what it got.
func server(t *testing.T) (address string, got <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	messages := make(chan string, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buffer := make([]byte, 1024)
				for {
					n, err := c.Read(buffer)
					if err != nil {
						return
					}
					messages <- string(buffer[:n])
					if _, err := c.Write(buffer[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), messages
}

func newTestNetwork(t *testing.T, cfg NetworkConfig) *Network {
	t.Helper()
	n := NewNetwork(cfg)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func dial(t *testing.T, n *Network, address string) net.Conn {
	t.Helper()
	c, err := n.Dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask sends and returns what comes back within a second, "" where nothing does.
func ask(c net.Conn, text string) (answer string, err error) {
	if _, err := c.Write([]byte(text)); err != nil {
		return "", err
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	buffer := make([]byte, len(text))
	_, err = io.ReadFull(c, buffer)
	return strings.TrimRight(string(buffer), "\x00"), err
}

// askAnew asks over a new connection. A reset by an isolated server may come as
// early as in the dial.
func askAnew(t *testing.T, n *Network, address, text string) (answer string, err error) {
	t.Helper()
	c, err := n.Dial(t.Context(), "tcp", address)
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = c.Close() })
	return ask(c, text)
}

func TestANetworkPassesEverythingOnUntilItCuts(t *testing.T) {
	t.Parallel()
	address, _ := server(t)
	n := newTestNetwork(t, NetworkConfig{Seed: 1, MinLife: time.Millisecond, MaxLife: 2 * time.Millisecond})
	c := dial(t, n, address)
	if answer, err := ask(c, "hello"); answer != "hello" {
		t.Fatalf("%q, %v", answer, err)
	}
	n.Cut()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection lives on")
	}
	if seen := n.Cuts(); seen.Connections != 1 || seen.Cut != 1 || seen.Bytes != 10 {
		t.Errorf("%+v", seen)
	}
	n.Calm()
	if answer, err := ask(dial(t, n, address), "again"); answer != "again" {
		t.Errorf("after the calm %q, %v", answer, err)
	}
}

// until repeats with a new connection of short life, until what is looked for
// has happened.
func until(t *testing.T, n *Network, address string, happened func(Cuts) bool) {
	t.Helper()
	n.Cut()
	for range 500 {
		_, _ = askAnew(t, n, address, "request") // it may be cut at any time
		if happened(n.Cuts()) {
			return
		}
	}
	t.Fatalf("it did not happen: %+v", n.Cuts())
}

func TestANetworkLosesAnswersToRequestsThatWereServed(t *testing.T) {
	t.Parallel()
	address, _ := server(t)
	n := newTestNetwork(t, NetworkConfig{Seed: 1, MinLife: 100 * time.Millisecond, MaxLife: 100 * time.Millisecond})
	until(t, n, address, func(c Cuts) bool { return c.Unanswered > 0 && c.Busy > 0 })
}

func TestANetworkTearsRequests(t *testing.T) {
	t.Parallel()
	address, got := server(t)
	n := newTestNetwork(t, NetworkConfig{Seed: 1, MinLife: 100 * time.Millisecond, MaxLife: 100 * time.Millisecond})
	until(t, n, address, func(c Cuts) bool { return c.Torn > 0 })
	var all []string
	for len(got) > 0 {
		all = append(all, <-got)
	}
	if !slices.Contains(all, "req") {
		t.Errorf("no torn request among %q", all)
	}
}

func TestAnIsolatedServerIsRefusedOrSilentUntilItIsRestored(t *testing.T) {
	t.Parallel()
	for _, quietly := range []bool{false, true} {
		address, got := server(t)
		n := newTestNetwork(t, NetworkConfig{Seed: 1, MinLife: time.Hour, MaxLife: time.Hour})
		before := dial(t, n, address)
		if answer, err := ask(before, "before"); answer != "before" {
			t.Fatalf("%q, %v", answer, err)
		}
		<-got
		n.Isolate(quietly)
		if answer, err := ask(before, "lost"); answer != "" || isTimeout(err) != quietly {
			t.Errorf("quietly %v: answer %q, %v", quietly, answer, err)
		}
		if answer, err := askAnew(t, n, address, "lost"); answer != "" || isTimeout(err) != quietly {
			t.Errorf("quietly %v: a new connection: answer %q, %v", quietly, answer, err)
		}
		n.Restore()
		if _, err := ask(before, "late"); err == nil || isTimeout(err) {
			t.Errorf("quietly %v: what was cut off lives on (%v)", quietly, err)
		}
		if answer, err := ask(dial(t, n, address), "after"); answer != "after" {
			t.Errorf("quietly %v: after the isolation %q, %v", quietly, answer, err)
		}
		if text := <-got; text != "after" {
			t.Errorf("quietly %v: %q came through", quietly, text)
		}
		if seen := n.Cuts(); seen.Isolations != 1 || seen.Cut == 0 {
			t.Errorf("quietly %v: %+v", quietly, seen)
		}
	}
}

func TestASilencedConnectionStaysSilentWhileNewOnesPass(t *testing.T) {
	t.Parallel()
	address, got := server(t)
	n := newTestNetwork(t, NetworkConfig{Seed: 1, MinLife: time.Hour, MaxLife: time.Hour})
	before := dial(t, n, address)
	if answer, err := ask(before, "before"); answer != "before" {
		t.Fatalf("%q, %v", answer, err)
	}
	<-got
	n.Silence()
	if answer, err := ask(dial(t, n, address), "beside"); answer != "beside" {
		t.Errorf("a new connection: %q, %v", answer, err)
	}
	<-got
	for what, happens := range map[string]func(){
		"nothing":                  func() {},
		"an isolation and its end": func() { n.Isolate(true); n.Restore() },
		"a refusal and its end":    func() { n.Isolate(false); n.Restore() },
		"the calm":                 func() { n.Cut(); n.Calm() },
	} {
		happens()
		if answer, err := ask(before, "lost"); answer != "" || !isTimeout(err) {
			t.Errorf("after %s the old connection says %q, %v", what, answer, err)
		}
	}
	if seen := n.Cuts(); seen.Silenced != 1 || seen.Ignored != 1 || len(got) != 0 {
		t.Errorf("%+v, and %d messages came through", seen, len(got))
	}
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

func TestTheSameSeedGivesConnectionsTheSameLives(t *testing.T) {
	t.Parallel()
	lives := func(seed uint64) (all []byte) {
		n := NewNetwork(NetworkConfig{Seed: seed, MinLife: time.Hour, MaxLife: 2 * time.Hour})
		for range 8 {
			all = append(all, byte(n.dice.IntN(256)))
		}
		return all
	}
	if !bytes.Equal(lives(7), lives(7)) || bytes.Equal(lives(7), lives(8)) {
		t.Error("the seed does not decide")
	}
}
