package outbox

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/contract"
	"factline.dev/envelope"
)

// foreignContracts is a catalogue whose topic asks for CloudEvents.
type foreignContracts struct{ testContracts }

func (c foreignContracts) Route(eventType string, version int, payload []byte) (contract.Route, error) {
	route, err := c.testContracts.Route(eventType, version, payload)
	route.CloudEvents = true
	return route, err
}

// foreignRecord gives a record to the CloudEvents SDK as its Kafka protocols do:
// headers named ce_ are attributes, content-type is the type of the data.
type foreignRecord struct{ *kgo.Record }

var cloudEventSpec = spec.WithPrefix("ce_")

func (r foreignRecord) ReadEncoding() binding.Encoding {
	if r.version() == nil {
		return binding.EncodingUnknown
	}
	return binding.EncodingBinary
}

func (r foreignRecord) version() spec.Version {
	value, _ := r.header(cloudEventSpec.PrefixedSpecVersionName())
	return cloudEventSpec.Version(value)
}

func (r foreignRecord) header(key string) (string, bool) {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value), true
		}
	}
	return "", false
}

func (foreignRecord) ReadStructured(context.Context, binding.StructuredWriter) error {
	return binding.ErrNotStructured
}

func (r foreignRecord) ReadBinary(_ context.Context, to binding.BinaryWriter) error {
	version := r.version()
	for _, h := range r.Headers {
		name, is := strings.CutPrefix(h.Key, "ce_")
		var err error
		switch attribute := version.Attribute(h.Key); {
		case attribute != nil:
			err = to.SetAttribute(attribute, string(h.Value))
		case is:
			err = to.SetExtension(name, string(h.Value))
		case h.Key == "content-type":
			err = to.SetAttribute(version.AttributeFromKind(spec.DataContentType), string(h.Value))
		}
		if err != nil {
			return err
		}
	}
	return to.SetData(bytes.NewReader(r.Value))
}

func (r foreignRecord) GetAttribute(kind spec.Kind) (spec.Attribute, any) {
	attribute := r.version().AttributeFromKind(kind)
	value, ok := r.header(attribute.PrefixedName())
	if !ok {
		return attribute, nil
	}
	return attribute, value
}

func (r foreignRecord) GetExtension(name string) any {
	value, ok := r.header("ce_" + name)
	if !ok {
		return nil
	}
	return value
}

func TestAForeignClientReadsARecordAsACloudEvent(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	b.relay()
	outbox, err := New(Config{Contracts: foreignContracts{testContracts{b.topic}}, Producer: "test-service"})
	if err != nil {
		t.Fatal(err)
	}
	occurred := time.Date(2026, 3, 1, 9, 30, 0, 250e6, time.UTC)
	cause := envelope.Cause{
		TenantID: "tenant_001", CorrelationID: "corr_1", CausationID: "cmd_1",
		Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	err = b.in(func(tx pgx.Tx) error {
		return outbox.Append(envelope.WithCause(t.Context(), cause), tx,
			Event{Type: "ThingHappened", AggregateID: "a/1", OccurredAt: occurred, Payload: thing{ID: "a"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	record := b.records(1)[0]
	read, err := binding.ToEvent(t.Context(), foreignRecord{record})
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Validate(); err != nil {
		t.Fatalf("the SDK refuses it: %v", err)
	}
	ours, err := envelope.DecodeRaw(record.Value)
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"id":          {read.ID(), ours.EventID},
		"source":      {read.Source(), "test-service"},
		"type":        {read.Type(), "ThingHappened"},
		"subject":     {read.Subject(), "a/1"},
		"time":        {read.Time().Format(time.RFC3339Nano), "2026-03-01T09:30:00.25Z"},
		"dataschema":  {read.DataSchema(), ours.SchemaRef},
		"data type":   {read.DataContentType(), "application/json"},
		"data":        {string(read.Data()), string(record.Value)},
		"tenant":      {extension(read.Extensions(), "tenantid"), "tenant_001"},
		"correlation": {extension(read.Extensions(), "correlationid"), "corr_1"},
		"causation":   {extension(read.Extensions(), "causationid"), "cmd_1"},
		"trace":       {extension(read.Extensions(), "traceparent"), cause.Traceparent},
		"key":         {extension(read.Extensions(), "partitionkey"), "a"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
}

func extension(all map[string]any, name string) string {
	text, _ := all[name].(string)
	return text
}

func TestARecordIsNoCloudEventWhereItsTopicDoesNotAsk(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	b.relay()
	b.append(event("a", ""))
	if record := (foreignRecord{b.records(1)[0]}); record.ReadEncoding() != binding.EncodingUnknown || len(record.Headers) > 9 {
		t.Errorf("it carries %v", record.Headers)
	}
}
