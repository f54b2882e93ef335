package benchmark

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Sizes: a subject gets as many events as take it seconds.
const (
	skipLockedShare    = 3  // of Events
	textbookRelayShare = 60 // of Events
)

const fetchWait = 100 * time.Millisecond

func (b *Bench) relaySubjects() []subject {
	return []subject{
		{"ours", b.relayOurs},
		{"textbook", b.relayTextbook},
		{"skip_locked", b.skipLocked("skip_locked", 1)},
		{"skip_locked_2", b.skipLocked("skip_locked_2", 2)},
		{"skip_locked_4", b.skipLocked("skip_locked_4", 4)},
		{"raw_produce", b.rawProduce},
	}
}

func relayRatios(run map[string]float64) []measure {
	all := append(ratio(run, "ours", "skip_locked"), ratio(run, "ours", "textbook")...)
	if best := max(run["skip_locked"], run["skip_locked_2"], run["skip_locked_4"]); best > 0 {
		run["skip_locked_best"] = best
		all = append(all, measure{
			subject: "skip_locked_best", unit: "events/s", value: best,
			about: "the best of skip_locked, _2 and _4 in each run; with more than one worker it keeps no order",
		})
		all = append(all, ratio(run, "ours", "skip_locked_best")...)
	}
	all = append(all, ratio(run, "ours", "raw_read")...)
	all = append(all, ratio(run, "ours", "raw_produce")...)
	if read, produce := run["raw_read"], run["raw_produce"]; read > 0 && produce > 0 {
		run["raw_both"] = 1 / (1/read + 1/produce)
		all = append(all, measure{
			subject: "raw_both", unit: "events/s", value: run["raw_both"],
			about: "what raw_read and raw_produce would reach one after the other",
		})
		all = append(all, ratio(run, "ours", "raw_both")...)
	}
	return all
}

// stopwatch measures wall time and this process's processor time.
type stopwatch struct {
	started time.Time
	cpu     time.Duration
}

// startWatch collects garbage first: what filling left is not the subject's.
func startWatch() stopwatch {
	runtime.GC()
	return stopwatch{time.Now(), processTime()}
}

// rate is events per second, with what one event cost this process.
func (w stopwatch) rate(name, about string, events int, took time.Duration) measure {
	cpu := processTime() - w.cpu
	return measure{
		subject: name, unit: "events/s", about: about, events: events,
		value:  float64(events) / took.Seconds(),
		detail: map[string]float64{"own_cpu_us_per_event": float64(cpu.Microseconds()) / float64(events)},
	}
}

// checkLog reads the log back. Order is demanded of subjects that promise it,
// and counted of the others.
func (s *site) checkLog(ctx context.Context, w *workload, ordered bool, m *measure) error {
	h, err := readLog(ctx, s.addrs, s.topic)
	if err != nil {
		return fmt.Errorf("read the log back: %w", err)
	}
	if err := h.checkComplete(w.ids); err != nil {
		return err
	}
	m.detail["aggregates_out_of_order"] = float64(len(h.disordered))
	m.detail["repeated_records"] = float64(h.repeats)
	if ordered {
		return h.checkOrder()
	}
	return nil
}

// newProducer has the relay's baseline, its zstd level included; tune is what its
// subject chose.
func newProducer(addrs []string, tune ...kgo.Opt) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(addrs...),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.ZstdCompression().WithLevel(1), kgo.NoCompression()),
		kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
	}
	return kgo.NewClient(append(opts, tune...)...)
}

func (w stopwatch) elapsed() time.Duration { return time.Since(w.started) }
