package effect

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"factline.dev/internal/named"
)

// A dead call may have very many successors, and what is done stays for a week:
// every poll must pass by both.
func TestAClaimReadsNeitherHeldNorFinishedCalls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.pool.Exec(t.Context(), `INSERT INTO factline.effect_call
			(name, key, order_key, tenant_id, event_id, cause, request, state, due_at, stored_at, finished_at)
		SELECT $1, 'k' || n, 'o', 't', 'e', '{}', '', CASE WHEN n = 1 THEN 'DEAD' WHEN n <= 20000 THEN 'HELD' ELSE 'DONE' END, now(), now(), now()
		FROM generate_series(1, 40000) AS n`, name)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		b.do(call(fmt.Sprintf("due-%d", n)))
	}
	if _, err := b.pool.Exec(t.Context(), "VACUUM ANALYZE factline.effect_call"); err != nil {
		t.Fatal(err)
	}
	var plan []byte
	err = b.pool.QueryRow(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+statement("claim"),
		named.Args{"name": name, "owner": "test", "lease": "1 min", "most": 10}).Scan(&plan)
	if err != nil {
		t.Fatal(err)
	}
	var read []struct {
		Plan struct {
			Hit  int     `json:"Shared Hit Blocks"`
			Read int     `json:"Shared Read Blocks"`
			Rows float64 `json:"Actual Rows"`
		}
	}
	if err := json.Unmarshal(plan, &read); err != nil {
		t.Fatal(err)
	}
	if p := read[0].Plan; p.Rows != 10 || p.Hit+p.Read > 500 {
		t.Errorf("a claim of %v of 50 calls read %d pages:\n%s", p.Rows, p.Hit+p.Read, plan)
	}
}

// Otherwise a crash of the server could take back the effect of an event whose
// call was made.
func TestAClaimIsDurableBeforeItsCallIsMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for preset, want := range map[string]string{"off": "on", "local": "local", "on": "on"} {
		err := pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "SET LOCAL synchronous_commit = "+preset); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), statement("claim"), named.Args{"name": name, "owner": "test", "lease": "1 min", "most": 10}); err != nil {
				return err
			}
			var got string
			if err := tx.QueryRow(t.Context(), "SHOW synchronous_commit").Scan(&got); err != nil || got != want {
				t.Errorf("with %s a claim commits with %s, %v, want %s", preset, got, err, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
