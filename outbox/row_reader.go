package outbox

import (
	"encoding/binary"
	"errors"
	"time"

	"factline.dev/envelope"
)

// rowReader turns the wire form of read.sql's rows into outRows. The relay
// reads more rows than anything else in a service, so values are copied once,
// into the slab of their chunk, and names that repeat are kept once.
type rowReader struct{ names map[string]string }

func newRowReader() *rowReader { return &rowReader{names: map[string]string{}} }

// errRowForm can only come from a driver that no longer speaks the binary
// format for these types.
var errRowForm = errors.New("outbox: read outbox rows: the server's row form is not the binary one")

// The places of position, record key and value among the columns of read.sql:
// ordinal, position, created_at, topic, event_type, event_id, stamped,
// record_key, headers, value.
const columnPosition, columnKey, columnValue = 1, 7, 9

func bigint(column []byte) int64 { return int64(binary.BigEndian.Uint64(column)) }

// read takes everything but id, key, headers and value.
func (r *rowReader) read(columns [][]byte) (ordinal int, row outRow, err error) {
	if len(columns) != columnValue+1 || len(columns[0]) != 4 || len(columns[1]) != 8 || len(columns[2]) != 8 || len(columns[6]) != 1 {
		return 0, outRow{}, errRowForm
	}
	return int(binary.BigEndian.Uint32(columns[0])), outRow{
		position:  bigint(columns[columnPosition]),
		createdAt: postgresTime(columns[2]),
		topic:     r.name(columns[3]),
		eventType: r.name(columns[4]),
		stamped:   columns[6][0] == 1,
	}, nil
}

// copyBytes takes the rest. A value that is to be stamped gets the room for it,
// so that stamping copies nothing.
func (s *slab) copyBytes(row *outRow, columns [][]byte) {
	row.eventID = s.copy(columns[5], 0)
	row.key = s.copy(columns[columnKey], 0)
	row.headers = s.copy(columns[8], 0)
	room := 0
	if row.stamped {
		room = envelope.StampBytes
	}
	row.value = s.copy(columns[columnValue], room)
}

// postgresTime reads a timestamptz: microseconds since 2000-01-01.
func postgresTime(column []byte) time.Time {
	const epoch2000 = 946684800
	micros := bigint(column)
	return time.Unix(epoch2000, 0).Add(time.Duration(micros) * time.Microsecond)
}

func (r *rowReader) name(column []byte) string {
	if known, ok := r.names[string(column)]; ok {
		return known
	}
	name := string(column)
	r.names[name] = name
	return name
}
