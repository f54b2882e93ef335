package benchmark

import (
	"strings"
	"testing"
)

type seen struct {
	id, order string
	version   int64
}

func TestALogIsCheckedForLossAndOrder(t *testing.T) {
	t.Parallel()
	ids := []string{"a1", "a2", "a3", "b1"}
	whole := []seen{{"a1", "a", 1}, {"b1", "b", 1}, {"a2", "a", 2}, {"a3", "a", 3}}
	for _, test := range []struct {
		name            string
		log             []seen
		complete, order string // what the errors hold, empty for none
	}{
		{"a whole log in order passes", whole, "", ""},
		{"a repeated old event is no disorder", append(whole[:4:4], seen{"a1", "a", 1}), "", ""},
		{"a missing last event is a loss", whole[:3], "1 of 4 events are missing, among them a3", ""},
		{"a missing middle event is a loss and a jump", []seen{{"a1", "a", 1}, {"b1", "b", 1}, {"a3", "a", 3}}, "among them a2", "version 3 stands after version 1"},
		{"two events of an aggregate the wrong way round are disorder", []seen{{"a2", "a", 2}, {"a1", "a", 1}, {"a3", "a", 3}, {"b1", "b", 1}}, "", "version 2 stands after version 0"},
		{"an event that nobody appended is reported", append(whole[:4:4], seen{"c1", "c", 1}), "5 different events, 4 were appended", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHistory()
			for _, s := range test.log {
				h.observe(s.id, s.order, s.version)
			}
			wantError(t, "completeness", h.checkComplete(ids), test.complete)
			wantError(t, "order", h.checkOrder(), test.order)
		})
	}
}

func wantError(t *testing.T, what string, err error, part string) {
	t.Helper()
	switch {
	case part == "" && err != nil:
		t.Errorf("%s: %v, want no error", what, err)
	case part != "" && (err == nil || !strings.Contains(err.Error(), part)):
		t.Errorf("%s: %v, want an error with %q", what, err, part)
	}
}

func TestATableIsCheckedForEffectsTooFewAndTooMany(t *testing.T) {
	t.Parallel()
	want := map[string]int64{"a": 3, "b": 1}
	for _, test := range []struct {
		name  string
		got   map[string]effects
		error string
	}{
		{"every effect once passes", map[string]effects{"a": {3, 3}, "b": {1, 1}}, ""},
		{"a lost effect is found", map[string]effects{"a": {3, 2}, "b": {1, 1}}, "a has 2 effects of 3 events"},
		{"a doubled effect is found", map[string]effects{"a": {3, 3}, "b": {1, 2}}, "b has 2 effects of 1 events"},
		{"an older version written last is found", map[string]effects{"a": {2, 3}, "b": {1, 1}}, "a is at version 2"},
		{"an order without any effect is found", map[string]effects{"a": {3, 3}}, "b has 0 effects"},
		{"an order that nobody appended is found", map[string]effects{"a": {3, 3}, "b": {1, 1}, "c": {1, 1}}, "3 orders"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantError(t, "table", checkEffects(test.got, want), test.error)
		})
	}
}

func TestTheVersionIsFoundInAValue(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int64{
		`{"aggregateVersion":17,"x":1}`: 17, `{"aggregateVersion":3}`: 3, `{"x":1}`: -1, `{"aggregateVersion":"x"}`: -1, ``: -1,
	} {
		if got := versionOf([]byte(value)); got != want {
			t.Errorf("%s: %d, want %d", value, got, want)
		}
	}
}
