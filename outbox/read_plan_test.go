package outbox

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A backlog with statistics used to be read by a bitmap scan and a sort of all
// that was left of each lane, for every page of it.
func TestAPageOfALongBacklogIsReadInIndexOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const fill = `INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type,
		aggregate_id, aggregate_version, topic, value, stamped)
		SELECT n % 16, n / 16 + 1, 'e' || n, 'T', 't', 'A', 'a' || n, 1, 'topic', decode(repeat('ab', 500), 'hex'), true
		FROM generate_series(0, 15999) AS n`
	if _, err := b.pool.Exec(t.Context(), fill); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), "ANALYZE factline.outbox_event"); err != nil {
		t.Fatal(err)
	}
	s := &store{pool: b.pool, maxEvents: 100, maxBytes: 4 << 20}
	lanes := []*lane{newLane(0, 1, 0), newLane(3, 1, 0)}
	plan := readPlan(t, s, newReadRequest(lanes))
	if !strings.Contains(plan, "Index Scan") || strings.Contains(plan, "Sort (") || strings.Contains(plan, "Bitmap") || strings.Contains(plan, "Seq Scan") {
		t.Errorf("a page is not read in index order:\n%s", plan)
	}
}

// readPlan is what the server does for a read, behind the statement that
// precedes it in the same batch.
func readPlan(t *testing.T, s *store, request readRequest) string {
	t.Helper()
	args := s.readArgs(request)
	var batch pgx.Batch
	var lines []string
	batch.Queue(statement("snapshot_xmin"))
	batch.Queue("EXPLAIN "+statement("read"), args).Query(func(rows pgx.Rows) (err error) {
		lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err := s.pool.SendBatch(t.Context(), &batch).Close(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
