package outbox

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/envelope"
)

// outRow is a row of the outbox as the relay reads it. Its bytes live in the
// slab of its chunk.
type outRow struct {
	position  int64
	createdAt time.Time
	topic     string
	eventType string
	stamped   bool
	eventID   []byte
	key       []byte
	headers   []byte
	value     []byte
}

// chunk is what of a lane is in flight together.
type chunk struct {
	lane   *lane
	first  int64 // lowest position in it
	rows   []outRow
	memory *slab // of rows and sent
	// isRelease is set where the rows were parked before. They stand below high.
	isRelease bool
	// parkedMicros says since when each row of a release was parked.
	parkedMicros map[int64]int64
	// shelf is where the rows of a release come from, empty for parked ones.
	shelf shelf

	// Set by the sender, which leaves in rows what must wait for a later round.
	sent    []sentRow
	parked  []parkedRow
	refused map[string]struct{} // keys of a release that met a culprit again
	failure error               // why rows are left
	// unaccepted are the keys that are left because of their topic or partition.
	unaccepted map[string]error
	retryAt    time.Time
	retries    int
}

type sentRow struct {
	position         int64
	topic, eventType string
	eventID          []byte
	createdAt        time.Time
	partition        int32
	offset           int64
}

type parkedRow struct {
	rowName
	reason    string
	isCulprit bool
	// parkedMicros is when a row of a release was parked before, in microseconds.
	parkedMicros int64
}

// rowName says which row it is, also when its chunk is gone.
type rowName struct {
	position                  int64
	topic, eventType, eventID string
}

func (r outRow) name() rowName {
	return rowName{r.position, r.topic, r.eventType, string(r.eventID)}
}

// behindReason is why an innocent row is parked.
const behindReason = "held behind a parked event of the same key"

// newChunk returns the chunk of rows, which are in position order. No rows give
// no chunk.
func newChunk(l *lane, rows []outRow) *chunk {
	if len(rows) == 0 {
		return nil
	}
	return &chunk{lane: l, first: rows[0].position, rows: rows}
}

// isAside reports whether the rows come from a shelf.
func (c *chunk) isAside() bool { return c.shelf.topic != "" }

// useMemory says where the rows of the chunk live.
func (c *chunk) useMemory(s *slab) { c.memory, c.sent = s, s.sent }

// recordBuffer holds the records of one round and is used again for the next.
type recordBuffer struct {
	records []kgo.Record
	headers []kgo.RecordHeader
}

// reset makes room for a number of records. The client must be done with those
// of the round before.
func (b *recordBuffer) reset(rows int) {
	if cap(b.records) < rows {
		b.records = make([]kgo.Record, 0, rows)
		b.headers = make([]kgo.RecordHeader, 0, rows*9)
	}
	clear(b.records)
	clear(b.headers)
	b.records, b.headers = b.records[:0], b.headers[:0]
}

// add turns rows into Kafka records, published at the time that stamp says. It
// writes the stamp over the last byte of a value, into the room behind it, and
// stamping again replaces it.
func (b *recordBuffer) add(rows []outRow, now time.Time) ([]kgo.Record, error) {
	stamp := envelope.StampSuffix(now)
	first := len(b.records)
	for _, r := range rows {
		from := len(b.headers)
		err := envelope.RangeHeaders(r.headers, func(key string, value []byte) {
			b.headers = append(b.headers, kgo.RecordHeader{Key: key, Value: value})
		})
		if err != nil {
			return nil, err
		}
		value := r.value
		if r.stamped {
			value = value[:len(value)-1]
			value = append(value, stamp...)
		}
		b.records = append(b.records, kgo.Record{
			Topic: r.topic, Key: r.key, Value: value, Timestamp: now,
			Headers: b.headers[from:len(b.headers):len(b.headers)],
		})
	}
	return b.records[first:], nil
}

// receipts groups acknowledged rows by topic, in position order.
func receipts(sent []sentRow) []receipt {
	var all []receipt
	for i, s := range sent {
		at := slices.IndexFunc(all, func(r receipt) bool { return r.topic == s.topic })
		if at < 0 {
			at = len(all)
			all = append(all, newReceipt(s.topic, len(sent)-i))
		}
		r := &all[at]
		r.positions = append(r.positions, s.position)
		r.partitions = append(r.partitions, s.partition)
		r.offsets = append(r.offsets, s.offset)
	}
	return all
}

// receipt is one row of outbox_receipt: where a chunk's rows of one topic stand
// on the log. The arrays are in step, positions ascending.
type receipt struct {
	topic      string
	positions  []int64
	partitions []int32
	offsets    []int64
}

func newReceipt(topic string, rows int) receipt {
	return receipt{
		topic: topic, positions: make([]int64, 0, rows), partitions: make([]int32, 0, rows), offsets: make([]int64, 0, rows),
	}
}
