package benchmark

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

// filler puts events into an outbox by INSERT … SELECT, many times faster than
// appends would. Each call continues with orders that had no event before.
type filler struct {
	pool *pgxpool.Pool
	next int32
}

// fillStep is how many events a transaction has.
const fillStep = 250_000

// add appends events that are still to be published, and returns their ids.
func (f *filler) add(ctx context.Context, topic string, events int) ([]string, error) {
	if err := f.fill(ctx, topic, events, 1, 0); err != nil {
		return nil, err
	}
	ids := make([]string, events)
	for i := range ids {
		ids[i] = fmt.Sprintf("%026X", int64(f.next-aggregates)<<32|int64(i))
	}
	return ids, nil
}

// publishedDays is how long ago the oldest published event was. A relay drops
// partitions of more than seven days.
const publishedDays = 6

// addPublished adds events of the last days, published, and has the server do
// what it would have done in these days.
func (f *filler) addPublished(ctx context.Context, topic string, events int) error {
	_, err := f.pool.Exec(ctx, "SELECT factline.outbox_make_partitions(now() - $1 * interval '1 day', $1::int + 1)", publishedDays)
	if err != nil {
		return err
	}
	// Nobody will ask for the order of these: several at a time.
	if err := f.fill(ctx, topic, events, fillers, publishedDays*24*time.Hour); err != nil {
		return err
	}
	if _, err := f.pool.Exec(ctx, statement("publish_all"), topic); err != nil {
		return err
	}
	for _, table := range []string{"outbox_event", "outbox_receipt", "outbox_lane", "outbox_stream"} {
		if _, err := f.pool.Exec(ctx, "VACUUM (ANALYZE) factline."+table); err != nil {
			return err
		}
	}
	return nil
}

func (f *filler) fill(ctx context.Context, topic string, events, atOnce int, age time.Duration) error {
	value, headers, at, err := template()
	if err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for from := 0; from < events; from += fillStep {
		upto := min(from+fillStep, events)
		// The oldest are as old as age, the newest as old as what comes after them.
		oldest, newest := age*time.Duration(events-from)/time.Duration(events), age*time.Duration(events-upto)/time.Duration(events)
		group.Go(func() error {
			_, err := f.pool.Exec(gctx, statement("fill"), from, upto, f.next, tenant, eventType, topic, value, oldest, newest, headers, at)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err = f.pool.Exec(ctx, statement("fill_heads"), events, f.next, tenant)
	f.next += aggregates
	return err
}

// template is an event's value with places for its id, order, version and two
// hashes, without which events would compress better than any real ones, and its
// headers with the position of its id.
func template() (value string, headers []byte, at int, err error) {
	all, err := newWorkload(1).encoded(false)
	if err != nil {
		return "", nil, 0, err
	}
	e := all[0]
	value = strings.NewReplacer(e.id, "%1$s", e.order, "%2$s", `"aggregateVersion":1`, `"aggregateVersion":%3$s`).Replace(string(e.value))
	value = replaceHash(value, `"sha256:`, "%4$s")
	value = replaceHash(value, `"evidence:`, "%5$s")
	at = bytes.Index(e.headers, []byte(e.id)) + 1
	if strings.Count(value, "%") != 6 || at == 0 {
		return "", nil, 0, errors.New("an event does not have its id, order, version and hashes where they are expected")
	}
	return value, e.headers, at, nil
}

func replaceHash(value, before, with string) string {
	head, rest, _ := strings.Cut(value, before)
	_, tail, _ := strings.Cut(rest, `"`)
	return head + before + with + `"` + tail
}
