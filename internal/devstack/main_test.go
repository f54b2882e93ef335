package devstack

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain doubles as the processes that tests kill: DEVSTACK_PLAY names a part.
func TestMain(m *testing.M) {
	if part := os.Getenv("DEVSTACK_PLAY"); part != "" {
		if err := play(part, os.Getenv("DEVSTACK_FOLDER")); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// play prints one line when its part is under way, then lives until killed.
func play(part, folder string) error {
	ctx := context.Background()
	line := ""
	switch part {
	case "postgres":
		p, err := StartPostgres(ctx, PostgresConfig{DataDir: filepath.Join(folder, "data")})
		if err != nil {
			return err
		}
		line = fmt.Sprint(p.Pid(), " ", p.URL("postgres"))
	case "stack":
		f, err := OpenFolder(folder, false)
		if err != nil {
			return err
		}
		p, err := StartPostgres(ctx, f.PostgresConfig())
		if err != nil {
			return err
		}
		line = fmt.Sprint(p.Pid(), " ", p.URL("postgres"))
	case "folder":
		if _, err := OpenFolder(folder, false); err != nil {
			return err
		}
		line = "held"
	case "broker":
		b, err := StartBroker(BrokerConfig{DataDir: folder})
		if err != nil {
			return err
		}
		line = b.Addr()
	case "whoami":
		return playOrdinaryUser(ctx, folder)
	default:
		return fmt.Errorf("no part %q", part)
	}
	fmt.Println("ready:", line)
	select {}
}

// actor is this test binary, playing a part in a process of its own.
type actor struct {
	cmd  *exec.Cmd
	line string
}

func startActor(t *testing.T, part, folder string) *actor {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "DEVSTACK_PLAY="+part, "DEVSTACK_FOLDER="+folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := &actor{cmd: cmd}
	t.Cleanup(a.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	ready, ok := strings.CutPrefix(line, "ready: ")
	if !ok {
		t.Fatalf("%s said %q (%v)", part, line, err)
	}
	a.line = strings.TrimSpace(ready)
	return a
}

// kill -9 the actor and wait until it is gone, so that its locks are free.
func (a *actor) kill() {
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
}

// folder is a temporary folder that a server of another user can reach, which
// t.TempDir is not.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "devstack-test-") //nolint:usetesting // another user must be able to reach it
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// eventually is here because factlinetest imports this package.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s for %s in vain", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func mustContain(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", wants)
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}
