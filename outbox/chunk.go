package outbox

import (
	"time"

	"factline.dev/envelope"
	"github.com/twmb/franz-go/pkg/kgo"
)

// outRow is a row of the outbox as the relay reads it. Its bytes live in an
// arena of its read.
type outRow struct {
	position  int64
	createdAt time.Time
	topic     string
	eventType string
	eventID   string
	stamped   bool
	key       []byte
	headers   []byte
	value     []byte
}

// chunk is what of a lane is in flight together.
type chunk struct {
	lane  *lane
	first int64 // lowest position in it
	rows  []outRow

	// Set by the sender, which leaves in rows what must wait for a later round.
	sent      []sentRow
	parked    []parkedRow
	failure   error // why rows are left
	retryAt   time.Time
	retries   int
	startedAt time.Time
}

type sentRow struct {
	position           int64
	topic              string
	eventType, eventID string
	createdAt          time.Time
	partition          int32
	offset             int64
}

type parkedRow struct {
	outRow
	reason    string
	isCulprit bool
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

// records turns rows into Kafka records, published now.
func records(rows []outRow, now time.Time) ([]*kgo.Record, error) {
	backing := make([]kgo.Record, len(rows))
	out := make([]*kgo.Record, len(rows))
	headers := make([]kgo.RecordHeader, 0, len(rows)*9)
	for i, r := range rows {
		from := len(headers)
		err := envelope.RangeHeaders(r.headers, func(key string, value []byte) {
			headers = append(headers, kgo.RecordHeader{Key: key, Value: value})
		})
		if err != nil {
			return nil, err
		}
		value := r.value
		if r.stamped {
			value = envelope.Stamp(value, now)
		}
		backing[i] = kgo.Record{
			Topic: r.topic, Key: r.key, Value: value, Timestamp: now,
			Headers: headers[from:len(headers):len(headers)],
		}
		out[i] = &backing[i]
	}
	return out, nil
}

// receipts groups acknowledged rows by topic, in position order.
func receipts(sent []sentRow) []receipt {
	byTopic := map[string]int{}
	var all []receipt
	for _, s := range sent {
		at, ok := byTopic[s.topic]
		if !ok {
			at = len(all)
			byTopic[s.topic] = at
			all = append(all, receipt{topic: s.topic})
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
