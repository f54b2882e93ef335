package benchmark

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Shape of the relay's own read.
const (
	readLanes = 16
	readPage  = 2000
)

// rawRead reads the rows that a relay has drained once more, page by page of
// all lanes, and does nothing with them.
func (s *site) rawRead(ctx context.Context, events int) (measure, error) {
	afters := make([]int64, readLanes)
	watch := startWatch()
	found := 0
	for {
		n, err := s.readPage(ctx, afters)
		if err != nil {
			return measure{}, err
		}
		if n == 0 {
			break
		}
		found += n
	}
	if found != events {
		return measure{}, fmt.Errorf("raw_read found %d rows, %d were appended", found, events)
	}
	return watch.rate("raw_read", "reads the rows of ours from PostgreSQL in the relay's pages and drops them", events, watch.elapsed()), nil
}

func (s *site) readPage(ctx context.Context, afters []int64) (n int, err error) {
	var batch pgx.Batch
	batch.Queue(statement("raw_plan"))
	batch.Queue(statement("raw_read"), afters, readPage).Query(func(rows pgx.Rows) error {
		arena := make([]byte, 0, arenaBytes)
		for ; rows.Next(); n++ {
			raw := rows.RawValues()
			lane, position := binary.BigEndian.Uint16(raw[0]), int64(binary.BigEndian.Uint64(raw[1]))
			afters[lane] = max(afters[lane], position)
			for _, column := range raw {
				if len(column) > cap(arena)-len(arena) {
					arena = make([]byte, 0, arenaBytes)
				}
				arena = append(arena, column...)
			}
		}
		return rows.Err()
	})
	err = s.pool.SendBatch(ctx, &batch).Close()
	return n, err
}

const arenaBytes = 1 << 20

// rawProduce sends records that are ready in memory.
func (b *Bench) rawProduce(ctx context.Context, events int) ([]measure, error) {
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	w := newWorkload(events)
	records, err := w.kafkaRecords(s.topic)
	if err != nil {
		return nil, err
	}
	watch := startWatch()
	if err := produceRecords(ctx, s.addrs, records); err != nil {
		return nil, err
	}
	m := watch.rate("raw_produce", "franz-go sends the same records from memory, without a database", events, watch.elapsed())
	return []measure{m}, s.checkLog(ctx, w, true, &m)
}

func (w *workload) kafkaRecords(topic string) ([]*kgo.Record, error) {
	encoded, err := w.encoded(true)
	if err != nil {
		return nil, err
	}
	records := make([]*kgo.Record, len(encoded))
	for i, r := range encoded {
		if records[i], err = kafkaRecord(topic, r.key, r.headers, r.value); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// produceRecords sends as fast as one client can.
func produceRecords(ctx context.Context, addrs []string, records []*kgo.Record) error {
	client, err := newProducer(addrs, kgo.MaxBufferedRecords(50_000), kgo.ProducerBatchMaxBytes(1<<20))
	if err != nil {
		return err
	}
	defer client.Close()
	failed := make(chan error, 1)
	for _, r := range records {
		client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
