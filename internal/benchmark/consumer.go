package benchmark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/envelope"
)

// textbookConsumerShare is what part of Events the textbook consumer gets.
const textbookConsumerShare = 600

func (b *Bench) consumerSubjects() []subject {
	return []subject{
		{"ours", b.consumerOurs(variant{
			name: "ours", group: "projection-service.bulk.consumer", bulk: true,
			about: "consumer.Runner, ordered: inbox, gate and a bulk projection; no contract validation",
		})},
		{"ours_single", b.consumerOurs(variant{
			name: "ours_single", group: "projection-service.single.consumer",
			about: "the same with a handler called per event; no contract validation",
		})},
		{"ours_validated", b.consumerOurs(variant{
			name: "ours_validated", group: "projection-service.validated.consumer", bulk: true, validated: true,
			about: "as ours, with every event validated against its contract",
		})},
		{"textbook", b.consumerTextbook},
		{"raw_consume", b.rawConsume},
	}
}

func consumerRatios(run map[string]float64) []measure {
	all := ratio(run, "ours", "textbook")
	all = append(all, ratio(run, "ours_single", "textbook")...)
	all = append(all, ratio(run, "ours_validated", "textbook")...)
	all = append(all, ratio(run, "ours_validated", "ours")...)
	return append(all, ratio(run, "ours", "raw_consume")...)
}

// published makes a site whose topic holds a workload.
func (b *Bench) published(ctx context.Context, events int) (*site, *workload, error) {
	w := newWorkload(events)
	s, err := b.publishedSite(ctx, w)
	return s, w, err
}

func (b *Bench) publishedSite(ctx context.Context, w *workload) (*site, error) {
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	records, err := w.kafkaRecords(s.topic)
	if err == nil {
		err = produceRecords(ctx, s.addrs, records)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// summary is what the projection keeps of an event.
type summary struct {
	event envelope.Raw
	order captured
}

type captured struct {
	OrderID string `json:"orderId"`
	Totals  struct {
		OneTimeTotal   string `json:"oneTimeTotal"`
		RecurringTotal string `json:"recurringTotal"`
	} `json:"totals"`
}

func summarize(e envelope.Raw) (summary, error) {
	s := summary{event: e}
	err := json.Unmarshal(e.Payload, &s.order)
	return s, err
}

// projectOne is the effect of one event.
func projectOne(ctx context.Context, tx pgx.Tx, e envelope.Raw) error {
	s, err := summarize(e)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, statement("project_one"), e.TenantID, s.order.OrderID, e.AggregateVersion,
		s.order.Totals.OneTimeTotal, s.order.Totals.RecurringTotal, e.EventID, e.OccurredAt)
	return err
}

// folded is the effect of several events on one order: the last one's fields,
// and how many there were.
type folded struct {
	summary
	applied int64
}

// projectBulk is the effect of several events, by one statement.
func projectBulk(ctx context.Context, tx pgx.Tx, events []envelope.Raw) error {
	at := make(map[string]int, len(events))
	orders := make([]folded, 0, len(events))
	for _, e := range events {
		s, err := summarize(e)
		if err != nil {
			return err
		}
		i, known := at[s.order.OrderID]
		if !known {
			i = len(orders)
			at[s.order.OrderID] = i
			orders = append(orders, folded{})
		}
		orders[i] = folded{summary: s, applied: orders[i].applied + 1}
	}
	return upsert(ctx, tx, orders)
}

func upsert(ctx context.Context, tx pgx.Tx, orders []folded) error {
	n := len(orders)
	ids, oneTimes, recurrings, eventIDs := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	versions, applied, times := make([]int64, n), make([]int64, n), make([]time.Time, n)
	for i, o := range orders {
		ids[i], oneTimes[i], recurrings[i] = o.order.OrderID, o.order.Totals.OneTimeTotal, o.order.Totals.RecurringTotal
		eventIDs[i], versions[i], applied[i], times[i] = o.event.EventID, o.event.AggregateVersion, o.applied, o.event.OccurredAt
	}
	_, err := tx.Exec(ctx, statement("project_bulk"), orders[0].event.TenantID,
		ids, versions, applied, oneTimes, recurrings, eventIDs, times)
	return err
}

// checkTable compares the projection with the events: every order there, at its
// last version, with as many effects as it has events.
func checkTable(ctx context.Context, pool *pgxpool.Pool, want map[string]int64) error {
	rows, err := pool.Query(ctx, "SELECT order_id, version, applied FROM bench.order_summary")
	if err != nil {
		return err
	}
	defer rows.Close()
	got := map[string]effects{}
	for rows.Next() {
		var id string
		var e effects
		if err := rows.Scan(&id, &e.version, &e.applied); err != nil {
			return err
		}
		got[id] = e
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return checkEffects(got, want)
}

type effects struct{ version, applied int64 }

func checkEffects(got map[string]effects, want map[string]int64) error {
	for id, events := range want {
		switch e := got[id]; {
		case e.applied != events:
			return fmt.Errorf("the table is wrong: %s has %d effects of %d events", id, e.applied, events)
		case e.version != events:
			return fmt.Errorf("the table is wrong: %s is at version %d, its last event has %d", id, e.version, events)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("the table is wrong: %d orders, the events have %d", len(got), len(want))
	}
	return nil
}

// consumerTextbook gives each record a transaction of its own: inbox row,
// effect, mark processed, commit; then the record's offset.
func (b *Bench) consumerTextbook(ctx context.Context, events int) ([]measure, error) {
	s, w, err := b.published(ctx, max(events/textbookConsumerShare, 100))
	if err != nil {
		return nil, err
	}
	defer s.close()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.addrs...), kgo.ConsumeTopics(s.topic), kgo.FetchMaxWait(fetchWait),
		kgo.ConsumerGroup(textbookGroup), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	watch := startWatch()
	for left := w.len(); left > 0; {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(fetches.Err0(), ctx.Err()); err != nil {
			return nil, err
		}
		for iter := fetches.RecordIter(); !iter.Done(); left-- {
			if err := s.textbookHandle(ctx, client, iter.Next()); err != nil {
				return nil, err
			}
		}
	}
	m := watch.rate("textbook", "one transaction per record (inbox row, effect, mark processed), then one offset commit; no gate, no validation",
		w.len(), watch.elapsed())
	return []measure{m}, checkTable(ctx, s.pool, w.counts())
}

const textbookGroup = "projection-service.textbook.consumer"

func (s *site) textbookHandle(ctx context.Context, client *kgo.Client, r *kgo.Record) error {
	e, err := envelope.DecodeRaw(r.Value)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, statement("textbook_start"), e.EventID, textbookGroup, r.Topic, r.Partition, r.Offset)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if err := projectOne(ctx, tx, e); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, statement("textbook_processed"), e.EventID, textbookGroup)
		return err
	})
	if err != nil {
		return err
	}
	return client.CommitRecords(ctx, r)
}

// rawConsume reads the records and drops them.
func (b *Bench) rawConsume(ctx context.Context, events int) ([]measure, error) {
	s, w, err := b.published(ctx, events)
	if err != nil {
		return nil, err
	}
	defer s.close()
	watch := startWatch()
	if err := eachRecord(ctx, s.addrs, s.topic, func(*kgo.Record) error { return nil }); err != nil {
		return nil, err
	}
	return []measure{watch.rate("raw_consume", "franz-go reads the records and drops them", w.len(), watch.elapsed())}, nil
}
