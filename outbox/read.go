package outbox

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
)

// readRequest is one read for the lanes that want rows.
type readRequest struct {
	lanes     []wantedLane
	needBound bool
}

type wantedLane struct {
	lane  *lane
	id    int16
	page  int // most rows of a span, 0 for as many as a chunk may have
	spans []span
}

// maxSpans bounds how many holes of a lane one read looks into.
const maxSpans = 64

func newReadRequest(lanes []*lane) readRequest {
	var r readRequest
	for _, l := range lanes {
		spans := l.spans()
		if len(spans) > maxSpans {
			spans = slices.Concat(spans[:maxSpans-1], spans[len(spans)-1:])
		}
		r.lanes = append(r.lanes, wantedLane{lane: l, id: l.id, page: l.page, spans: spans})
		r.needBound = r.needBound || l.unbounded()
	}
	return r
}

type readResult struct {
	request readRequest
	rows    [][]outRow // in step with request.lanes, each in position order
	xmin    int64      // every transaction id below it had ended before the rows were read
	bound   int64      // a transaction id taken after the request was made, or 0
	err     error
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
	if request.needBound {
		b.Queue(statement("bound")).QueryRow(func(row pgx.Row) error { return row.Scan(&result.bound) })
	}
	pages := newPages(request, s.maxBytes)
	b.Queue(statement("read"), s.readArgs(request)).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := pages.add(rows.RawValues()); err != nil {
				stop() // or the rest would be read to its end
				return err
			}
		}
		return rows.Err()
	})
	result.err = s.pool.SendBatch(limited, &b).Close()
	if pages.err != nil {
		result.err = pages.err
	}
	result.rows = pages.finish()
	return result
}

func (s *store) readArgs(request readRequest) pgx.NamedArgs {
	var lanes []int16
	var afters, uptos []int64
	var pages []int32
	for _, want := range request.lanes {
		for _, span := range want.spans {
			lanes = append(lanes, want.id)
			afters = append(afters, span.first-1)
			uptos = append(uptos, span.last)
			pages = append(pages, int32(or(want.page, s.maxEvents)))
		}
	}
	return pgx.NamedArgs{"lanes": lanes, "afters": afters, "uptos": uptos, "pages": pages}
}

// pages takes the rows of a read and keeps of each span what a chunk may hold,
// so that memory stays flat however large the rows are.
type pages struct {
	reader   *rowReader
	spans    []page
	rows     [][]outRow // by lane of the request
	maxBytes int
	wasted   int
	err      error
}

type page struct {
	span
	lane  int // in the request
	bytes int
	// cut is the lowest position that was left out, 0 while none was.
	cut int64
}

// errReadTooMuch says that rows are so much larger than the last ones that most
// of a read would be thrown away.
var errReadTooMuch = errors.New("outbox: read outbox rows: they are larger than those before; smaller pages are read from now on")

// maxWasted is how many bytes a read may throw away before it ends.
const maxWasted = 32 << 20

func newPages(request readRequest, maxBytes int) *pages {
	p := &pages{reader: newRowReader(), rows: make([][]outRow, len(request.lanes)), maxBytes: maxBytes}
	for i, want := range request.lanes {
		p.rows[i] = make([]outRow, 0, want.lane.usual)
		for _, s := range want.spans {
			p.spans = append(p.spans, page{span: s, lane: i})
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
	at := &p.spans[ordinal-1]
	if at.bytes > p.maxBytes {
		if at.cut == 0 || row.position < at.cut {
			at.cut = row.position
		}
		if p.wasted += len(columns[columnValue]); p.wasted > maxWasted {
			p.err = errReadTooMuch
		}
		return p.err
	}
	p.reader.copyBytes(&row, columns)
	at.bytes += len(row.value)
	p.rows[at.lane] = append(p.rows[at.lane], row)
	return nil
}

// finish returns the rows in position order, each span up to its cut: whatever
// order the server had, nothing stays that follows something left out.
func (p *pages) finish() [][]outRow {
	for _, s := range p.spans {
		if s.cut > 0 {
			p.rows[s.lane] = slices.DeleteFunc(p.rows[s.lane], func(r outRow) bool { return r.position >= s.cut && r.position <= s.last })
		}
	}
	for _, rows := range p.rows {
		slices.SortFunc(rows, func(a, b outRow) int { return cmp.Compare(a.position, b.position) })
	}
	return p.rows
}

// learn sets what the next read of the lane asks for: as many rows of the size
// of these as fill a chunk.
func (l *lane) learn(rows []outRow, maxEvents, maxBytes int) {
	l.usual = len(rows)
	bytes := 0
	for _, r := range rows {
		bytes += len(r.value)
	}
	if bytes > 0 {
		l.page = min(max(maxBytes*len(rows)/bytes+1, 1), maxEvents)
	}
}

// shrink is for a read that was given up.
func (l *lane) shrink(maxEvents int) { l.page = max(or(l.page, maxEvents)/16, 1) }
