package benchmark

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

const claimBatch = 100

// theirRow is a row of the tables of the other subjects.
type theirRow struct {
	ID      int64
	Topic   string
	Key     []byte
	Headers []byte
	Value   []byte
}

func (r theirRow) record() (*kgo.Record, error) {
	return kafkaRecord(r.Topic, r.Key, r.Headers, r.Value)
}

// fill puts the events into a table with one COPY.
func (s *site) fill(ctx context.Context, w *workload, table string) error {
	records, err := w.encoded(false)
	if err != nil {
		return err
	}
	_, err = s.pool.CopyFrom(ctx, pgx.Identifier{"bench", table},
		[]string{"event_id", "event_type", "aggregate_id", "aggregate_version", "topic", "record_key", "headers", "value"},
		pgx.CopyFromSlice(len(records), func(i int) ([]any, error) {
			r := records[i]
			return []any{r.id, eventType, r.order, r.version, s.topic, r.key, r.headers, r.value}, nil
		}))
	if err != nil {
		return err
	}
	// A table that is written all the time has statistics.
	_, err = s.pool.Exec(ctx, "ANALYZE bench."+table)
	return err
}

// relayTextbook claims a batch by status, sends each record and waits for its
// acknowledgement, and marks each published.
func (b *Bench) relayTextbook(ctx context.Context, events int) ([]measure, error) {
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	w := newWorkload(max(events/textbookRelayShare, claimBatch))
	if err := s.fill(ctx, w, "textbook_outbox"); err != nil {
		return nil, err
	}
	client, err := newProducer(s.addrs)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	watch := startWatch()
	last, err := s.textbookLoop(ctx, client)
	if err != nil {
		return nil, err
	}
	m := watch.rate("textbook", "claims 100 rows by status, then per record: send, wait, mark published; no linger",
		w.len(), last.Sub(watch.started))
	return []measure{m}, s.checkLog(ctx, w, true, &m)
}

func (s *site) textbookLoop(ctx context.Context, client *kgo.Client) (last time.Time, err error) {
	claim, mark := statement("textbook_claim"), statement("textbook_mark")
	for {
		rows, err := s.pool.Query(ctx, claim, claimBatch)
		if err != nil {
			return last, err
		}
		batch, err := pgx.CollectRows(rows, pgx.RowToStructByPos[theirRow])
		if err != nil || len(batch) == 0 {
			return last, err
		}
		// RETURNING has no order of its own.
		slices.SortFunc(batch, func(a, b theirRow) int { return cmp.Compare(a.ID, b.ID) })
		for _, row := range batch {
			if err := s.textbookPublish(ctx, client, row, mark); err != nil {
				return last, err
			}
		}
		last = time.Now()
	}
}

func (s *site) textbookPublish(ctx context.Context, client *kgo.Client, row theirRow, mark string) error {
	r, err := row.record()
	if err != nil {
		return err
	}
	if r, err = client.ProduceSync(ctx, r).First(); err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, mark, row.ID, r.Partition, r.Offset)
	return err
}
