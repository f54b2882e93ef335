package outbox

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"factline.dev/internal/named"
)

// readRequest is one read for the lanes that want rows.
type readRequest struct {
	lanes     []wantedLane
	needBound bool
	manyHoles bool // of a lane: snapshots are needed
	woken     bool // somebody in this process said that there is something
}

type wantedLane struct {
	lane  *lane
	id    int16
	page  int // most rows of a span, 0 for as many as a chunk may have
	spans []span
	cut   int64 // nothing from here on is asked for
}

func newReadRequest(lanes []*lane) readRequest {
	var r readRequest
	for _, l := range lanes {
		spans, cut := l.spans()
		r.lanes = append(r.lanes, wantedLane{lane: l, id: l.id, page: l.page, spans: spans, cut: cut})
		r.manyHoles = r.manyHoles || l.hasManyHoles()
		r.needBound = r.needBound || l.unbounded()
	}
	return r
}

type readResult struct {
	request readRequest
	lanes   []laneRows // in step with request.lanes
	xmin    int64      // every transaction id below it had ended before the rows were read
	bound   int64      // a transaction id taken after the request was made, or 0
	err     error
	// before and after are around the read of the rows where there are many holes.
	before, after snapshot
	// isRelease is set where the rows are parked ones of a single lane.
	isRelease bool
	// isShort says that a shelf holds no more rows than these.
	isShort bool
	// parkedMicros says of each since when it is parked.
	parkedMicros map[int64]int64
}

// laneRows is what a read brought of a lane.
type laneRows struct {
	rows   []outRow // in position order
	cut    int64    // from here on rows may be missing
	memory *slab    // of the rows, nil where there are none
}

// read asks, in one round trip: which transactions have all ended, what id is
// next for holes without a bound, and then for the rows. The order matters: a
// row that the later statement still does not see, of a transaction that had
// ended at the first, never comes.
func (s *store) read(ctx context.Context, request readRequest) readResult {
	result := readResult{request: request}
	limited, stop := context.WithCancel(ctx)
	defer stop()
	var b pgx.Batch
	b.Queue(statement("snapshot_xmin")).QueryRow(func(row pgx.Row) error { return row.Scan(&result.xmin) })
	if request.manyHoles {
		queueSnapshot(&b, &result.before)
	}
	if request.needBound {
		b.Queue(statement("bound")).QueryRow(func(row pgx.Row) error { return row.Scan(&result.bound) })
	}
	pages := newPages(request, &s.slabs, s.maxEvents, s.maxBytes)
	b.Queue(statement("read"), s.readArgs(request)).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := pages.add(rows.RawValues()); err != nil {
				stop() // or the rest would be read to its end
				return err
			}
		}
		return rows.Err()
	})
	if request.manyHoles {
		queueSnapshot(&b, &result.after)
	}
	result.err = s.pool.SendBatch(limited, &b).Close()
	if pages.err != nil {
		result.err = pages.err
	}
	result.lanes = pages.finish()
	return result
}

func queueSnapshot(b *pgx.Batch, to *snapshot) {
	b.Queue(statement("snapshot")).QueryRow(func(row pgx.Row) (err error) {
		var text string
		if err := row.Scan(&text); err != nil {
			return err
		}
		*to, err = parseSnapshot(text)
		return err
	})
}

func (s *store) readArgs(request readRequest) named.Args {
	var lanes []int16
	var afters, uptos []int64
	var pages []int32
	for _, want := range request.lanes {
		for _, span := range want.spans {
			lanes = append(lanes, want.id)
			afters = append(afters, span.first-1)
			uptos = append(uptos, span.last)
			pages = append(pages, int32(cmp.Or(want.page, s.maxEvents)))
		}
	}
	return named.Args{"lanes": lanes, "afters": afters, "uptos": uptos, "pages": pages, "open_end": openEnd}
}

// pages takes the rows of a read and keeps of each lane what a chunk may hold,
// so that memory stays flat however large the rows are.
//
// A row may be kept only if everything below it that was visible is kept as
// well: an aggregate's next version is visible only together with all before,
// and one of those may stand in a hole that was read in part. So each lane has
// one cut, the lowest position from which rows may be missing, and keeps nothing
// from there on.
type pages struct {
	reader   *rowReader
	slabs    *slabs
	spans    []page
	lanes    []lanePage
	maxBytes int
	wasted   int
	err      error
}

// page is one span of the read.
type page struct {
	lane  int // in the request
	limit int // rows asked for
	rows  int
	last  int64
}

// lanePage is what is kept of a lane.
type lanePage struct {
	memory *slab
	bytes  int
	cut    int64
}

// errReadTooMuch says that rows are so much larger than the last ones that most
// of a read would be thrown away.
var errReadTooMuch = errors.New("outbox: read outbox rows: they are larger than those before; smaller pages are read from now on")

// maxWasted is how many bytes a read may throw away before it ends.
const maxWasted = 32 << 20

func newPages(request readRequest, slabs *slabs, maxEvents, maxBytes int) *pages {
	p := &pages{reader: newRowReader(), slabs: slabs, lanes: make([]lanePage, len(request.lanes)), maxBytes: maxBytes}
	for i, want := range request.lanes {
		p.lanes[i] = lanePage{cut: want.cut}
		for range want.spans {
			p.spans = append(p.spans, page{lane: i, limit: cmp.Or(want.page, maxEvents)})
		}
	}
	return p
}

func (p *pages) add(columns [][]byte) error {
	ordinal, row, err := p.reader.read(columns)
	if err != nil {
		p.err = err
		return err
	}
	size := 0
	for _, c := range columns[columnKey:] {
		size += len(c)
	}
	if memory := p.keep(ordinal, row, size); memory != nil {
		memory.copyBytes(&memory.rows[len(memory.rows)-1], columns)
		return nil
	}
	if p.wasted += size; p.wasted > maxWasted {
		p.err = errReadTooMuch
	}
	return p.err
}

// keep takes a row of the span with this ordinal, counted from 1, and returns
// the slab whose last row it is now, or nil when its lane is full.
func (p *pages) keep(ordinal int, row outRow, size int) *slab {
	s := &p.spans[ordinal-1]
	s.rows++
	s.last = max(s.last, row.position)
	l := &p.lanes[s.lane]
	if l.bytes > p.maxBytes {
		l.cut = min(l.cut, row.position)
		return nil
	}
	if l.memory == nil {
		l.memory = p.slabs.take()
	}
	l.bytes += size
	l.memory.rows = append(l.memory.rows, row)
	return l.memory
}

// isFull reports whether the only lane takes no more.
func (p *pages) isFull() bool { return p.lanes[0].bytes > p.maxBytes }

// finish returns the rows of each lane in position order up to its cut.
func (p *pages) finish() (lanes []laneRows) {
	for _, s := range p.spans {
		if s.rows == s.limit {
			l := &p.lanes[s.lane]
			l.cut = min(l.cut, s.last+1)
		}
	}
	for _, l := range p.lanes {
		read := laneRows{cut: l.cut, memory: l.memory}
		if l.memory != nil {
			read.rows = slices.DeleteFunc(l.memory.rows, func(r outRow) bool { return r.position >= l.cut })
			slices.SortFunc(read.rows, func(a, b outRow) int { return cmp.Compare(a.position, b.position) })
		}
		lanes = append(lanes, read)
	}
	return lanes
}

// cutAt forgets the rows from cut on.
func (r *laneRows) cutAt(cut int64) {
	if cut < r.cut {
		r.cut = cut
		r.rows = slices.DeleteFunc(r.rows, func(row outRow) bool { return row.position >= cut })
	}
}

// complete returns the spans that were read to their end.
func (w wantedLane) complete(cut int64) []span {
	return slices.DeleteFunc(slices.Clone(w.spans), func(s span) bool { return s.last >= cut })
}

// learn sets what the next read of the lane asks for: as many rows of the size
// of these as fill a chunk.
func (l *lane) learn(rows []outRow, maxEvents, maxBytes int) {
	bytes := 0
	for _, r := range rows {
		bytes += len(r.value)
	}
	if bytes > 0 {
		l.page = min(max(maxBytes*len(rows)/bytes+1, 1), maxEvents)
	}
}

// shrink is for a read that was given up.
func (l *lane) shrink(maxEvents int) { l.page = max(cmp.Or(l.page, maxEvents)/16, 1) }
