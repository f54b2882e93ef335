package envelope

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type orderCaptured struct {
	OrderID string `json:"orderId"`
}

func captured() Event[orderCaptured] {
	return Event[orderCaptured]{
		EventID: "01JZ9XFKNTZCMA8T2GDF5NJ7HG", EventType: "OrderCaptured", EventVersion: 1,
		OccurredAt: time.Date(2026, 7, 2, 8, 15, 30, 481e6, time.UTC),
		Producer:   "order-service", TenantID: "tenant_001",
		AggregateType: "Order", AggregateID: "ord_9f5c0b4a", AggregateVersion: 3,
		CorrelationID: "corr_5c6df2", CausationID: "evt_1", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
		SchemaRef: "schema://oms.order.events/OrderCaptured/1",
		Payload:   orderCaptured{OrderID: "ord_9f5c0b4a"},
		Metadata:  map[string]string{"actorType": "USER", "actorId": "user_42"},
	}
}

func TestEncodeWritesTheFieldsInOneOrder(t *testing.T) {
	t.Parallel()
	value, err := Encode(captured())
	if err != nil {
		t.Fatal(err)
	}
	value = Stamp(value, time.Date(2026, 7, 2, 8, 15, 31, 2e6, time.FixedZone("", 3600)))
	const want = `{"eventId":"01JZ9XFKNTZCMA8T2GDF5NJ7HG","eventType":"OrderCaptured","eventVersion":1,` +
		`"occurredAt":"2026-07-02T08:15:30.481Z","producer":"order-service","tenantId":"tenant_001",` +
		`"aggregateType":"Order","aggregateId":"ord_9f5c0b4a","aggregateVersion":3,"correlationId":"corr_5c6df2",` +
		`"causationId":"evt_1","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","schemaRef":"schema://oms.order.events/OrderCaptured/1",` +
		`"payload":{"orderId":"ord_9f5c0b4a"},"metadata":{"actorId":"user_42","actorType":"USER"},"publishedAt":"2026-07-02T07:15:31.002Z"}`
	if string(value) != want {
		t.Errorf("got  %s\nwant %s", value, want)
	}
}

func TestWhatIsEncodedDecodesToTheSame(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[ -~]{1,30}|[\pL\pN]{1,30}`).Filter(func(s string) bool { return CheckID("x", s) == nil })
	anything := rapid.String()
	rapid.Check(t, func(t *rapid.T) {
		e := Event[map[string]string]{
			EventID: text.Draw(t, "id"), EventType: text.Draw(t, "type"), EventVersion: rapid.IntRange(1, 99).Draw(t, "version"),
			OccurredAt: time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "at")).UTC(),
			Producer:   text.Draw(t, "producer"), TenantID: text.Draw(t, "tenant"),
			AggregateType: text.Draw(t, "aggregate"), AggregateID: text.Draw(t, "aggregate id"),
			AggregateVersion: rapid.Int64Range(1, 1<<62).Draw(t, "aggregate version"),
			CorrelationID:    text.Draw(t, "correlation"), SchemaRef: text.Draw(t, "ref"),
			Payload:     rapid.MapOfN(anything, anything, 1, 4).Draw(t, "payload"),
			Metadata:    rapid.MapOfN(anything, anything, 1, 4).Draw(t, "metadata"),
			PublishedAt: time.UnixMilli(rapid.Int64Range(1, 4e12).Draw(t, "published")).UTC(),
		}
		value, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode[map[string]string](value)
		if err != nil {
			t.Fatalf("%v in %s", err, value)
		}
		again, err := Encode(got)
		if err != nil || !bytes.Equal(again, value) {
			t.Fatalf("%s\nbecame\n%s (%v)", value, again, err)
		}
		if !reflect.DeepEqual(validUTF8(e), got) {
			t.Fatalf("%+v\nbecame\n%+v", e, got)
		}
	})
}

// validUTF8 replaces what JSON cannot carry, as the encoder does.
func validUTF8(e Event[map[string]string]) Event[map[string]string] {
	clean := func(m map[string]string) map[string]string {
		out := map[string]string{}
		for k, v := range m {
			out[strings.ToValidUTF8(k, "\ufffd")] = strings.ToValidUTF8(v, "\ufffd")
		}
		return out
	}
	e.Payload, e.Metadata = clean(e.Payload), clean(e.Metadata)
	return e
}

func TestDecodeRefusesWhatReadersRequire(t *testing.T) {
	t.Parallel()
	whole, err := Encode(captured())
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(whole, &members); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"eventId", "eventType", "eventVersion", "occurredAt", "producer", "tenantId", "aggregateType", "aggregateId", "payload"} {
		kept := members[field]
		delete(members, field)
		value, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		var problem *DecodeError
		if _, err := DecodeRaw(value); !errors.As(err, &problem) || problem.Field != field {
			t.Errorf("without %s the error is %v", field, err)
		}
		members[field] = kept
	}
	for _, optional := range []string{"aggregateVersion", "correlationId", "causationId", "traceId", "schemaRef", "metadata"} {
		kept := members[optional]
		delete(members, optional)
		value, _ := json.Marshal(members)
		if _, err := DecodeRaw(value); err != nil {
			t.Errorf("a reader must do without %s: %v", optional, err)
		}
		members[optional] = kept
	}
	members["somethingNew"] = json.RawMessage(`{"deep":[1]}`)
	value, _ := json.Marshal(members)
	if _, err := DecodeRaw(value); err != nil {
		t.Errorf("a reader must ignore unknown fields: %v", err)
	}
}

func TestErrorsNeverRepeatTheContent(t *testing.T) {
	t.Parallel()
	const secret = "Jane-Doe-1970"
	for _, value := range []string{
		`{"eventId":` + secret + `}`,
		`{"eventId":{"x":"` + secret + `"}}`,
		`{"eventId":"` + secret + `","occurredAt":"` + secret + `"}`,
		`{"eventId":"` + secret + "\\u0007" + `"}`,
		`"` + secret,
	} {
		_, err := DecodeRaw([]byte(value))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s gives %v", value, err)
		}
	}
}

func TestLimitsAreNamed(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"nesting", CheckDepth([]byte(deep)), "65 levels is over the limit of 64"},
		{"brackets inside a string do not count", CheckDepth([]byte(`"` + deep + `\""`)), ""},
		{"a long id", CheckID("tenantId", strings.Repeat("x", MaxIDBytes+1)), "check tenantId: 201 bytes"},
		{"an id with a control character", CheckID("tenantId", "a\x1b[2Jb"), "do not print"},
		{"many headers", CheckHeaders(make([]Header, MaxHeaders+1)), "65 headers is over the limit"},
		{"large headers", CheckHeaders([]Header{{"x", make([]byte, MaxHeaderBytes)}}), "over the limit of 32768"},
	}
	for _, c := range cases {
		if c.want == "" && c.err != nil || c.want != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, c.err, c.want)
		}
	}
	if _, err := DecodeRaw(make([]byte, MaxRecordBytes+1)); err == nil {
		t.Error("a value without bound is read")
	}
}

func TestHeadersRepeatTheEnvelope(t *testing.T) {
	t.Parallel()
	headers := Headers(captured(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if len(headers) != 9 {
		t.Fatalf("%d headers, want nine", len(headers))
	}
	for key, want := range map[string]string{HeaderEventVersion: "1", HeaderTenantID: "tenant_001", HeaderProducer: "order-service"} {
		if got, _ := HeaderValue(headers, key); string(got) != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestStoredHeadersKeepOrderRepetitionAndNil(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		header := rapid.Custom(func(t *rapid.T) Header {
			return Header{Key: rapid.String().Draw(t, "key"), Value: rapid.SliceOfN(rapid.Byte(), -1, 20).Draw(t, "value")}
		})
		headers := rapid.SliceOf(header).Draw(t, "headers")
		for i := range headers {
			if rapid.Bool().Draw(t, "nil") {
				headers[i].Value = nil
			}
		}
		got, err := DecodeHeaders(EncodeHeaders(headers))
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", headers) && len(headers) > 0 {
			t.Fatalf("%#v became %#v", headers, got)
		}
	})
}

func TestCauseFindsTheTraceID(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": "4bf92f3577b34da6a3ce929d0e0e4736",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01": "",
		"garbage": "",
		"":        "",
	}
	for traceparent, want := range cases {
		if got := (Cause{Traceparent: traceparent}).TraceID(); got != want {
			t.Errorf("%q gives %q, want %q", traceparent, got, want)
		}
	}
}

func FuzzDecodeRaw(f *testing.F) {
	value, err := Encode(captured())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(value)
	f.Add([]byte(`{"payload":{}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := DecodeRaw(value)
		if err != nil {
			return
		}
		again, err := Encode(e)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := DecodeRaw(again); err != nil && len(again) <= MaxRecordBytes {
			t.Fatalf("what was written cannot be read: %v\n%s", err, again)
		}
	})
}

func FuzzDecodeHeaders(f *testing.F) {
	f.Add(EncodeHeaders(Headers(captured(), "x")))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, text []byte) {
		headers, err := DecodeHeaders(text)
		if err != nil {
			return
		}
		again, err := DecodeHeaders(EncodeHeaders(headers))
		if err != nil || len(again) != len(headers) {
			t.Fatalf("%v became %v (%v)", headers, again, err)
		}
	})
}

func ExampleEncode() {
	value, err := Encode(Event[orderCaptured]{
		EventID: "01JZ9XFKNTZCMA8T2GDF5NJ7HG", EventType: "OrderCaptured", EventVersion: 1,
		OccurredAt: time.Date(2026, 7, 2, 8, 15, 30, 0, time.UTC),
		Producer:   "order-service", TenantID: "tenant_001",
		AggregateType: "Order", AggregateID: "ord_1", AggregateVersion: 1,
		Payload: orderCaptured{OrderID: "ord_1"},
	})
	fmt.Println(string(value), err)
	// Output: {"eventId":"01JZ9XFKNTZCMA8T2GDF5NJ7HG","eventType":"OrderCaptured","eventVersion":1,"occurredAt":"2026-07-02T08:15:30.000Z","producer":"order-service","tenantId":"tenant_001","aggregateType":"Order","aggregateId":"ord_1","aggregateVersion":1,"payload":{"orderId":"ord_1"}} <nil>
}
