package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const childVariable = "FACTLINE_FAULT_CHILD"

// TestMain makes this test binary the child too: it publishes events e0, e1, ...
// or ends by itself, as its settings say.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := Serve(context.Background(), os.Stdin, os.Stdout, publish); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func publish(ctx context.Context, settings json.RawMessage, hooks *Hooks, ready func()) error {
	var how string
	if err := json.Unmarshal(settings, &how); err != nil {
		return err
	}
	if how == "broken" {
		return errors.New("the settings are broken")
	}
	ready()
	for i := 0; ctx.Err() == nil; i++ {
		if how == "publishing" {
			hooks.BeforePublish(fmt.Sprintf("e%d", i))
			hooks.AfterEffect("a", fmt.Sprintf("a%d", i))
			hooks.AfterEffect("b", fmt.Sprintf("b%d", i))
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
	}
	if how == "stubborn" {
		<-time.After(time.Hour)
	}
	return nil
}

func start(t *testing.T, how string) (*Child, error) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child, err := Start(t.Context(), Spec{
		Binary: binary, Env: []string{childVariable + "=1"}, Settings: how, LogFile: filepath.Join(t.TempDir(), "log"),
	})
	if err == nil {
		t.Cleanup(func() { _ = child.Stop(5 * time.Second) })
	}
	return child, err
}

func mustStart(t *testing.T, how string) *Child {
	t.Helper()
	child, err := start(t, how)
	if err != nil {
		t.Fatal(err)
	}
	return child
}

func TestAnArmedPointCatchesOneEventAndTheKillIsProved(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		point Point
		want  string
	}{
		{"before publishing", Point{Name: BeforePublish, Skip: 3}, "e"},
		{"after the effect of one group", Point{Name: AfterEffect, Group: "b"}, "b"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			child := mustStart(t, "publishing")
			if err := child.Arm(t.Context(), c.point); err != nil {
				t.Fatal(err)
			}
			hit, err := child.AwaitHit(t.Context())
			if err != nil || hit.Point != c.point.Name || !strings.HasPrefix(hit.EventID, c.want) {
				t.Fatalf("hit %+v, %v", hit, err)
			}
			signal, err := child.Kill()
			if err != nil || signal != "killed" {
				t.Errorf("ended by %q, %v", signal, err)
			}
			if child.PID() <= 0 {
				t.Errorf("pid %d", child.PID())
			}
		})
	}
}

func TestAPointThatNobodyReachesIsNotAHit(t *testing.T) {
	t.Parallel()
	child := mustStart(t, "idle")
	if err := child.Arm(t.Context(), Point{Name: BeforePublish}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := child.AwaitHit(ctx); !errors.Is(err, ErrNotReached) {
		t.Errorf("got %v", err)
	}
}

func TestAChildThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	if _, err := start(t, "broken"); err == nil || !strings.Contains(err.Error(), "the settings are broken") {
		t.Errorf("got %v", err)
	}
}

func TestAChildEndsWhenAskedTo(t *testing.T) {
	t.Parallel()
	child := mustStart(t, "idle")
	if err := child.Stop(10 * time.Second); err != nil {
		t.Error(err)
	}
	if err := child.Stop(time.Second); err != nil {
		t.Errorf("stopping again: %v", err)
	}
	if _, err := child.AwaitHit(t.Context()); err == nil || errors.Is(err, ErrNotReached) {
		t.Errorf("waiting for a hit of an ended process: %v", err)
	}
}

func TestAStubbornChildIsKilledAndTold(t *testing.T) {
	t.Parallel()
	child := mustStart(t, "stubborn")
	if err := child.Stop(50 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("got %v", err)
	}
	select {
	case <-child.Done():
	default:
		t.Error("it still runs")
	}
}

// foreign runs a program that knows nothing of this package.
func foreign(t *testing.T, script string) *Child {
	t.Helper()
	child, err := Launch(Spec{
		Binary: "/bin/sh", Args: []string{"-c", script}, LogFile: filepath.Join(t.TempDir(), "log"),
		Ready: func(line string) bool { return line == "works" },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = child.Kill() })
	return child
}

func TestAForeignProgramIsReadyByWhatItPrintsAndEndsByAnInterrupt(t *testing.T) {
	t.Parallel()
	child := foreign(t, `trap 'exit 7' INT; echo starts; echo works; echo works; while :; do sleep 0.01; done`)
	if err := child.AwaitReady(t.Context()); err != nil || !child.Ready() || child.Ending() != "" {
		t.Fatalf("ready %v, ended by %q: %v", child.Ready(), child.Ending(), err)
	}
	if err := child.Stop(10 * time.Second); err != nil || child.Ending() != "exit 7" {
		t.Errorf("ended by %q, %v", child.Ending(), err)
	}
	if ending, err := child.Kill(); err != nil || ending != "exit 7" {
		t.Errorf("killing it again: %q, %v", ending, err)
	}
}

func TestAForeignProgramThatIsNotReadyCanBeKilled(t *testing.T) {
	t.Parallel()
	child := foreign(t, `echo starts; while :; do sleep 0.01; done`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := child.AwaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) || child.Ready() {
		t.Errorf("ready %v: %v", child.Ready(), err)
	}
	if ending, err := child.Kill(); err != nil || ending != "killed" {
		t.Errorf("ended by %q, %v", ending, err)
	}
	if err := child.AwaitReady(t.Context()); err == nil {
		t.Error("a dead program is ready")
	}
}

func TestServeRefusesToRunWithoutAParent(t *testing.T) {
	t.Parallel()
	for _, input := range []string{"", "{}\n", "not json\n"} {
		if err := Serve(t.Context(), strings.NewReader(input), io.Discard, publish); err == nil || !strings.Contains(err.Error(), "factline prove") {
			t.Errorf("%q: got %v", input, err)
		}
	}
}

func TestUnarmedHooksLetEverythingPass(t *testing.T) {
	t.Parallel()
	h := NewHooks(func(hit Hit) { t.Errorf("caught %+v", hit) })
	h.BeforePublish("e")
	h.AfterPublish("e")
	h.Arm(Point{Name: AfterPublish, Skip: 1})
	h.BeforePublish("e")
	h.AfterEffect("g", "e")
	h.AfterPublish("passes by Skip")
}

func TestAPausedChildStandsStillUntilItIsResumed(t *testing.T) {
	t.Parallel()
	child := mustStart(t, "publishing")
	if err := child.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := child.Arm(limited, Point{Name: BeforePublish}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a child that stands still: %v", err)
	}
	if err := child.Resume(); err != nil {
		t.Fatal(err)
	}
	if _, err := child.AwaitHit(t.Context()); err != nil {
		t.Errorf("it does not go on: %v", err)
	}
	if _, err := child.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Pause(t.Context()); err == nil || !strings.Contains(err.Error(), "it has ended (killed)") {
		t.Errorf("a dead child: %v", err)
	}
}
