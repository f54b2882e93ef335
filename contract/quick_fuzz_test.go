package contract

import "testing"

// FuzzQuickEvent holds the shapes of the platform's events to the verdict of the
// validator.
func FuzzQuickEvent(f *testing.F) {
	events := platformEvents(f)
	for i, e := range events {
		for _, x := range e.Examples {
			f.Add(uint8(i), x.Value)
			f.Add(uint8(i), compact(x.Value))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		e := events[int(which)%len(events)]
		compare(t, e.schema, e.shape, text)
	})
}

// FuzzQuickSchema does the same for any schema, as text.
func FuzzQuickSchema(f *testing.F) {
	for _, tt := range shapeCases() {
		for _, value := range append(lines(tt.sure), lines(tt.unsure)...) {
			f.Add(tt.schema, []byte(value))
		}
	}
	f.Fuzz(func(t *testing.T, text string, value []byte) {
		if schema, err := compileText(text); err == nil {
			compare(t, schema, shapeOf(schema), value)
		}
	})
}
