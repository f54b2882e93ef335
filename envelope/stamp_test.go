package envelope_test

import (
	"bytes"
	"testing"
	"time"

	"factline.dev/envelope"
)

func TestStampAddsPublishedAtAndKeepsTheValue(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 2, 8, 15, 30, 485_999_999, time.FixedZone("", 7200))
	value := []byte(`{"eventId":"a"}`)
	stamped := envelope.Stamp(value, at)
	if want := `{"eventId":"a","publishedAt":"2026-07-02T06:15:30.485Z"}`; string(stamped) != want {
		t.Errorf("got %s, want %s", stamped, want)
	}
	if string(value) != `{"eventId":"a"}` {
		t.Errorf("the value changed to %s", value)
	}
	if len(stamped) != len(value)+envelope.StampBytes {
		t.Errorf("%d bytes, want %d more than %d", len(stamped), envelope.StampBytes, len(value))
	}
}

func TestStampingInPlaceTwiceLeavesTheSecondStamp(t *testing.T) {
	t.Parallel()
	value := append(make([]byte, 0, 15+envelope.StampBytes), `{"eventId":"a"}`...)
	var out []byte
	for second := range 2 {
		out = value[:len(value)-1]
		out = append(out, envelope.StampSuffix(time.Unix(int64(second), 0))...)
	}
	if want := envelope.Stamp([]byte(`{"eventId":"a"}`), time.Unix(1, 0)); !bytes.Equal(out, want) {
		t.Errorf("got %s, want %s", out, want)
	}
	if &out[0] != &value[0] {
		t.Error("it was copied")
	}
}
