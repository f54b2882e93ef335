package contract

import (
	"strings"
	"testing"

	"factline.dev/contract/wire"
)

// The quick reading is one of the exact one's, or none.
func FuzzQuickKeyIsTheExactKey(f *testing.F) {
	for _, payload := range []string{
		`{"a":"1","b":"2"}`, `{"b":"2","a":"1"}`, `{"b":"2"}`, `{"b":2,"a":"1"}`, `{"a":null,"b":"2"}`, `{"a":"","b":"2"}`,
		`{"a":"1","a":"2"}`, `{"a":"1","c":{"a":"3"},"d":[1,{"a":"4"}]}`, `{"\u0061":"1"}`, `{"a":"\u00e9\n"}`, `{"a":"1"} x`,
		`{"a":"1","c":nul}`, `["a"]`, `null`, ``, "{\"a\":\"\xff\"}", `{"A":"1","b":"2"}`,
		`{"a":"\ud800"}`, `{"a":"1","b":"\udc00"}`, `{` + manyNames(40) + `,"a":"1","n0":1}`, `{` + manyNames(40) + `,"a":"1","a":"2"}`,
		`{"c":` + strings.Repeat("[", 80) + strings.Repeat("]", 80) + `,"a":"1"}`,
		`{"a":"1","c":"` + strings.Repeat("x", wire.MaxBytes) + `"}`,
	} {
		f.Add([]byte(payload))
	}
	e := &Event{Type: "Tested", Version: 1, Key: []string{"a", "b"}}
	f.Fuzz(func(t *testing.T, payload []byte) {
		quick, sure := e.quickKey(payload)
		exact, err := e.exactKey(payload)
		if sure && (err != nil || quick != exact) {
			t.Errorf("%q: quick %q, exact %q %v", payload, quick, exact, err)
		}
	})
}

func TestAnOrdinaryPayloadNeedsNoSecondReading(t *testing.T) {
	t.Parallel()
	e := &Event{Type: "Tested", Version: 1, Key: []string{"a", "b"}}
	for payload, want := range map[string]string{
		`{"a":"1","b":"2"}`:                   "1",
		`{"b":"2","a":"1"}`:                   "1",
		`{"c":[{"a":"3"}],"b":"2","d":{}}`:    "2",
		`{"a":"\u00e9","metadata":{"a":"x"}}`: "é",
	} {
		if got, sure := e.quickKey([]byte(payload)); got != want || !sure {
			t.Errorf("%s: %q %t, want %q", payload, got, sure, want)
		}
	}
}
