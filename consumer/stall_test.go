package consumer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
)

func TestAHandlerThatHangsIsReportedAsAStall(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	leave := make(chan struct{})
	b.send(order("a", 1))
	b.start(func(c *consumer.Config) {
		c.StallAfter = 20 * time.Millisecond
		handlers(func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
			<-leave
			return record(ctx, tx, m)
		})(c)
	})
	stalled := func(want float64) func() (bool, any) {
		return func() (bool, any) {
			n := b.counter("factline_consumer_stalled_partitions")
			return n == want, n
		}
	}
	b.await("the stall in the metrics", stalled(1))
	if !contains(b.logs.String(), "partition stalled") {
		t.Errorf("the log says nothing of the stall:\n%s", b.logs)
	}
	close(leave)
	b.wantEffects("a/1")
	b.await("the end of the stall", stalled(0))
	if n := b.counter("factline_consumer_stalls_total"); n != 1 {
		t.Errorf("%v stalls counted, want 1", n)
	}
}

func TestAnExpiredOffsetStopsItsPartitionAndLeavesARecord(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	stop := b.start(nil)
	b.send(order("a", 1))
	b.wantEffects("a/1")
	b.wantCommitted(1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.send(order("a", 2), order("a", 3), order("a", 4))
	b.deleteRecords(3)
	b.start(nil)
	b.await("the gap recorded", func() (bool, any) {
		gap := query[string](b, `SELECT from_offset || ' to ' || to_offset FROM factline.consumer_gap WHERE consumer = $1 AND topic = $2 AND partition = 0`, group, orders)
		return len(gap) == 1 && gap[0] == "1 to 3", gap
	})
	b.await("the partition counted as stopped", func() (bool, any) {
		n := b.counter("factline_consumer_stopped_partitions")
		return n == 1, n
	})
	b.wantEffects("a/1")
	if next := one[int64](b, `SELECT next_offset FROM factline.consumer_offset`); next != 1 {
		t.Errorf("next offset = %d, want 1: nothing is skipped silently", next)
	}
}

// A tenant with a hundred times the records, all of one key, delays another
// partition's tenant by a few chunks, even with a single transaction at a time.
func TestANoisyTenantDelaysOthersByAFewChunksOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	const chunk, noisy, quiet = 50, 5000, 50
	for v := int64(1); v <= noisy; v += 1000 {
		b.sendRecords(b.hotRecords("noisy", v, v+999)...)
	}
	var calm []*kgo.Record
	for i := range quiet {
		e := order(fmt.Sprintf("q%d", i), 1)
		e.TenantID = "quiet"
		r := b.recordOf(e)
		r.Partition = 1
		calm = append(calm, r)
	}
	b.sendRecords(calm...)
	b.start(func(c *consumer.Config) {
		c.MaxConcurrentChunks, c.MaxChunkRecords, c.MaxQueuedRecords = 1, chunk, 20*chunk
	})
	b.await("the quiet tenant's effects", func() (bool, any) {
		n := one[int64](b, `SELECT count(*) FROM app.effect WHERE tenant_id = 'quiet'`)
		return n == quiet, n
	})
	before := one[int64](b, `SELECT count(*) FROM app.effect WHERE tenant_id = 'noisy' AND seq < (SELECT max(seq) FROM app.effect WHERE tenant_id = 'quiet')`)
	if before > 20*chunk {
		t.Errorf("%d of the noisy tenant's %d came first, want no more than what one partition reads ahead", before, noisy)
	}
	b.await("the noisy tenant's effects", func() (bool, any) {
		n := one[int64](b, `SELECT count(*) FROM app.effect WHERE tenant_id = 'noisy'`)
		return n == noisy, n
	})
}
