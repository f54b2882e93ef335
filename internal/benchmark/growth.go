package benchmark

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	growthShare  = 3 // of Events, drained in each slice
	growthSlices = 3
	growthRate   = 400 // events a second while latency is timed
	// heldRate is at what rate a held snapshot sees events come and go.
	heldRate = 1000
)

// growthSubjects are one subject: the outboxes take turns within it in short
// slices, because their difference is smaller than a machine's moods.
func (b *Bench) growthSubjects() []subject {
	return []subject{{"growth", b.growth}}
}

// growthRatios compare with the outbox that was empty.
func (b *Bench) growthRatios(run map[string]float64) []measure {
	var all []measure
	for _, what := range []string{"drain", "p50"} {
		for _, name := range append(b.grownNames(), "snapshot") {
			all = append(all, ratio(run, what+"_"+name, what+"_0")...)
		}
	}
	return all
}

func (b *Bench) grownNames() []string {
	var names []string
	for _, rows := range b.cfg.PublishedRows {
		names = append(names, rowsName(rows))
	}
	return names
}

// rowsName is 5m for five million.
func rowsName(rows int) string {
	if rows > 0 && rows%1_000_000 == 0 {
		return fmt.Sprintf("%dm", rows/1_000_000)
	}
	return fmt.Sprint(rows)
}

// grown is an outbox with a past.
type grown struct {
	name, about string
	filler      *filler
	drained     int
	draining    time.Duration
	latencies   []time.Duration
	close       func()
}

func (b *Bench) growth(ctx context.Context, events int) (all []measure, err error) {
	outboxes, err := b.openGrown(ctx, events)
	defer func() {
		for _, g := range outboxes {
			g.close()
		}
	}()
	if err != nil {
		return nil, err
	}
	for slice := range growthSlices {
		for at := range outboxes {
			g := outboxes[(at+slice)%len(outboxes)]
			if err := b.growthSlice(ctx, g, events); err != nil {
				return nil, fmt.Errorf("%s: %w", g.name, err)
			}
		}
	}
	for _, g := range outboxes {
		all = append(all, g.measures()...)
	}
	return all, nil
}

// openGrown opens an empty outbox, those with published rows, which stay for the
// next run, and one of which a session holds a snapshot.
func (b *Bench) openGrown(ctx context.Context, events int) (all []*grown, err error) {
	empty, err := b.openEmpty(ctx, "0", "an outbox that was empty when the run began")
	if err != nil {
		return nil, err
	}
	all = append(all, empty)
	for _, rows := range b.cfg.PublishedRows {
		f, err := b.publishedRows(ctx, rows)
		if err != nil {
			return all, fmt.Errorf("publish %d rows: %w", rows, err)
		}
		all = append(all, &grown{
			name: rowsName(rows), filler: f, close: func() {},
			about: fmt.Sprintf("an outbox that holds %s published events of %d days", thousands(int64(rows)), publishedDays),
		})
	}
	held, err := b.openHeld(ctx, events)
	if err != nil {
		return all, err
	}
	return append(all, held), nil
}

func (b *Bench) openEmpty(ctx context.Context, name, about string) (*grown, error) {
	database := b.databaseName()
	pool, err := b.newDatabase(ctx, database)
	if err != nil {
		return nil, err
	}
	return &grown{name: name, about: about, filler: &filler{pool: pool}, close: func() {
		pool.Close()
		b.dropDatabase(context.WithoutCancel(ctx), database)
	}}, nil
}

// publishedRows is an outbox that has so many published rows. It is made once.
func (b *Bench) publishedRows(ctx context.Context, rows int) (*filler, error) {
	if f := b.grown[rows]; f != nil {
		return f, nil
	}
	g, err := b.openEmpty(ctx, "", "")
	if err != nil {
		return nil, err
	}
	started := time.Now()
	if err := g.filler.addPublished(ctx, "bench.orders.published.v1", rows); err != nil {
		g.close()
		return nil, err
	}
	b.cfg.Logger.Info("filled", "rows", rows, "took", time.Since(started).Round(time.Millisecond))
	b.stack.cleanup(func(context.Context) error { g.close(); return nil })
	b.grown[rows] = g.filler
	return g.filler, nil
}

// openHeld is an outbox of which a session has held a snapshot for a while, and
// goes on to, while events were inserted, published and consumed.
func (b *Bench) openHeld(ctx context.Context, events int) (*grown, error) {
	hold := time.Duration(b.cfg.SnapshotSeconds) * time.Second
	if events < b.cfg.Events {
		hold = time.Second
	}
	g, err := b.openEmpty(ctx, "snapshot", fmt.Sprintf("an outbox of which a session holds a snapshot, for %v at %d events/s before", hold, heldRate))
	if err != nil {
		return nil, err
	}
	release, err := g.filler.holdSnapshot(ctx)
	if err != nil {
		g.close()
		return nil, err
	}
	closeDatabase := g.close
	g.close = func() { release(); closeDatabase() }
	if _, err := b.growthLatency(ctx, g, heldRate, int(hold.Seconds())*heldRate); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// holdSnapshot keeps everything that dies from now on from being cleaned up.
func (f *filler) holdSnapshot(ctx context.Context) (release func(), err error) {
	tx, err := f.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	release = func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }
	if _, err := tx.Exec(ctx, "SELECT FROM factline.outbox_lane"); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func (b *Bench) growthSlice(ctx context.Context, g *grown, events int) error {
	if err := b.growthDrain(ctx, g, max(events/growthShare, 100)); err != nil {
		return err
	}
	took, err := b.growthLatency(ctx, g, growthRate, b.latencyEvents(growthRate, events)/(2*growthSlices))
	g.latencies = append(g.latencies, took...)
	return err
}

func (b *Bench) growthDrain(ctx context.Context, g *grown, events int) error {
	s, err := b.siteOn(ctx, g.filler.pool)
	if err != nil {
		return err
	}
	defer s.close()
	ids, err := g.filler.add(ctx, s.topic, events)
	if err != nil {
		return err
	}
	w := &workload{ids: ids}
	m, err := s.drain(ctx, w)
	if err != nil {
		return err
	}
	g.drained += events
	g.draining += time.Duration(float64(events) / m.value * float64(time.Second))
	return s.checkLog(ctx, w, true, &m)
}

func (b *Bench) growthLatency(ctx context.Context, g *grown, rate, events int) ([]time.Duration, error) {
	s, err := b.siteOn(ctx, g.filler.pool)
	if err != nil {
		return nil, err
	}
	defer s.close()
	l := &latencyRun{from: s, workload: newWorkload(events).since(g.filler.next), rate: rate}
	g.filler.next += aggregates
	if err := b.timeEffects(ctx, l); err != nil {
		return nil, err
	}
	return l.seen.sorted(), nil
}

func (g *grown) measures() []measure {
	slices.Sort(g.latencies)
	all := []measure{{
		subject: "drain_" + g.name, unit: "events/s", events: g.drained, value: float64(g.drained) / g.draining.Seconds(),
		about: "outbox.Relay drains a backlog of " + g.about,
	}}
	for _, p := range []int{50, 99} {
		all = append(all, measure{
			subject: fmt.Sprintf("p%d_%s", p, g.name), unit: "ms", events: len(g.latencies), value: milliseconds(percentile(g.latencies, p)),
			about: fmt.Sprintf("insert to effect committed at %d/s, polling alone, %d th percentile, of %s", growthRate, p, g.about),
		})
	}
	return all
}
