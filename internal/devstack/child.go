package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// child is a server process that dies with this one.
type child struct {
	cmd      *exec.Cmd
	pid      int
	stopping atomic.Bool
	exited   chan struct{}
	err      error // of Wait; read after exited is closed
}

// startChild starts cmd in a process group of its own, so that Ctrl-C reaches us
// and not the server, which has to outlive our drain. onDeath is what the kernel
// sends the server when we die.
func startChild(cmd *exec.Cmd, as account, onDeath syscall.Signal) (*child, error) {
	cmd.SysProcAttr = as.attributes()
	dieWithParent(cmd.SysProcAttr, onDeath)
	c := &child{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go c.live(started)
	return c, <-started
}

// live keeps its thread from fork to exit: the kernel's "parent died" means the
// thread that forked, not the process.
func (c *child) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := c.cmd.Start(); err != nil {
		close(c.exited)
		started <- err
		return
	}
	c.pid = c.cmd.Process.Pid
	started <- nil
	c.err = c.cmd.Wait()
	close(c.exited)
}

// runHelper runs a program to its end and returns what it said. It is killed when
// ctx ends, and with us: left alone it would go on writing where the next start
// cleans up.
func runHelper(ctx context.Context, cmd *exec.Cmd, as account) (string, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	c, err := startChild(cmd, as, syscall.SIGKILL)
	if err != nil {
		return "", err
	}
	select {
	case <-c.exited:
		return out.String(), c.err
	case <-ctx.Done():
	}
	if err := c.stop(ctx, syscall.SIGKILL, syscall.SIGKILL); err != nil {
		return "", err
	}
	return out.String(), ctx.Err()
}

func (c *child) running() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// patience bounds a polite stop: on a full disk PostgreSQL tries its last
// checkpoint for ever.
const patience = time.Minute

// stop asks politely until ctx or patience ends, then with less and less ceremony.
func (c *child) stop(ctx context.Context, polite, firm syscall.Signal) error {
	if !c.running() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.signal(polite); err != nil {
		return err
	}
	select {
	case <-c.exited:
		return nil
	case <-ctx.Done():
	}
	for _, s := range []syscall.Signal{firm, syscall.SIGKILL} {
		if err := c.signal(s); err != nil {
			return err
		}
		if c.exitsWithin(5 * time.Second) {
			return nil
		}
	}
	return fmt.Errorf("process %d is still there after SIGKILL; look at its state with: ps -o pid,stat,wchan -p %d", c.pid, c.pid)
}

func (c *child) signal(s syscall.Signal) error {
	c.stopping.Store(true)
	if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to process %d: %w", s, c.pid, err)
	}
	return nil
}

func (c *child) exitsWithin(d time.Duration) bool {
	select {
	case <-c.exited:
		return true
	case <-time.After(d):
		return false
	}
}
