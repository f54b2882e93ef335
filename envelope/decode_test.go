package envelope

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// reference is DecodeRaw as it was: depth first, then encoding/json. Members
// whose name is not exactly one of the sixteen are left out before.
func reference(value []byte) (Raw, error) {
	if err := CheckDepth(value); err != nil {
		return Raw{}, err
	}
	if err := json.Unmarshal(value, new(json.RawMessage)); err != nil {
		return Raw{}, decodeError(err)
	}
	return referenceDecode(exactMembers(value))
}

func referenceDecode(value []byte) (Raw, error) {
	if err := CheckDepth(value); err != nil {
		return Raw{}, err
	}
	var w wire
	if err := json.Unmarshal(value, &w); err != nil {
		return Raw{}, decodeError(err)
	}
	e := Raw(w)
	return e, e.Check()
}

func exactMembers(value []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(value))
	if start, _ := d.Token(); start != json.Delim('{') {
		return value
	}
	known := map[string]bool{}
	for field := range reflect.TypeFor[wire]().Fields() {
		known[field.Tag.Get("json")] = true
	}
	var kept []string
	for d.More() {
		name, _ := d.Token()
		var member json.RawMessage
		if err := d.Decode(&member); err != nil {
			panic(err)
		}
		if name := name.(string); known[name] {
			kept = append(kept, `"`+name+`":`+string(member))
		}
	}
	return []byte("{" + strings.Join(kept, ",") + "}")
}

func decodeError(err error) error {
	var mismatch *json.UnmarshalTypeError
	var parse *time.ParseError
	switch {
	case errors.As(err, &mismatch) && mismatch.Field != "":
		return &DecodeError{Field: mismatch.Field, Reason: "mismatch"}
	case errors.As(err, &parse):
		return &DecodeError{Field: "time", Reason: "no RFC 3339 time"}
	case strings.HasPrefix(err.Error(), "Time.UnmarshalJSON"):
		return &DecodeError{Field: "time", Reason: "no string"}
	}
	return &DecodeError{Field: "value", Reason: describe(err)}
}

type wire struct {
	EventID          string            `json:"eventId"`
	EventType        string            `json:"eventType"`
	EventVersion     int               `json:"eventVersion"`
	OccurredAt       time.Time         `json:"occurredAt"`
	PublishedAt      time.Time         `json:"publishedAt"`
	Producer         string            `json:"producer"`
	TenantID         string            `json:"tenantId"`
	AggregateType    string            `json:"aggregateType"`
	AggregateID      string            `json:"aggregateId"`
	AggregateVersion int64             `json:"aggregateVersion"`
	CorrelationID    string            `json:"correlationId"`
	CausationID      string            `json:"causationId"`
	TraceID          string            `json:"traceId"`
	SchemaRef        string            `json:"schemaRef"`
	Payload          json.RawMessage   `json:"payload"`
	Metadata         map[string]string `json:"metadata"`
}

// difference says how DecodeRaw and the reference differ over value, or "".
func difference(value []byte) string {
	got, gotErr := DecodeRaw(bytes.Clone(value))
	want, wantErr := reference(value)
	switch {
	case (gotErr == nil) != (wantErr == nil):
		return "one refuses it"
	case wantErr == nil && !reflect.DeepEqual(got, want):
		return "the events differ"
	case wantErr == nil:
		return ""
	}
	var problem, wanted *DecodeError
	var limit *LimitError
	switch {
	case errors.As(wantErr, &limit):
		// The reference counts brackets before it looks for errors, so it may
		// see the depth behind a mistake that ends the one pass.
		if !errors.As(gotErr, &limit) && (json.Valid(value) || !errors.As(gotErr, &problem) || problem.Field != "value") {
			return "the limit is not named"
		}
	case !errors.As(gotErr, &problem) || !errors.As(wantErr, &wanted):
		return "the types of the errors differ"
	case wanted.Field == "time":
		// encoding/json gives up at a bad time and forgets what was before it.
	case problem.Field != wanted.Field:
		return "the fields differ"
	case strings.HasPrefix(wanted.Reason, "invalid JSON") && problem.Reason != wanted.Reason:
		return "the places differ"
	}
	return ""
}

type fataler interface {
	Fatalf(format string, args ...any)
}

func sameAsReference(t fataler, value []byte) {
	if how := difference(value); how != "" {
		got, gotErr := DecodeRaw(value)
		want, wantErr := reference(value)
		t.Fatalf("%s: %q\ngives %+v, %v\nwant  %+v, %v", how, value, got, gotErr, want, wantErr)
	}
}

// corpus holds every corner of the grammar where one decoder may differ from
// another.
func corpus(t testing.TB) []string {
	t.Helper()
	whole, err := Encode(captured())
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"", " ", "null", "5", `"x"`, "[]", "{}", "{} x", "{}\x00", "\x00", "\ufeff{}", "{", `{"a"`, `{"a":`, `{"a":1`, "nul", "nulL", "tru", "{}\t\r\n ", "\v{}"}
	for _, member := range []string{
		`"eventId":null`, `"EventID":"x"`, `"eventid":5`, `"event\u0049d":"other"`, `"eventId":"last"`, `"eventId":5`, `"eventId":true`,
		`"eventId":{}`, `"eventId":[1]`, `"eventId":"\ud83d\ude00"`, `"eventId":"\ud800"`, `"eventId":"\ud800\u0041"`, "\"eventId\":\"a\xff\"",
		`"eventId":"\/\b\f\n\r\t\"\\"`, `"eventId":"\x"`, `"eventId":"\u12G4"`, `"eventId":"\u12`, `"eventId":"\`, "\"eventId\":\"\x1f\"", "\"eventId\":\"\x7f\"",
		`"eventId":"` + strings.Repeat("x", 1000) + `"`, `"correlationId":"` + strings.Repeat("é", 1000) + `"`, "\"\xff\":1", "\"eventId\xff\":1",
		`"eventVersion":1.0`, `"eventVersion":1e2`, `"eventVersion":-0`, `"eventVersion":-1`, `"eventVersion":01`, `"eventVersion":+1`, `"eventVersion":-`,
		`"eventVersion":null`, `"eventVersion":"1"`, `"eventVersion":9223372036854775807`, `"eventVersion":9223372036854775808`, `"eventVersion":{}`,
		`"aggregateVersion":-9223372036854775809`, `"aggregateVersion":0`, `"aggregateVersion":[]`, `"x":1.`, `"x":.5`, `"x":1e`, `"x":1e+`, `"x":-1.5E-07`, `"x":0x1`, `"x":00`,
		`"occurredAt":null`, `"occurredAt":5`, `"occurredAt":{}`, `"occurredAt":[[]]`, `"occurredAt":""`, `"occurredAt":"2026-02-29T00:00:00.000Z"`,
		`"occurredAt":"2026-07-02T08:15:30Z"`, `"occurredAt":"2026-07-02T08:15:30.1+02:00"`, `"occurredAt":"2026-07-02T24:00:00.000Z"`, `"occurredAt":"2026-07-02T8:15:30.000Z"`,
		`"occurredAt":"2026-07-02T08:15:30,000Z"`, `"occurredAt":"2026-07-02T08:15:60.000Z"`, `"occurredAt":"2026-07-02T08:15:30.000+24:00"`, `"occurredAt":"2026\u002d07-02T08:15:30.000Z"`,
		`"publishedAt":"0000-01-01T00:00:00.000Z"`, `"publishedAt":"x"`, `"publishedAt":"2026-07-02T08:15:30.123456789123Z"`,
		`"payload":null`, `"payload":5`, `"payload":[]`, `"payload": { "a" : [ 1 , {} ] } `, `"payload":{"a":1,}`, `"payload":{,}`, `"payload":{"a" 1}`, `"payload":{1:2}`, `"payload":[1,]`, `"payload":[1 2]`,
		`"metadata":null`, `"metadata":{}`, `"metadata":{"a":"1","a":"2"}`, `"metadata":{"actorId":null}`, `"metadata":{"a":5,"b":"x"}`, `"metadata":[]`, `"metadata":{"a":{"b":1}}`,
		`"metadata":"x"`, `"metadata":{"\u0061":"\u00e9"}`, `"metadata":{"more":"x"}`, `"metadata":{"a\ud800":"b"}`, `"metadata":{"a":"b"]`, "\"metadata\":{\"actorId\xff\":\"\xff\"}",
		`"x":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1), `"x":` + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), `"x":` + strings.Repeat("[", MaxDepth), `"x":` + strings.Repeat(`{"a":`, MaxDepth),
	} {
		all = append(all, strings.TrimSuffix(string(whole), "}")+","+member+"}", "{"+member+","+string(whole[1:]), "{"+member+"}", "{"+member)
	}
	for cut := range whole {
		all = append(all, string(whole[:cut]), string(whole[:cut])+"\x01"+string(whole[cut+1:]))
	}
	return append(all, string(whole))
}

func TestDecodeRawReadsAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	accepted := 0
	for _, value := range corpus(t) {
		sameAsReference(t, []byte(value))
		if _, err := DecodeRaw([]byte(value)); err == nil {
			accepted++
		}
	}
	if accepted < 20 {
		t.Errorf("only %d of the texts are events; the test shows little", accepted)
	}
}

func TestDecodeRawReadsAnyJSONAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	whole, err := Encode(captured())
	if err != nil {
		t.Fatal(err)
	}
	names := rapid.SampledFrom([]string{
		"eventId", "eventType", "eventVersion", "occurredAt", "publishedAt", "producer", "tenantId", "aggregateType", "aggregateId",
		"aggregateVersion", "correlationId", "causationId", "traceId", "schemaRef", "payload", "metadata", "unknown", "EVENTID",
	})
	values := rapid.SampledFrom([]string{
		`null`, `true`, `""`, `"a"`, `"\u00e9\ud800"`, "\"\xc3\x28\"", `0`, `7`, `-1`, `1.5`, `1e9`, `{}`, `{"a":"b"}`, `{"a":null}`, `{"a":1}`, `[]`, `[1,{"a":[]}]`,
		`"2026-07-02T08:15:30.481Z"`, `"2026-07-02T08:15:30+02:00"`, `{"`, `nul`, `"\`, `[1,]`,
	})
	spaces := rapid.StringOfN(rapid.SampledFrom([]rune(" \t\r\n")), 0, 2, -1)
	rapid.Check(t, func(t *rapid.T) {
		value := string(whole[:len(whole)-1])
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			value += spaces.Draw(t, "space") + "," + spaces.Draw(t, "space") + `"` + names.Draw(t, "name") + `"` +
				spaces.Draw(t, "space") + ":" + spaces.Draw(t, "space") + values.Draw(t, "value")
		}
		sameAsReference(t, []byte(value+spaces.Draw(t, "space")+"}"+rapid.SampledFrom([]string{"", " ", "x", "}"}).Draw(t, "end")))
	})
}

func TestNamesAreComparedExactly(t *testing.T) {
	t.Parallel()
	whole, err := Encode(captured())
	if err != nil {
		t.Fatal(err)
	}
	e, err := DecodeRaw(append(whole[:len(whole)-1], `,"EVENTID":"other","tenantID":5}`...))
	if err != nil || e.EventID != captured().EventID {
		t.Errorf("the event is %q, %v; names in other case are unknown fields", e.EventID, err)
	}
}

func TestAnEventSharesNoMemoryWithItsValue(t *testing.T) {
	t.Parallel()
	value, err := Encode(captured())
	if err != nil {
		t.Fatal(err)
	}
	want, err := DecodeRaw(bytes.Clone(value))
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeRaw(value)
	if err != nil {
		t.Fatal(err)
	}
	for i := range value {
		value[i] = 'x'
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("when the value is overwritten the event becomes %+v", got)
	}
}

func TestABadTimeIsNamed(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"occurredAt", "publishedAt"} {
		for _, text := range []string{`"yesterday"`, `5`, `{}`} {
			var problem *DecodeError
			if _, err := DecodeRaw([]byte(`{"` + field + `":` + text + `}`)); !errors.As(err, &problem) || problem.Field != field {
				t.Errorf("%s as %s gives %v", text, field, err)
			}
		}
	}
}

func FuzzDecodeRawAgainstEncodingJSON(f *testing.F) {
	for _, value := range corpus(f) {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if len(value) <= MaxRecordBytes {
			sameAsReference(t, value)
		}
	})
}

// benchmarkValue is about 1 KiB, most of it payload.
func benchmarkValue(b *testing.B) []byte {
	b.Helper()
	type line struct {
		LineID, SKU, Title string
		Quantity           int
		UnitPriceMinor     int64
	}
	lines := make([]line, 4)
	for i := range lines {
		lines[i] = line{"line_00000001", "SKU-4711-XL", "Cordless drill, 18 V", i + 1, 12_999}
	}
	value, err := Encode(WithPayload(captured(), map[string]any{"orderId": "ord_9f5c0b4a", "currency": "EUR", "lines": lines}))
	if err != nil {
		b.Fatal(err)
	}
	return Stamp(value, time.UnixMilli(1_780_000_000_000))
}

func BenchmarkDecodeRaw(b *testing.B) { benchmarkDecode(b, DecodeRaw) }

// BenchmarkReference is what DecodeRaw was before it read the value in one pass.
func BenchmarkReference(b *testing.B) { benchmarkDecode(b, referenceDecode) }

func benchmarkDecode(b *testing.B, decode func([]byte) (Raw, error)) {
	b.Helper()
	value := benchmarkValue(b)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(value); err != nil {
			b.Fatal(err)
		}
	}
}
