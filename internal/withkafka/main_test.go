package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// pretended is a broker that records its end.
type pretended struct {
	done    chan error
	stopErr error
	stopped int
}

func (p *pretended) Addr() string       { return "127.0.0.1:9" }
func (p *pretended) Done() <-chan error { return p.done }
func (p *pretended) Stop(ctx context.Context) error {
	p.stopped++
	return errors.Join(p.stopErr, ctx.Err())
}

func TestRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		args           []string
		stopErr        error
		code           int
		stdout, stderr string
		unstarted      bool
	}{
		{name: "the command finds the broker", args: []string{"--", "sh", "-c", "echo at $FACTLINE_KAFKA"}, stdout: "at 127.0.0.1:9\n"},
		{name: "the command's exit code is passed on", args: []string{"sh", "-c", "exit 7"}, code: 7},
		{name: "a command ended by a signal has failed", args: []string{"sh", "-c", "kill -9 $$"}, code: 1, stderr: "signal: killed"},
		{name: "a command that does not exist has failed", args: []string{"no-such-command-here"}, code: 1, stderr: "no-such-command-here"},
		{name: "a broker that does not stop fails the run", args: []string{"true"}, stopErr: errors.New("it hangs"), code: 1, stderr: "it hangs"},
		{name: "a failed command stays failed when the broker does not stop", args: []string{"sh", "-c", "exit 7"}, stopErr: errors.New("it hangs"), code: 7},
		{name: "no command is a wrong use", args: []string{"--"}, code: 2, stderr: usage, unstarted: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			kafka := &pretended{done: make(chan error), stopErr: tt.stopErr}
			var stdout, stderr bytes.Buffer
			start := func(context.Context, *slog.Logger) (broker, error) { return kafka, nil }
			if code := run(t.Context(), tt.args, start, &stdout, &stderr); code != tt.code {
				t.Errorf("exit code %d, want %d; stderr: %s", code, tt.code, stderr.String())
			}
			if stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("stdout %q, want %q; stderr %q, want %q in it", stdout.String(), tt.stdout, stderr.String(), tt.stderr)
			}
			if want := 1; !tt.unstarted && kafka.stopped != want {
				t.Errorf("the broker was stopped %d times, want %d", kafka.stopped, want)
			}
		})
	}
}

func TestABrokerThatDoesNotStartFailsTheRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	start := func(context.Context, *slog.Logger) (broker, error) { return nil, errors.New("no java here") }
	if code := run(t.Context(), []string{"true"}, start, &out, &out); code != 1 || !strings.Contains(out.String(), "no java here") {
		t.Errorf("exit code %d and %q, want 1 and the reason", code, out.String())
	}
}

func TestABrokerThatEndsFirstStopsTheCommandAndFailsTheRun(t *testing.T) {
	t.Parallel()
	kafka := &pretended{done: make(chan error, 1)}
	kafka.done <- errors.New("out of memory")
	close(kafka.done)
	var out bytes.Buffer
	start := func(context.Context, *slog.Logger) (broker, error) { return kafka, nil }
	code := run(t.Context(), []string{"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"}, start, &out, &out)
	if code != 1 || !strings.Contains(out.String(), "out of memory") {
		t.Errorf("exit code %d and %q, want 1 and the reason", code, out.String())
	}
}

func TestAnInterruptStopsTheBrokerToo(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	kafka := &pretended{done: make(chan error)}
	var out bytes.Buffer
	start := func(context.Context, *slog.Logger) (broker, error) { return kafka, nil }
	if code := run(ctx, []string{"sleep", "60"}, start, &out, &out); code == 0 || kafka.stopped != 1 {
		t.Errorf("exit code %d, the broker was stopped %d times; want a failure and one stop", code, kafka.stopped)
	}
}
