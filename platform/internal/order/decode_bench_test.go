package order

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/platform/contracts"
)

// BenchmarkDecode reads and checks an event of 1 KB: by the generated code, by the
// catalogue's validation and a decoder, and by the plain libraries. With
// GOEXPERIMENT=jsonv2 encoding/json is version 2 inside.
func BenchmarkDecode(b *testing.B) {
	text, err := os.ReadFile("../../../contract/testdata/order_captured_1k.json")
	if err != nil {
		b.Fatal(err)
	}
	catalogue, err := contract.Load(contracts.FS())
	if err != nil {
		b.Fatal(err)
	}
	e, _ := catalogue.Event("OrderCaptured", 1)
	type plain struct {
		OrderID       string `json:"orderId"`
		QuoteID       string `json:"quoteId"`
		CustomerID    string `json:"customerId"`
		CapturedAt    string `json:"capturedAt"`
		Currency      string `json:"currency"`
		Totals        map[string]string
		LineSummaries []map[string]string `json:"lineSummaries"`
		Hash          string              `json:"commercialSnapshotHash"`
	}
	for name, read := range map[string]func() error{
		"generated: check and decode": func() error { _, err := decodeOrderCaptured(text); return err },
		"catalogue: check, envelope.Decode": func() error {
			if err := catalogue.Validate("OrderCaptured", 1, text); err != nil {
				return err
			}
			_, err := envelope.Decode[plain](text)
			return err
		},
		"libraries: decode alone": func() error {
			var v struct{ Payload plain }
			return json.Unmarshal(text, &v)
		},
		"libraries: check alone": func() error { return plainValidator(e.Schema(), text) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func plainValidator(schema *jsonschema.Schema, text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	return schema.Validate(v)
}
