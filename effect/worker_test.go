package effect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"factline.dev/factlinetest"
)

func TestAFailingCallHoldsItsOrderKeyAndNobodyElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(ordered("a1", "a"), ordered("a2", "a"), ordered("b1", "b"), call("free"), ordered("a3", "a"))
	var mended sync.Map
	p := &provider{answer: func(_ context.Context, key string, _ int) ([]byte, error) {
		if _, ok := mended.Load("yes"); key == "a1" && !ok {
			return nil, errors.New("not now")
		}
		return nil, nil
	}}
	b.work(p, func(c *WorkerConfig) { c.MaxAttempts = -1 })
	b.await("b1", Done)
	b.await("free", Done)
	factlinetest.Eventually(t, patient, "a third attempt", func() (bool, error) { return b.entry("a1").Attempts >= 3, nil })
	for _, key := range []string{"a2", "a3"} {
		if e := b.entry(key); e.State != Held || e.Attempts != 0 {
			t.Errorf("%s = %+v while its predecessor fails, want it held", key, e)
		}
	}
	if e := b.entry("a1"); e.HeldCalls != 2 || e.Error != "not now" {
		t.Errorf("a1 = %+v, want two calls behind it and its error", e)
	}
	mended.Store("yes", true)
	b.await("a3", Done)
	made := slices.Compact(slices.DeleteFunc(p.asked(), func(k string) bool { return k[0] != 'a' }))
	if got := fmt.Sprint(made); got != "[a1 a2 a3]" {
		t.Errorf("order = %s", got)
	}
}

func TestADeadCallHoldsItsOrderKeyUntilAnOperatorSkipsIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(ordered("a1", "a"), ordered("a2", "a"))
	p := &provider{answer: func(_ context.Context, key string, _ int) ([]byte, error) {
		if key == "a1" {
			return nil, Permanent(errors.New("no such customer"))
		}
		return nil, nil
	}}
	b.work(p)
	dead := b.await("a1", Dead)
	if dead.Attempts != 1 || dead.Error != "no such customer" || dead.HeldCalls != 1 || dead.FinishedAt == nil {
		t.Errorf("a1 = %+v", dead)
	}
	b.do(ordered("a3", "a")) // what is stored later waits too
	if e := b.entry("a3"); e.State != Held {
		t.Errorf("a3 = %+v", e)
	}
	act, err := Skip(t.Context(), b.pool, Decision{ID: dead.ID, Reason: "customer left", Operator: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	b.await("a3", Done)
	var action, target, operator, reason, key string
	err = b.pool.QueryRow(t.Context(), `SELECT action, target, operator, reason, detail->>'key' FROM factline.operator_action
		WHERE action_id = $1`, act).Scan(&action, &target, &operator, &reason, &key)
	if got := fmt.Sprint(action, " ", target, " ", operator, " ", reason, " ", key); err != nil || got != fmt.Sprintf("effect.skip %d ann customer left a1", dead.ID) {
		t.Errorf("audited: %s, %v", got, err)
	}
	if e := b.entry("a1"); e.State != Skipped {
		t.Errorf("a1 = %+v", e)
	}
	if _, err := Skip(t.Context(), b.pool, Decision{ID: dead.ID, Reason: "again", Operator: "ann"}); !errors.Is(err, ErrNotDead) {
		t.Errorf("a second skip: %v", err)
	}
	if n := b.count("operator_action"); n != 1 {
		t.Errorf("%d acts are audited, want the one that happened", n)
	}
}

func TestARetriedCallGetsItsAttemptsAgainWithTheSameKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	p := &provider{answer: func(_ context.Context, _ string, n int) ([]byte, error) {
		if n <= 2 {
			return nil, errors.New("out of order")
		}
		return nil, nil
	}}
	b.work(p, func(c *WorkerConfig) { c.MaxAttempts = 2 })
	dead := b.await("k", Dead)
	if dead.Attempts != 2 {
		t.Errorf("k = %+v, want two attempts", dead)
	}
	if _, err := Retry(t.Context(), b.pool, Decision{ID: dead.ID, Reason: "provider is back", Operator: "ann"}); err != nil {
		t.Fatal(err)
	}
	if e := b.await("k", Done); e.Attempts != 1 || e.Error != "" {
		t.Errorf("k = %+v", e)
	}
	if got := fmt.Sprint(p.asked()); got != "[k k k]" {
		t.Errorf("the provider was asked %s", got)
	}
}

func TestOperatorsMistakesAreNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, act := range map[string]func(Decision) error{
		"retry": func(d Decision) error { _, err := Retry(t.Context(), b.pool, d); return err },
		"skip":  func(d Decision) error { _, err := Skip(t.Context(), b.pool, d); return err },
	} {
		if err := act(Decision{ID: 9, Reason: "r", Operator: "o"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of a call that is not there: %v", name, err)
		}
		if err := act(Decision{ID: 9}); err == nil || !strings.Contains(err.Error(), "effect.Decision.Reason") || !strings.Contains(err.Error(), "effect.Decision.Operator") {
			t.Errorf("%s without reason and operator: %v", name, err)
		}
	}
	if _, err := Get(t.Context(), b.pool, 9); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get = %v", err)
	}
}

func TestRetryAfterSetsThePause(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	p := &provider{answer: func(_ context.Context, _ string, n int) ([]byte, error) {
		if n == 1 {
			return nil, RetryAfter(time.Hour, errors.New("too many"))
		}
		return nil, nil
	}}
	b.work(p)
	factlinetest.Eventually(t, patient, "the pause", func() (bool, error) { return b.entry("k").Error == "too many", nil })
	if wait := time.Until(b.entry("k").DueAt); wait < 50*time.Minute || wait > 70*time.Minute {
		t.Errorf("the next attempt is in %s, want an hour", wait)
	}
	b.expire()
	b.await("k", Done)
}

func TestAPanicOfThePerformerIsAFailedAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	b.work(&provider{answer: func(_ context.Context, _ string, n int) ([]byte, error) {
		if n == 1 {
			panic("lost my head")
		}
		return nil, nil
	}})
	if e := b.await("k", Done); e.Attempts != 2 {
		t.Errorf("k = %+v, want two attempts", e)
	}
}

func TestACallThatOutlivesItsDeadlineIsAFailedAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	p := &provider{answer: func(ctx context.Context, _ string, n int) ([]byte, error) {
		if n == 1 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, nil
	}}
	b.work(p, func(c *WorkerConfig) { c.CallTimeout = 200 * time.Millisecond })
	// On a busy machine a claim may take longer than that, and uses an attempt too.
	if e := b.await("k", Done); e.Attempts < 2 || len(p.asked()) != 2 {
		t.Errorf("k = %+v after %v, want a second attempt", e, p.asked())
	}
}

func TestAResponseThatIsTooLargeGivesTheCallUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	b.work(&provider{answer: func(context.Context, string, int) ([]byte, error) { return make([]byte, maxBytes+1), nil }})
	if e := b.await("k", Dead); e.Attempts != 1 {
		t.Errorf("k = %+v", e)
	}
}

func TestAFailingOnResultIsRepeatedWithoutTheCall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(ordered("k", "o"), ordered("next", "o"))
	p := &provider{}
	runs := 0
	b.work(p, func(c *WorkerConfig) {
		c.MaxAttempts = 2
		c.OnResult = func(ctx context.Context, tx pgx.Tx, r Result) error {
			if err := outcome(ctx, tx, r); err != nil || r.Key != "k" {
				return err
			}
			if runs++; runs <= 2 {
				return errors.New("not yet") // what it wrote is rolled back
			}
			return nil
		}
	})
	dead := b.await("k", Dead)
	if dead.Attempts != 1 || dead.ResultAttempts != 2 || dead.AnsweredAt == nil || b.entry("next").State != Held {
		t.Errorf("k = %+v, next = %+v", dead, b.entry("next"))
	}
	if _, err := Retry(t.Context(), b.pool, Decision{ID: dead.ID, Reason: "fixed", Operator: "ann"}); err != nil {
		t.Fatal(err)
	}
	b.await("next", Done)
	if got := fmt.Sprint(p.asked(), b.outcomes()); got != "[k next] [k: answer k next: answer next]" {
		t.Errorf("calls and effects = %s, want each once", got)
	}
}

func TestACallStoredByOnResultFollowsInItsOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(ordered("first", "o"))
	p := &provider{}
	b.work(p, func(c *WorkerConfig) {
		c.OnResult = func(ctx context.Context, tx pgx.Tx, r Result) error {
			if r.Key != "first" {
				return nil
			}
			_, err := b.caller.Do(ctx, tx, ordered("second", "o"))
			return err
		}
	})
	if e := b.await("second", Done); e.EventID != "evt_1" {
		t.Errorf("second = %+v, want the cause of the first", e)
	}
}

func TestCallsOfOneOrderKeyStandInCommitOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Rollback(context.Background()) }()
	if _, err := b.caller.Do(t.Context(), first, ordered("first", "o")); err != nil {
		t.Fatal(err)
	}
	stored := make(chan error, 1)
	go func() {
		stored <- pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			_, err := b.caller.Do(t.Context(), tx, ordered("second", "o"))
			return err
		})
	}()
	factlinetest.Eventually(t, patient, "the second to wait for the first", func() (waits bool, err error) {
		err = b.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
			WHERE NOT l.granted AND a.datname = current_database())`).Scan(&waits)
		return waits, err
	})
	if err := errors.Join(first.Commit(t.Context()), <-stored); err != nil {
		t.Fatal(err)
	}
	if a, z := b.entry("first"), b.entry("second"); a.ID > z.ID || a.State != Pending || z.State != Held {
		t.Errorf("first = %+v, second = %+v", a, z)
	}
}

// The race that would leave a call held with nobody to let it go: it is stored
// when its predecessor is not done, and becomes visible when that is.
func TestACallStoredWhileItsPredecessorEndsIsNotForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(ordered("first", "o"))
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := b.caller.Do(t.Context(), tx, ordered("second", "o")); err != nil {
		t.Fatal(err)
	}
	b.work(&provider{})
	b.await("first", Answered) // recorded, although its order key is locked
	factlinetest.Eventually(t, patient, "the worker to wait for the transaction", func() (waits bool, err error) {
		err = b.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
			WHERE NOT l.granted AND a.datname = current_database())`).Scan(&waits)
		return waits, err
	})
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.await("second", Done)
}

func TestCallsThatAreDoneAreDeletedAfterRetention(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(ordered("old", "o"), ordered("fresh", "p"), call("dead"))
	p := &provider{answer: func(_ context.Context, key string, _ int) ([]byte, error) {
		if key == "dead" {
			return nil, Permanent(errors.New("no"))
		}
		return nil, nil
	}}
	_, stop := b.work(p)
	b.await("old", Done)
	b.await("fresh", Done)
	b.await("dead", Dead)
	stop()
	for _, sql := range []string{
		"UPDATE factline.effect_call SET finished_at = finished_at - interval '8 days' WHERE key <> 'fresh'",
		"UPDATE factline.effect_order SET used_at = used_at - interval '8 days' WHERE order_key = 'o'",
	} {
		if _, err := b.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	_, stop = b.work(p, func(c *WorkerConfig) { c.Retention = -1 })
	b.do(call("later"))
	b.await("later", Done)
	stop()
	if b.entry("old").Key == "" {
		t.Error("a negative retention deleted")
	}
	b.work(p)
	factlinetest.Eventually(t, patient, "the old call and its order key to go", func() (bool, error) {
		return b.entry("old").Key == "" && b.count("effect_order") == 1, nil
	})
	if b.entry("fresh").State != Done || b.entry("dead").State != Dead {
		t.Error("more was deleted than what is done and old")
	}
}

func TestWorkersOfOneProcessShareMetrics(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(ordered("a1", "a"), ordered("a2", "a"))
	reg := prometheus.NewRegistry()
	refuse := &provider{answer: func(context.Context, string, int) ([]byte, error) { return nil, Permanent(errors.New("no")) }}
	w, stop := b.work(refuse, func(c *WorkerConfig) { c.Registerer = reg })
	b.await("a1", Dead)
	stop()
	again, stop := b.work(refuse, func(c *WorkerConfig) { c.Registerer = reg })
	factlinetest.Eventually(t, patient, "the states", func() (bool, error) {
		return counted(t, again.metrics.open.WithLabelValues(name, Dead)) == 1 && counted(t, w.metrics.open.WithLabelValues(name, Held)) == 1, nil
	})
	stop()
	if got := counted(t, again.metrics.calls.WithLabelValues(name, outcomeDead)); got != 1 {
		t.Errorf("%v calls are counted as dead", got)
	}
}

func TestNewWorkerRefusesAndNamesFieldsThatExist(t *testing.T) {
	t.Parallel()
	_, err := NewWorker(WorkerConfig{
		Concurrency: -1, BackoffMin: -1, BackoffMax: -2, CallTimeout: time.Hour, LeaseTTL: time.Minute, PollInterval: -1, DrainTimeout: -1,
	})
	_, err2 := NewWorker(WorkerConfig{CallTimeout: -1})
	text := fmt.Sprint(err, err2)
	fields := regexp.MustCompile(`effect\.WorkerConfig\.(\w+)`).FindAllStringSubmatch(text, -1)
	named := map[string]bool{}
	for _, f := range fields {
		named[f[1]] = true
		if _, ok := reflect.TypeFor[WorkerConfig]().FieldByName(f[1]); !ok {
			t.Errorf("the error names %s, which is no field", f[1])
		}
	}
	if len(named) != 10 {
		t.Errorf("%d fields are refused, want all ten: %s", len(named), text)
	}
	for _, bad := range []string{"", "With Space", strings.Repeat("x", 101)} {
		if _, err := NewCaller(bad); err == nil {
			t.Errorf("NewCaller(%q) passed", bad)
		}
	}
}

// Whatever fails and whoever is cut off: every key is asked for at least once,
// recorded once, and per order key in the order stored.
func TestEveryKeyIsMadeRecordedOnceAndInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const orders, each = 8, 6
	var want []string
	for n := range each {
		for o := range orders {
			key := fmt.Sprintf("o%d/%d", o, n)
			want = append(want, key)
			b.do(ordered(key, fmt.Sprintf("o%d", o)))
		}
		free := fmt.Sprintf("free/%d", n)
		want = append(want, free)
		b.do(call(free))
	}
	var mu sync.Mutex
	doneBefore := map[string]int{} // by order key, calls begun for the first time
	p := &provider{answer: func(_ context.Context, key string, n int) ([]byte, error) {
		order, number, _ := strings.Cut(key, "/")
		mu.Lock()
		if n == 1 && order != "free" {
			if number != fmt.Sprint(doneBefore[order]) {
				t.Errorf("%s was begun when %d of its order key had been", key, doneBefore[order])
			}
			doneBefore[order]++
		}
		mu.Unlock()
		switch rand.N(10) {
		case 0, 1:
			return nil, errors.New("random failure")
		case 2:
			return nil, RetryAfter(time.Millisecond, errors.New("random pause"))
		case 3:
			panic("random panic")
		}
		return []byte("ok"), nil
	}}
	for range 4 {
		line, pool := b.line()
		b.work(p, shortLease, func(c *WorkerConfig) {
			c.Caller, c.Pool, c.Concurrency, c.MaxAttempts, c.Hooks = newCaller(t, name), pool, 4, -1, flaky{line}
			c.OnResult = func(ctx context.Context, tx pgx.Tx, r Result) error {
				if err := outcome(ctx, tx, r); err != nil || rand.N(5) > 0 {
					return err
				}
				return errors.New("random failure of OnResult")
			}
		})
	}
	factlinetest.Eventually(t, time.Minute, "every call to be done", func() (done bool, err error) {
		err = b.pool.QueryRow(t.Context(), "SELECT bool_and(state = 'DONE') FROM factline.effect_call").Scan(&done)
		return done, err
	})
	b.judge(want, p.asked())
}

func (b *bundle) judge(want, asked []string) {
	b.t.Helper()
	var recorded []string
	for _, o := range b.outcomes() {
		recorded = append(recorded, strings.TrimSuffix(o, ": ok"))
	}
	for _, key := range want {
		if !slices.Contains(asked, key) {
			b.t.Errorf("%s was never asked for", key)
		}
	}
	last := map[string]string{}
	for _, key := range recorded {
		order, number, _ := strings.Cut(key, "/")
		if order != "free" && number <= last[order] && last[order] != "" {
			b.t.Errorf("%s took effect after %s/%s", key, order, last[order])
		}
		last[order] = number
	}
	slices.Sort(recorded)
	slices.Sort(want)
	if !slices.Equal(recorded, want) {
		b.t.Errorf("recorded %v\nwant     %v", recorded, want)
	}
}

// flaky cuts every connection of its worker now and then.
type flaky struct{ line *line }

func (f flaky) AfterPerform(string) {
	if rand.N(8) == 0 {
		f.line.cut()
		f.line.mend()
	}
}
