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
	if !remove(value, steps("prices.*.net")) || !remove(value, steps("lists.*[].x")) || remove(value, steps("prices.*.net")) {
		t.Error("what is there was not found, or what is not was")
	}
	if got, want := text(value), `{"lists":{"a":[{"y":2}]},"prices":{"a":{"gross":1},"b":{"gross":2}}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := text(only(tree(), []string{"prices.*.gross", "lists.*[].y"})), `{"lists":{"a":[{"y":2}]},"prices":{"a":{"gross":1},"b":{"gross":2}}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPathsLeadIntoListsOfListsAndMapsOfAnyName(t *testing.T) {
	t.Parallel()
	value := map[string]any{
		"grid":   []any{[]any{}, []any{map[string]any{"x": 1, "y": 2}}},
		"prices": map[string]any{"*": map[string]any{"net": 1}, "a": 2},
	}
	for path, want := range map[string]bool{"grid[][].x": true, "grid[].x": false, "prices.*.net": true, "prices.*.gross": false, "prices.*": false, "grid[]": false} {
		if got := remove(value, steps(path)); got != want {
			t.Errorf("%s: removed %t, want %t", path, got, want)
		}
	}
	if len(value["grid"].([]any)[1].([]any)[0].(map[string]any)) != 1 || len(value["prices"].(map[string]any)["*"].(map[string]any)) != 0 {
		t.Errorf("left is %v", value)
	}
}
