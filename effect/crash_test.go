package effect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/factlinetest"
)

// cutting cuts a worker off its database after each call, as a kill does.
type cutting struct{ line *line }

func (c cutting) AfterPerform(string) { c.line.cut() }

func shortLease(c *WorkerConfig) {
	c.CallTimeout, c.LeaseTTL, c.DrainTimeout = 100*time.Millisecond, 300*time.Millisecond, 10*time.Millisecond
}

func TestACrashBetweenCallAndRecordRepeatsTheCallWithItsKeyAndTheEffectOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(ordered("a", "o_1"), ordered("b", "o_1"))
	p := &provider{answer: func(_ context.Context, key string, n int) ([]byte, error) { return fmt.Appendf(nil, "call %d", n), nil }}
	line, pool := b.line()
	_, stop := b.work(p, withOutcome, shortLease, func(c *WorkerConfig) { c.Pool, c.Hooks = pool, cutting{line} })
	factlinetest.Eventually(t, patient, "the first call", func() (bool, error) { return len(p.asked()) == 1, nil })
	stop()
	if e := b.entry("a"); e.State != Pending || e.Attempts != 1 {
		t.Fatalf("after the crash: %+v, want an attempt that counts and no answer", e)
	}
	b.work(p, withOutcome)
	b.await("b", Done)
	if got := fmt.Sprint(p.asked()); got != "[a a b]" {
		t.Errorf("the provider was asked %s", got)
	}
	if got := fmt.Sprint(b.outcomes()); got != "[a: call 2 b: call 1]" {
		t.Errorf("effects = %s", got)
	}
}

// crashEnv makes this test binary a worker whose every call kills it.
const crashEnv = "FACTLINE_EFFECT_CRASH"

func crashInCall(dsn string) {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		panic(err)
	}
	caller, err := NewCaller(name)
	if err != nil {
		panic(err)
	}
	w, err := NewWorker(WorkerConfig{Caller: caller, Pool: pool, MaxAttempts: 2, Performer: PerformerFunc(
		func(context.Context, string, string, []byte) ([]byte, error) {
			return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
		})})
	if err != nil {
		panic(err)
	}
	fmt.Println(w.Run(ctx))
	os.Exit(1)
}

func TestACallThatKillsItsProcessIsGivenUpAfterMaxAttempts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(ordered("killer", "o_1"), ordered("next", "o_1"))
	for n := 1; n <= 2; n++ {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), crashEnv+"="+factlinetest.DSN(b.pool))
		out, err := cmd.CombinedOutput()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("process %d ended with %v, want a kill\n%s", n, err, out)
		}
		if e := b.entry("killer"); e.Attempts != n || e.State != Pending {
			t.Fatalf("after kill %d: %+v", n, e)
		}
		b.expire()
	}
	p := &provider{}
	b.work(p, func(c *WorkerConfig) { c.MaxAttempts = 2 })
	if e := b.await("killer", Dead); e.Attempts != 2 || e.Error != errKilled.Error() || e.HeldCalls != 1 {
		t.Errorf("entry = %+v, want it dead after 2 attempts and one call behind it", e)
	}
	if got := p.asked(); len(got) != 0 {
		t.Errorf("the provider was asked %v, want nothing more", got)
	}
}

func TestAWorkerThatWasReplacedRecordsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	entered, held := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	defer release()
	paused := &provider{answer: func(context.Context, string, int) ([]byte, error) {
		close(entered)
		<-held // longer than the lease, whatever the context says
		return []byte("late"), nil
	}}
	w, stop := b.work(paused, withOutcome, func(c *WorkerConfig) { c.Concurrency = 1 })
	<-entered
	quick := &provider{answer: func(context.Context, string, int) ([]byte, error) { return []byte("in time"), nil }}
	b.expire()
	other := func(c *WorkerConfig) { c.Caller = newCaller(t, name) }
	b.work(quick, withOutcome, other)
	e := b.await("k", Done)
	release()
	factlinetest.Eventually(t, patient, "the late answer to be refused", func() (bool, error) {
		return counted(t, w.metrics.calls.WithLabelValues(name, outcomeLost)) == 1, nil
	})
	stop()
	whole, err := Get(t.Context(), b.pool, e.ID)
	if err != nil || string(whole.Response) != "in time" || whole.Attempts != 2 {
		t.Errorf("recorded %+v, %v", whole, err)
	}
	if got := fmt.Sprint(b.outcomes()); got != "[k: in time]" {
		t.Errorf("effects = %s, want one", got)
	}
}

func TestAnOutageOfTheDatabaseKeepsTheAnswerUntilItCanBeRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("a"), call("b"))
	line, pool := b.line()
	p := &provider{}
	w, _ := b.work(p, withOutcome, func(c *WorkerConfig) {
		c.Pool, c.Concurrency, c.Hooks = pool, 1, &cuttingOnce{line: line}
	})
	factlinetest.Eventually(t, patient, "two failures to record", func() (bool, error) {
		return counted(t, w.metrics.failures.WithLabelValues(name, "answer")) >= 2, nil
	})
	line.mend()
	b.await("a", Done)
	b.await("b", Done)
	if got := fmt.Sprint(p.asked()); got != "[a b]" {
		t.Errorf("the provider was asked %s, want each once", got)
	}
	if got := fmt.Sprint(b.outcomes()); got != "[a: answer a b: answer b]" {
		t.Errorf("effects = %s", got)
	}
}

// afterPerform is a hook of one function.
type afterPerform func()

func (f afterPerform) AfterPerform(string) { f() }

func TestAConnectionThatGoesSilentKeepsNoAnswerFromItsRecordBeyondTheLease(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	line, pool := b.line()
	p := &provider{}
	w, _ := b.work(p, withOutcome, func(c *WorkerConfig) {
		c.CallTimeout, c.LeaseTTL = 2*time.Second, 4*time.Second
		// One call at once, so that no claim takes a connection before the record.
		c.Pool, c.Concurrency, c.Hooks = pool, 1, afterPerform(sync.OnceFunc(line.silence))
	})
	b.await("k", Done)
	line.cut() // or the end waits for what hangs
	if counted(t, w.metrics.failures.WithLabelValues(name, "answer")) == 0 {
		t.Error("no record met the silence; the test showed nothing")
	}
	if got := fmt.Sprint(p.asked(), b.outcomes()); got != "[k] [k: answer k]" {
		t.Errorf("calls and effects = %s, want one each", got)
	}
}

func TestATryToRecordLeavesTimeForAnotherWithinTheLease(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for left, want := range map[time.Duration]time.Duration{
		time.Hour: statementTimeout, 30 * time.Second: 15 * time.Second, time.Millisecond: minPatience, 0: statementTimeout, -time.Hour: statementTimeout,
	} {
		if got := (&claimed{leasedUntil: now.Add(left)}).patience(now); got != want {
			t.Errorf("with %s left of the lease a try takes %s, want %s", left, got, want)
		}
	}
}

func TestOnResultThatMissesItsDeadlineUsesAnAttempt(t *testing.T) {
	t.Parallel()
	silent := func(ctx context.Context, tx pgx.Tx) error {
		conn := tx.Conn().PgConn().Conn().(*lineConn)
		conn.silent.Store(true)
		defer conn.Close() // the server notices, and unlocks what it held
		return outcome(ctx, tx, Result{})
	}
	for name, hang := range map[string]func(context.Context, pgx.Tx) error{
		"it waits":                   func(ctx context.Context, _ pgx.Tx) error { <-ctx.Done(); return ctx.Err() },
		"its connection goes silent": silent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.do(call("k"))
			_, pool := b.line()
			var runs atomic.Int64
			b.work(&provider{}, func(c *WorkerConfig) {
				c.Pool, c.CallTimeout, c.LeaseTTL = pool, 400*time.Millisecond, 800*time.Millisecond
				c.OnResult = func(ctx context.Context, tx pgx.Tx, r Result) error {
					if runs.Add(1) == 1 {
						return hang(ctx, tx)
					}
					return outcome(ctx, tx, r)
				}
			})
			if e := b.await("k", Done); e.ResultAttempts < 2 {
				t.Errorf("entry = %+v, want a second attempt of OnResult", e)
			}
			if got := fmt.Sprint(b.outcomes()); got != "[k: answer k]" {
				t.Errorf("effects = %s", got)
			}
		})
	}
}

func TestACancellationOfItsOwnMakingUsesAnAttemptOfOnResult(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(context.Context, pgx.Tx) error{
		"an error that wraps it": func(context.Context, pgx.Tx) error { return fmt.Errorf("ask the cache: %w", context.Canceled) },
		"a statement that it cut off": func(ctx context.Context, tx pgx.Tx) error {
			own, cancel := context.WithCancel(ctx)
			defer time.AfterFunc(20*time.Millisecond, cancel).Stop()
			_, err := tx.Exec(own, "SELECT pg_sleep(60)")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.do(call("k"))
			b.work(&provider{}, func(c *WorkerConfig) {
				c.MaxAttempts = 2
				c.OnResult = func(ctx context.Context, tx pgx.Tx, _ Result) error { return fail(ctx, tx) }
			})
			if e := b.await("k", Dead); e.ResultAttempts != 2 {
				t.Errorf("entry = %+v, want it given up after two attempts of OnResult", e)
			}
		})
	}
}

type cuttingOnce struct {
	line *line
	once sync.Once
}

func (c *cuttingOnce) AfterPerform(string) { c.once.Do(c.line.cut) }

func TestAnUnknownOutcomeOfTheCommitRepeatsNoEffect(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(ordered("a", "o_1"), ordered("b", "o_1"))
	line, pool := b.line()
	line.loseCommits.Store(1)
	p := &provider{}
	b.work(p, withOutcome, func(c *WorkerConfig) { c.Pool = pool })
	b.await("b", Done)
	if got := fmt.Sprint(b.outcomes(), p.asked()); got != "[a: answer a b: answer b] [a b]" {
		t.Errorf("effects and calls = %s", got)
	}
	if left := line.loseCommits.Load(); left >= 0 {
		t.Error("no commit lost its answer; the test showed nothing")
	}
}

func TestAShutdownInterruptsACallAndUsesNoAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	entered := make(chan struct{})
	p := &provider{answer: func(ctx context.Context, _ string, n int) ([]byte, error) {
		if n == 1 {
			close(entered)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, nil
	}}
	_, stop := b.work(p, func(c *WorkerConfig) { c.DrainTimeout = 10 * time.Millisecond })
	<-entered
	stop()
	if e := b.entry("k"); e.State != Pending || e.Attempts != 0 || e.Error != "" {
		t.Fatalf("after the shutdown: %+v, want it as if nobody had begun", e)
	}
	b.work(p)
	if e := b.await("k", Done); e.Attempts != 1 {
		t.Errorf("entry = %+v", e)
	}
}

func TestAShutdownWaitsForACallInFlight(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	entered, release := make(chan struct{}), make(chan struct{})
	p := &provider{answer: func(context.Context, string, int) ([]byte, error) {
		close(entered)
		<-release
		return []byte("done"), nil
	}}
	_, stop := b.work(p, withOutcome)
	<-entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(release)
	<-stopped
	if e := b.entry("k"); e.State != Done {
		t.Errorf("after the shutdown: %+v, want it done", e)
	}
	if got := fmt.Sprint(b.outcomes()); got != "[k: done]" {
		t.Errorf("effects = %s", got)
	}
}

func TestALostDatabaseInOnResultUsesNoAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	line, pool := b.line()
	var once sync.Once
	p := &provider{}
	b.work(p, func(c *WorkerConfig) {
		c.Pool, c.MaxAttempts = pool, 1
		c.OnResult = func(ctx context.Context, tx pgx.Tx, r Result) error {
			once.Do(func() { line.cut(); line.mend() })
			return outcome(ctx, tx, r)
		}
	})
	if e := b.await("k", Done); e.Attempts != 1 || e.ResultAttempts != 1 {
		t.Errorf("entry = %+v, want one attempt each", e)
	}
}
