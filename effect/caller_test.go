package effect

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/factlinetest"
)

var namedArgument = regexp.MustCompile(`@[a-z_]+`)

func TestEveryStatementPrepares(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files, err := statements.ReadDir("sql")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := b.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, f := range files {
		file := strings.TrimSuffix(f.Name(), ".sql")
		// pgx rewrites named arguments only when it sends; PREPARE needs $1.
		numbers := map[string]string{}
		sql := namedArgument.ReplaceAllStringFunc(statement(file), func(arg string) string {
			if numbers[arg] == "" {
				numbers[arg] = fmt.Sprintf("$%d", len(numbers)+1)
			}
			return numbers[arg]
		})
		if _, err := conn.Conn().Prepare(t.Context(), file, sql); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestACallExistsExactlyWhenItsTransactionCommits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	undone := errors.New("undone")
	err := pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
		if _, err := b.caller.Do(because(t.Context()), tx, ordered("rolled-back", "o_1")); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	b.do(ordered("committed", "o_1"))
	p := &provider{}
	b.work(p)
	e := b.await("committed", Done)
	if e.EventID != "evt_1" || e.TenantID != "tenant_001" || e.OrderKey != "o_1" || e.Attempts != 1 {
		t.Errorf("entry = %+v", e)
	}
	if got := fmt.Sprint(p.asked()); got != "[committed]" {
		t.Errorf("the provider was asked %s", got)
	}
}

func TestAKeyStoredAgainIsOneCall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"), call("k"))
	err := pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
		known, err := b.caller.Do(because(t.Context()), tx, call("k"))
		if !known || err != nil {
			t.Errorf("Do = %v, %v, want that the call is known", known, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{}
	b.work(p)
	b.await("k", Done)
	b.do(call("k"), call("next")) // still known when it is done
	b.await("next", Done)
	if got := fmt.Sprint(p.asked()); got != "[k next]" {
		t.Errorf("the provider was asked %s, want each once", got)
	}
}

func TestAKeyForAnotherCallIsAConflictAndTheTransactionGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	err := pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
		for field, other := range map[string]Call{
			"request":   {Key: "k", Request: []byte("secret content")},
			"order key": {Key: "k", OrderKey: "o_1", Request: []byte("request k")},
		} {
			known, err := b.caller.Do(because(t.Context()), tx, other)
			conflict, ok := errors.AsType[*ConflictError](err)
			if !known || !ok || conflict.Field != field || strings.Contains(err.Error(), "secret") {
				t.Errorf("another %s: Do = %v, %v", field, known, err)
			}
		}
		_, err := b.caller.Do(because(t.Context()), tx, call("other"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if b.entry("other").State != Pending {
		t.Error("the transaction did not go on")
	}
}

func TestTwoTransactionsThatStoreOneKeyAtOnceMakeOneCall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var group sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for range 8 {
		group.Go(func() {
			err := pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
				known, err := b.caller.Do(because(t.Context()), tx, call("k"))
				if !known && err == nil {
					mu.Lock()
					fresh++
					mu.Unlock()
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if fresh != 1 || b.count("effect_call") != 1 {
		t.Errorf("%d of 8 stored the call and there are %d rows, want 1 and 1", fresh, b.count("effect_call"))
	}
}

func TestTwoNamesDoNotShareKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(ordered("k", "o_1"))
	other := &bundle{t: t, pool: b.pool, caller: newCaller(t, "order-service.invoice")}
	other.do(Call{Key: "k", OrderKey: "o_1", Request: []byte("an invoice")})
	p := &provider{}
	other.work(p)
	factlinetest.Eventually(t, patient, "the invoice", func() (bool, error) { return len(p.asked()) == 1, nil })
	all, err := List(t.Context(), b.pool, Filter{Name: name})
	if err != nil || len(all) != 1 || all[0].State != Pending || all[0].Attempts != 0 {
		t.Errorf("calls of %s: %+v, %v, want one that nobody touched", name, all, err)
	}
}

func TestDoRefusesBeforeTheDatabaseIsAsked(t *testing.T) {
	t.Parallel()
	c := newCaller(t, name)
	for _, tt := range []struct {
		name string
		call Call
		want string
	}{
		{"no key", Call{}, "effect.Call.Key"},
		{"a key that would end a header", Call{Key: "a\r\nX: y"}, "effect.Call.Key"},
		{"a long key", Call{Key: strings.Repeat("k", 256)}, "effect.Call.Key"},
		{"an order key that is no text", Call{Key: "k", OrderKey: "\xff"}, "effect.Call.OrderKey"},
		{"an order key that PostgreSQL refuses", Call{Key: "k", OrderKey: "a\x00"}, "effect.Call.OrderKey"},
		{"a large request", Call{Key: "k", Request: make([]byte, maxBytes+1)}, "effect.Call.Request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := c.Do(t.Context(), nil, tt.call); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Do = %v, want %s", err, tt.want)
			}
		})
	}
}

func TestADatabaseWithoutTheTablesSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	empty := factlinetest.Postgres(t)
	err := pgx.BeginFunc(t.Context(), empty, func(tx pgx.Tx) error {
		_, err := b.caller.Do(t.Context(), tx, call("k"))
		return err
	})
	if !errors.Is(err, ErrNoTables) {
		t.Errorf("Do = %v, want ErrNoTables", err)
	}
	w, err := NewWorker(b.config(&provider{}, func(c *WorkerConfig) { c.Pool = empty }))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); !errors.Is(err, ErrNoTables) {
		t.Errorf("Run = %v, want ErrNoTables", err)
	}
}

// The port is closed: same code, nothing stored, nothing called.
func TestAReplayRecordsCallsAndStoresAndMakesNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var recorded []string
	closed := WithReplay(because(t.Context()), func(name string, c Call) {
		recorded = append(recorded, name+" "+c.Key+" "+string(c.Request))
	})
	p := &provider{}
	b.work(p)
	err := pgx.BeginFunc(closed, b.pool, func(tx pgx.Tx) error {
		for _, c := range []Call{call("a"), ordered("b", "o_1")} {
			if known, err := b.caller.Do(closed, tx, c); known || err != nil {
				t.Errorf("Do = %v, %v", known, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.caller.Do(WithReplay(t.Context(), nil), nil, call("c")); err != nil {
		t.Errorf("without a recorder: %v", err)
	}
	if _, err := b.caller.Do(closed, nil, Call{}); err == nil {
		t.Error("a call without a key passed in a replay and would fail in life")
	}
	b.do(call("live")) // whatever the replay stored would be made before or with this
	b.await("live", Done)
	if got := fmt.Sprint(p.asked()); got != "[live]" {
		t.Errorf("the provider was asked %s", got)
	}
	if calls, orders := b.count("effect_call"), b.count("effect_order"); calls != 1 || orders != 0 {
		t.Errorf("%d calls and %d order keys are stored, want the live call alone", calls, orders)
	}
	want := fmt.Sprint([]string{name + " a request a", name + " b request b"})
	if got := fmt.Sprint(recorded); got != want {
		t.Errorf("recorded %s, want %s", got, want)
	}
}

func TestAWorkerDoesNotRunInAReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, err := NewWorker(b.config(&provider{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(WithReplay(t.Context(), nil)); err == nil || !strings.Contains(err.Error(), "replay") {
		t.Errorf("Run = %v, want a refusal", err)
	}
}

func TestPerformerAndOnResultGetTheCauseOfTheCall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(call("k"))
	causes := make(chan envelope.Cause, 2)
	b.work(PerformerFunc(func(ctx context.Context, called, key string, request []byte) ([]byte, error) {
		if _, ok := ctx.Deadline(); !ok || called != name || key != "k" || string(request) != "request k" {
			t.Errorf("performer got %s %s %s", called, key, request)
		}
		causes <- envelope.CauseFrom(ctx)
		return []byte("thanks"), nil
	}), func(c *WorkerConfig) {
		c.OnResult = func(ctx context.Context, tx pgx.Tx, r Result) error {
			causes <- envelope.CauseFrom(ctx)
			if r.Name != name || string(r.Request) != "request k" || r.Attempts != 1 {
				t.Errorf("OnResult got %+v", r)
			}
			return outcome(ctx, tx, r)
		}
	})
	e := b.await("k", Done)
	want := fmt.Sprint(envelope.CauseFrom(because(t.Context())))
	for range 2 {
		if got := fmt.Sprint(<-causes); got != want {
			t.Errorf("cause = %s, want %s", got, want)
		}
	}
	whole, err := Get(t.Context(), b.pool, e.ID)
	if err != nil || string(whole.Response) != "thanks" || string(whole.Request) != "request k" {
		t.Errorf("Get = %+v, %v", whole, err)
	}
	var tenant string
	if err := b.pool.QueryRow(t.Context(), "SELECT tenant FROM public.outcome").Scan(&tenant); err != nil || tenant != "tenant_001" {
		t.Errorf("tenant = %q, %v", tenant, err)
	}
}
