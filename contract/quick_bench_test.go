package contract

import "testing"

// BenchmarkValidate compares the walk over the bytes, by the shape, with the
// reading and validating of values that it saves.
func BenchmarkValidate(b *testing.B) {
	for _, e := range platformEvents(b) {
		if e.Type != "OrderCaptured" {
			continue
		}
		full, _ := e.Example("full")
		b.Run("1KB/shape", func(b *testing.B) { benchmarkShape(b, e, benchmarkEvent(b)) })
		b.Run("1KB/validator", func(b *testing.B) { benchmarkValidator(b, e, benchmarkEvent(b)) })
		b.Run("full/shape", func(b *testing.B) { benchmarkShape(b, e, full.Value) })
		b.Run("full/validator", func(b *testing.B) { benchmarkValidator(b, e, full.Value) })
	}
}

func benchmarkShape(b *testing.B, e *Event, text []byte) {
	b.Helper()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if !e.shape.accepts(text) {
			b.Fatal("not accepted")
		}
	}
}

func benchmarkValidator(b *testing.B, e *Event, text []byte) {
	b.Helper()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if !valid(e.schema, text) {
			b.Fatal("not valid")
		}
	}
}
