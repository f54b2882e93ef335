package wire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"factline.dev/contract/wire"
)

// A string ends at the same byte wherever what is special in it stands, among how
// many other bytes.
func TestAStringEndsWhereItShould(t *testing.T) {
	t.Parallel()
	for length := range 40 {
		for at := range length {
			for _, special := range []string{`"`, `\\`, `\"`, `\n`, "\x00", "\x1f", " ", "\x7f", "ü", "\u2028", "!", "#", "[", "]"} {
				checkString(t, strings.Repeat("a", at)+special+strings.Repeat("ü", (length-at)/2))
			}
		}
	}
}

func checkString(t *testing.T, content string) {
	t.Helper()
	text := `"` + content + `" , "behind"`
	var want string
	end := strings.Index(text[1:], `"`) + 2
	if strings.Contains(content, `\"`) {
		end = len(content) + 2
	}
	bad := json.Unmarshal([]byte(text[:end]), &want) != nil
	s := wire.Scanner{Text: []byte(text), MaxDepth: wire.MaxDepth}
	got := s.ReadString()
	switch {
	case bad && s.Fault == nil:
		t.Errorf("%q is read as %q", text[:end], got)
	case !bad && (s.Fault != nil || got != want || s.At != end):
		t.Errorf("%q is read as %q up to %d of %d: %+v", text[:end], got, s.At, end, s.Fault)
	}
}

// Of a small text all strings share one copy, of a large one each is its own, and
// none of them shares the caller's memory.
func TestWhatIsReadIsTheReadersOwn(t *testing.T) {
	t.Parallel()
	read := func(r *wire.Reader) map[string]string {
		return wire.Map(r, nil, func(r *wire.Reader) string { return r.String(nil) })
	}
	var small, large strings.Builder
	for i := range 1000 {
		if i < 20 {
			fmt.Fprintf(&small, `,"name%d":"value %d","esc\u0061ped%d":"a\tb"`, i, i, i)
		}
		fmt.Fprintf(&large, `,"name%d":"value %d"`, i, i)
	}
	for _, text := range []string{"{" + small.String()[1:] + "}", "{" + large.String()[1:] + "}"} {
		var want map[string]string
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		value := []byte(text)
		got, err := wire.Decode(value, read)
		clear(value)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

//nolint:paralleltest // what other tests allocate would count
func TestTheStringsOfASmallTextCostOneAllocation(t *testing.T) {
	text := []byte(`{"a":"one","b":"two","c":"three"}`)
	// one for the reader and one for the copy
	if n := testing.AllocsPerRun(100, func() { _, _ = wire.Decode(text, readStrings) }); n > 2 {
		t.Errorf("%v allocations for three strings", n)
	}
}

func readStrings(r *wire.Reader) (all [3]string) {
	o := r.Object()
	for i := 0; o.Next(); i++ {
		o.Field(uint(i))
		all[i] = r.String(nil)
	}
	return all
}
