package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
)

// forget is the effect of a tombstone.
func forget(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
	if !m.IsTombstone() {
		return fmt.Errorf("not a tombstone: %s", m.EventID)
	}
	_, err := tx.Exec(ctx, `DELETE FROM app.effect WHERE aggregate_id = $1`, string(m.Key))
	return err
}

func deleteRecords(b *bundle, before int64) error {
	offsets := make(kadm.Offsets)
	offsets.Add(kadm.Offset{Topic: orders, Partition: 0, At: before})
	_, err := kadm.NewClient(b.client).DeleteRecords(b.t.Context(), offsets)
	return err
}

// rewindGroup sets Kafka's offset of partition 0, as an operator's tool would.
func (b *bundle) rewindGroup(to int64) {
	b.t.Helper()
	offsets := make(kadm.Offsets)
	offsets.Add(kadm.Offset{Topic: orders, Partition: 0, At: to, LeaderEpoch: -1})
	b.await("the empty group taking the offset", func() (bool, any) {
		err := kadm.NewClient(b.client).CommitAllOffsets(b.t.Context(), group, offsets)
		return err == nil, err
	})
}

// snapshot is the content of every table that effects and their bookkeeping
// stand in, without times.
func (b *bundle) snapshot() string {
	b.t.Helper()
	var all strings.Builder
	for _, sql := range []string{
		`SELECT 'effect ' || aggregate_id || '/' || version FROM app.effect ORDER BY 1`,
		`SELECT 'inbox ' || event_id || ' ' || state || ' ' || attempts FROM factline.inbox ORDER BY 1`,
		`SELECT 'gate ' || aggregate_id || ' ' || version || ' ' || event_id FROM factline.gate ORDER BY 1`,
		`SELECT 'held ' || "offset" || ' ' || event_id || ' ' || reason FROM factline.held_event ORDER BY 1`,
		`SELECT 'blocked ' || encode(record_key, 'escape') || ' ' || event_id || ' ' || dead_letter_id FROM factline.blocked_key ORDER BY 1`,
		`SELECT 'dead ' || dead_letter_id || ' ' || "offset" || ' ' || state FROM factline.dead_letter ORDER BY 1`,
		`SELECT 'outbox ' || topic || ' ' || md5(value) FROM factline.outbox_event ORDER BY 1`,
		`SELECT 'offset ' || next_offset FROM factline.consumer_offset ORDER BY 1`,
	} {
		for _, line := range query[string](b, sql) {
			fmt.Fprintln(&all, line)
		}
	}
	return all.String()
}

// hotRecords are one order's records of partition 0, with versions from first to
// last.
func (b *bundle) hotRecords(tenant string, first, last int64) []*kgo.Record {
	var all []*kgo.Record
	for v := first; v <= last; v++ {
		e := order("hot", v)
		e.TenantID = tenant
		all = append(all, b.recordOf(e))
	}
	return all
}

// deadLetter waits for the one record that goes to the dead-letter topic.
func (b *bundle) deadLetter() consumer.DeadLetter {
	b.t.Helper()
	var d consumer.DeadLetter
	b.await("one dead letter in the outbox", func() (bool, any) {
		values := query[[]byte](b, `SELECT value FROM factline.outbox_event WHERE topic = 'oms.order.events.dlt.v1'`)
		if len(values) != 1 {
			return false, len(values)
		}
		err := json.Unmarshal(values[0], &d)
		return err == nil, err
	})
	return d
}

// counter sums a metric over its labels.
func (b *bundle) counter(name string, labels ...string) (sum float64) {
	b.t.Helper()
	families, err := b.cfg.Registerer.(*prometheus.Registry).Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			text := fmt.Sprint(m.GetLabel())
			matches := true
			for _, l := range labels {
				matches = matches && strings.Contains(text, `"`+l+`"`)
			}
			if matches {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// healingAll is a handler that gives up every event of a version until it is healed.
func healingAll(version int64) (consumer.Handler, *atomic.Bool) {
	var healed atomic.Bool
	return func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if m.AggregateVersion == version && !healed.Load() {
			return consumer.Permanent(errors.New("no such offer"))
		}
		return record(ctx, tx, m)
	}, &healed
}
