package contracttest

import (
	"encoding/json"
	"testing"
)

func TestPathsLeadIntoMaps(t *testing.T) {
	t.Parallel()
	tree := func() (value any) {
		if err := json.Unmarshal([]byte(`{"prices":{"a":{"gross":1},"b":{"gross":2,"net":3}},"lists":{"a":[{"x":1,"y":2}]}}`), &value); err != nil {
			t.Fatal(err)
		}
		return value
	}
	text := func(value any) string {
		out, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	value := tree()
	if !remove(value, []string{"prices", "*", "net"}) || !remove(value, []string{"lists", "*[]", "x"}) || remove(value, []string{"prices", "*", "net"}) {
		t.Error("what is there was not found, or what is not was")
	}
	if got, want := text(value), `{"lists":{"a":[{"y":2}]},"prices":{"a":{"gross":1},"b":{"gross":2}}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := text(only(tree(), []string{"prices.*.gross", "lists.*[].y"})), `{"lists":{"a":[{"y":2}]},"prices":{"a":{"gross":1},"b":{"gross":2}}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
