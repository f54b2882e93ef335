package wire

import (
	"encoding/json"
	"strconv"
	"time"

	"factline.dev/envelope"
)

// Writer appends the members of one JSON object, in the order of its calls.
type Writer struct {
	buf   []byte
	empty bool
}

// NewWriter begins an object behind b.
func NewWriter(b []byte) *Writer { return &Writer{buf: append(b, '{'), empty: true} }

// End ends the object and returns the bytes.
func (w *Writer) End() []byte { return append(w.buf, '}') }

func (w *Writer) name(name string) {
	if !w.empty {
		w.buf = append(w.buf, ',')
	}
	w.empty = false
	w.buf = append(envelope.AppendString(w.buf, name), ':')
}

// Text writes a string. Broken UTF-8 becomes U+FFFD.
func (w *Writer) Text(name, value string) {
	w.name(name)
	w.buf = envelope.AppendString(w.buf, value)
}

// Time writes an instant as every time of an event is written.
func (w *Writer) Time(name string, value time.Time) { w.Text(name, envelope.FormatTime(value)) }

// Int writes a whole number.
func (w *Writer) Int(name string, value int) {
	w.name(name)
	w.buf = AppendInt(w.buf, value)
}

// Number writes a number as it is spelt, none as 0.
func (w *Writer) Number(name string, value json.Number) {
	w.name(name)
	w.buf = AppendNumber(w.buf, value)
}

// Bool writes true or false.
func (w *Writer) Bool(name string, value bool) {
	w.name(name)
	w.buf = strconv.AppendBool(w.buf, value)
}

// Null writes null.
func (w *Writer) Null(name string) {
	w.name(name)
	w.buf = append(w.buf, "null"...)
}

// Raw writes JSON as it is, none as null.
func (w *Writer) Raw(name string, value json.RawMessage) {
	w.name(name)
	w.buf = AppendRaw(w.buf, value)
}

// Append writes a value that appends itself.
func (w *Writer) Append(name string, value func([]byte) []byte) {
	w.name(name)
	w.buf = value(w.buf)
}

// AppendList appends an array, one of nil as an empty one.
func AppendList[T any](b []byte, all []T, element func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, v := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, v)
	}
	return append(b, ']')
}

// AppendMap appends an object with the names in order.
func AppendMap[T any](b []byte, all map[string]T, element func([]byte, T) []byte) []byte {
	w := NewWriter(b)
	for _, name := range sortedNames(all) {
		w.Append(name, func(b []byte) []byte { return element(b, all[name]) })
	}
	return w.End()
}

// AppendText appends a string.
func AppendText[T ~string](b []byte, value T) []byte { return envelope.AppendString(b, string(value)) }

// AppendTime appends an instant as every time of an event is written.
func AppendTime(b []byte, value time.Time) []byte {
	return envelope.AppendString(b, envelope.FormatTime(value))
}

// AppendNumber appends a number as it is spelt, none as 0.
func AppendNumber(b []byte, value json.Number) []byte {
	if value == "" {
		return append(b, '0')
	}
	return append(b, value...)
}

// AppendRaw appends JSON as it is, none as null.
func AppendRaw(b []byte, value json.RawMessage) []byte {
	if len(value) == 0 {
		return append(b, "null"...)
	}
	return append(b, value...)
}

// AppendInt appends a whole number.
func AppendInt(b []byte, value int) []byte { return strconv.AppendInt(b, int64(value), 10) }

// AppendBool appends true or false.
func AppendBool(b []byte, value bool) []byte { return strconv.AppendBool(b, value) }
