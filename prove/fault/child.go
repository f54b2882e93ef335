package fault

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Spec says how to start a child.
type Spec struct {
	// Binary and Args run a program that calls [Serve], or any other with Ready.
	Binary string
	Args   []string
	// Env are variables beside those of the parent.
	Env []string
	// Settings are encoded as JSON and sent over its standard input, so that no
	// secret stands in its arguments.
	Settings any
	// LogFile takes its standard error.
	LogFile string
	// Ready tells by a line of its standard output that the program works. For
	// one that does not call [Serve]: it is sent no settings, has no points to
	// arm, and is asked to end by SIGINT. Default none.
	Ready func(line string) bool
}

// Child is a running program. Its methods may be called by one goroutine.
type Child struct {
	cmd     *exec.Cmd
	spec    Spec
	in      io.WriteCloser
	log     *os.File
	ready   chan struct{}
	armed   chan Point
	hits    chan Hit
	done    chan struct{}
	waitErr error
	started time.Time
}

// Start runs the program and returns once it is ready.
func Start(ctx context.Context, spec Spec) (*Child, error) {
	c, err := Launch(spec)
	if err != nil {
		return nil, err
	}
	if err := c.AwaitReady(ctx); err != nil {
		_, _ = c.Kill() // it may have ended by itself
		return nil, err
	}
	return c, nil
}

// Launch runs the program and does not wait for it.
func Launch(spec Spec) (*Child, error) {
	log, err := os.OpenFile(spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("fault: start the platform: %w", err)
	}
	cmd := exec.Command(spec.Binary, spec.Args...) //nolint:noctx // it must outlive a context and die by our hand
	cmd.Env, cmd.Stderr = append(os.Environ(), spec.Env...), log
	cmd.SysProcAttr = attributes()
	c := &Child{
		cmd: cmd, spec: spec, log: log, ready: make(chan struct{}), armed: make(chan Point, 1), hits: make(chan Hit, 1),
		done: make(chan struct{}), started: time.Now(),
	}
	if err := c.run(); err != nil {
		_ = log.Close()
		return nil, fmt.Errorf("fault: start %s: %w", spec.Binary, err)
	}
	return c, nil
}

// AwaitReady returns once the program works. It fails when the program ends
// instead, or when ctx does; then the program is still there.
func (c *Child) AwaitReady(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	case <-c.done:
		return fmt.Errorf("fault: start the platform: it ended at once (%w): %s", c.waitErr, c.Tail())
	case <-ctx.Done():
		return fmt.Errorf("fault: start the platform: it is not ready: %w: %s", ctx.Err(), c.Tail())
	}
}

// Ready reports whether the program works, or did until it ended.
func (c *Child) Ready() bool {
	select {
	case <-c.ready:
		return true
	default:
		return false
	}
}

func (c *Child) run() error {
	text, err := json.Marshal(c.spec.Settings)
	if err != nil {
		return err
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	// A pipe of our own: Wait must not close it before the last line is read.
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	c.cmd.Stdout = writer
	started := make(chan error)
	go c.live(reader, writer, started)
	if err := <-started; err != nil {
		return err
	}
	if c.spec.Ready != nil {
		return nil
	}
	return c.send(command{Settings: text})
}

// live keeps its thread from start to end of the child, because the kernel's
// "parent died" means the thread that started it.
func (c *Child) live(reader, writer *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer reader.Close()
	err := c.cmd.Start()
	_ = writer.Close()
	started <- err
	if err != nil {
		return
	}
	if c.spec.Ready != nil {
		c.watch(reader)
	} else {
		c.listen(reader)
	}
	c.waitErr = c.cmd.Wait()
	_ = c.log.Close()
	close(c.done)
}

// listen ends with the process: then nobody holds the other end.
func (c *Child) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n notice
		if json.Unmarshal(lines.Bytes(), &n) != nil {
			continue
		}
		switch {
		case n.Ready:
			close(c.ready)
		case n.Armed != nil:
			c.armed <- *n.Armed
		case n.Hit != nil:
			c.hits <- *n.Hit
		}
	}
}

// watch reads what a foreign program prints, to its end.
func (c *Child) watch(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !c.Ready() && c.spec.Ready(lines.Text()) {
			close(c.ready)
		}
	}
}

func (c *Child) send(line command) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = c.in.Write(append(text, '\n'))
	return err
}

// PID of the child.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Age is how long the child has been running.
func (c *Child) Age() time.Duration { return time.Since(c.started) }

// Done is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Arm asks the child to catch an event and returns once it will.
func (c *Child) Arm(ctx context.Context, p Point) error {
	if err := c.send(command{Arm: &p}); err != nil {
		return fmt.Errorf("fault: arm %s: %w", p.Name, err)
	}
	select {
	case <-c.armed:
		return nil
	case <-c.done:
		return fmt.Errorf("fault: arm %s: the platform ended: %s", p.Name, c.Tail())
	case <-ctx.Done():
		return fmt.Errorf("fault: arm %s: %w", p.Name, ctx.Err())
	}
}

// ErrNotReached says that no event came to an armed point in time.
var ErrNotReached = errors.New("fault: wait for a hit: no event reached the point in time")

// AwaitHit returns the event that was caught, or [ErrNotReached].
func (c *Child) AwaitHit(ctx context.Context) (Hit, error) {
	select {
	case hit := <-c.hits:
		return hit, nil
	case <-c.done:
		return Hit{}, fmt.Errorf("fault: wait for a hit: the platform ended by itself: %s", c.Tail())
	case <-ctx.Done():
		return Hit{}, ErrNotReached
	}
}

// Kill sends SIGKILL to the child's process id, waits, and returns what ended
// it, as [Child.Ending] does. A child that has ended already is sent nothing:
// its id may be somebody else's by now.
func (c *Child) Kill() (ending string, err error) {
	select {
	case <-c.done:
		return c.Ending(), nil
	default:
	}
	if err := syscall.Kill(c.PID(), syscall.SIGKILL); err != nil {
		return "", fmt.Errorf("fault: kill process %d: %w", c.PID(), err)
	}
	<-c.done
	return c.Ending(), nil
}

// Ending is what ended the child by its wait status: "killed" for SIGKILL, the
// name of another signal, or "exit" and its code. Empty while it runs.
func (c *Child) Ending() string {
	select {
	case <-c.done:
	default:
		return ""
	}
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		return "unknown on this system"
	case !status.Signaled():
		return fmt.Sprintf("exit %d", status.ExitStatus())
	case status.Signal() == syscall.SIGKILL:
		return "killed"
	}
	return status.Signal().String()
}

// Stop asks the child to end and kills it after the time given.
func (c *Child) Stop(patience time.Duration) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	_ = c.in.Close()
	if c.spec.Ready != nil {
		_ = c.cmd.Process.Signal(syscall.SIGINT) // it may just have ended
	}
	select {
	case <-c.done:
		return nil
	case <-time.After(patience):
		_, err := c.Kill()
		return errors.Join(fmt.Errorf("fault: stop the platform: it did not end within %s and was killed", patience), err)
	}
}

// Tail is the end of the child's log.
func (c *Child) Tail() string {
	text, err := os.ReadFile(c.log.Name())
	if err != nil {
		return "no log"
	}
	const most = 2000
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return strings.TrimSpace(string(text))
}

// Pause stops the child by SIGSTOP and returns once it stands still, where the
// system tells; then it holds what it holds, connections and all, until
// [Child.Resume].
func (c *Child) Pause(ctx context.Context) error {
	if err := c.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for !isStopped(c.PID()) {
		select {
		case <-time.After(time.Millisecond):
		case <-c.done:
			return fmt.Errorf("fault: pause process %d: it ended (%s)", c.PID(), c.Ending())
		case <-ctx.Done():
			return fmt.Errorf("fault: pause process %d: it does not stand still: %w", c.PID(), ctx.Err())
		}
	}
	return nil
}

// Resume lets a paused child go on.
func (c *Child) Resume() error { return c.signal(syscall.SIGCONT) }

func (c *Child) signal(s syscall.Signal) error {
	select {
	case <-c.done:
		return fmt.Errorf("fault: send %s to process %d: it has ended (%s)", s, c.PID(), c.Ending())
	default:
	}
	if err := syscall.Kill(c.PID(), s); err != nil {
		return fmt.Errorf("fault: send %s to process %d: %w", s, c.PID(), err)
	}
	return nil
}

// isStopped asks the kernel. Where there is no /proc the signal must do.
func isStopped(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return runtime.GOOS != "linux"
	}
	// The state follows the name, which may hold anything but ends with ")".
	_, state, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
	return strings.HasPrefix(state, "T")
}
