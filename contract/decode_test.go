package contract

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// ours are the refusals that encoding/json does not know.
var ours = []string{"deeper", "same name twice", "number beyond", "UTF-8", "bytes long"}

func compareJSON(t *testing.T, text []byte) {
	t.Helper()
	got, bad := decodeJSON(text, 1<<20, 64)
	if bad != nil {
		for _, known := range ours {
			if strings.Contains(bad.Message, known) {
				return
			}
		}
		if json.Valid(text) {
			t.Errorf("%q: valid JSON was refused: %s", text, bad.Message)
		}
		return
	}
	if !json.Valid(text) {
		t.Fatalf("%q: invalid JSON was read as %v", text, got)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var want any
	if err := d.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q: got %#v, want %#v, %v", text, got, want, err)
	}
}

func jsonSeeds() []string {
	return []string{
		`{}`, `[]`, `""`, `0`, `-0`, `-`, `01`, `1.`, `.5`, `1.5e3`, `1e`, `1e+`, `1E-2`, `1e1000`, `true`, `tru`, `nul`, `null `,
		` { "a" : [ 1 , "b" , { } ] } `, `{"a":1,}`, `[1,]`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `[1 2]`, `{"a":1,"a":2}`,
		`{"a":1,"\u0061":2}`, `"\n\t\"\\\/\u00e4"`, `"\ud83d\ude00"`, `"\ud800"`, `"\x"`, `"\u12"`, "\"\x01\"", "\"\x7f\"", `"`, `"\"`,
		"\ufeff{}", "[[[[[]]]]]", "{}{}", "\"\xff\"", "", " ", "\x00", "1\x00",
	}
}

func TestTheReaderAgreesWithEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, seed := range jsonSeeds() {
		compareJSON(t, []byte(seed))
	}
}

func TestFaultsNameTheirPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{`{"a": x}`: 6, `[1, 2`: 5, `{"a":1,"a":2}`: 10, `{} {}`: 3} {
		if _, bad := decodeJSON([]byte(text), 1<<20, 64); bad == nil || bad.Offset != want {
			t.Errorf("%s: got %+v, want offset %d", text, bad, want)
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range jsonSeeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) { compareJSON(t, text) })
}
