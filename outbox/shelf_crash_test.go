package outbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"factline.dev/factlinetest"
)

// Property: two relays take lanes over from each other and stop in the middle of
// what they send, a topic is missing at first, partitions are refused, and some
// events are blamed and tried again by an operator: all at once. Each key reaches
// the log whole and in order of first occurrences.
func TestOrderHoldsThroughShelvesCulpritsAndCrashesAtOnce(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	other := b.withOther()
	fake := b.kafka.Fake()
	poison := rejectPoison(fake)
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a test repeats
	var appended atomic.Int64
	stopWriting := b.inBackground(func(i int) error {
		note := func(key int) string {
			if key < 3 && i%5 == 0 {
				return "POISON"
			}
			return ""
		}
		a, x := i%13, i%11
		err := pgx.BeginFunc(context.Background(), b.pool, func(tx pgx.Tx) error {
			return b.outbox.Append(context.Background(), tx, event(fmt.Sprint("a", a), note(a)), event(fmt.Sprint("x", x), note(x)))
		})
		if err == nil {
			appended.Add(1)
		}
		return err
	})
	start := func(name string) func() {
		return b.relay(uncompressed, func(c *RelayConfig) { c.Instance, c.ChunkEvents, c.DrainTimeout = name, 10, time.Millisecond })
	}
	names := []string{"one", "two"}
	stops := []func(){start(names[0]), start(names[1])}
	errs := []*kerr.Error{kerr.NotEnoughReplicas, kerr.TopicAuthorizationFailed, kerr.NotLeaderForPartition}
	for round := range 10 {
		if round == 3 {
			b.kafka.CreateTopic(t, other, 3, nil)
		}
		fault := fake.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.Produce}, Topic: []string{b.topic, other}[round%2], Partitions: []int32{int32(random.IntN(3))}, Err: errs[random.IntN(len(errs))], Count: -1,
		})
		factlinetest.Eventually(t, time.Minute, "refused requests", func() (bool, error) { return fault.Hits() > 2 || round < 3, nil })
		at := random.IntN(2)
		stops[at]()
		stops[at] = start(names[at])
		b.decideAll(Retry)
		fault.Remove()
	}
	stopWriting()
	poison.Remove()
	factlinetest.Eventually(t, 2*time.Minute, "an empty outbox", func() (bool, error) {
		b.decideAll(Retry)
		report, err := Status(t.Context(), b.pool)
		if err == nil && report.Pending()+report.Parked() > 0 {
			err = fmt.Errorf("%d pending, %d parked", report.Pending(), report.Parked())
		}
		return err == nil, err
	})
	n := int(appended.Load())
	checkOrder(t, b.published(n), n)
	checkOrder(t, b.of(other).published(n), n)
}

// decideAll decides about every event that waits now.
func (b *bundle) decideAll(d Decision) {
	b.t.Helper()
	all, err := Parked(b.t.Context(), b.pool, ParkedFilter{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range all {
		if e.Waits {
			b.resolve(e.ID, d)
		}
	}
}
