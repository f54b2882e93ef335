package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"factline.dev/contract/wire"
	"factline.dev/envelope"
)

type leaf struct{ name string }

func readLeaf(r *wire.Reader) (v leaf) {
	o := r.Object()
	for o.Next() {
		switch string(o.Name()) {
		case "name":
			o.Field(0)
			v.name = r.String(&wire.Text{OneOf: []string{"A"}})
		default:
			o.Skip()
		}
	}
	o.End("name")
	return v
}

func TestAFaultNamesTheFieldAndNothingElse(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range 2 * wire.MaxFields {
		fmt.Fprintf(&many, `"n%d":1,`, i)
	}
	for _, tt := range []struct{ name, text, field, reason string }{
		{"a value that is not allowed", `{"name":"secret"}`, "name", "must be one of A"},
		{"a name with an escape", `{"n\u0061me":"secret"}`, "name", "must be one of A"},
		{"nothing", `{}`, "name", "is required"},
		{"another type", `{"name":{"secret":1}}`, "name", "must be string"},
		{"no object", `[]`, "value", "must be object"},
		{"a name twice", `{"name":"A","n\u0061me":"A"}`, "value", "has the same name twice in an object"},
		{"an unknown name twice", `{"name":"A","secret":1,"secret":2}`, "value", "has the same name twice in an object"},
		{"an unknown name twice among many", `{"name":"A",` + many.String() + `"n\u0030":1}`, "value", "has the same name twice in an object"},
		{"too deep", `{"x":` + strings.Repeat("[", wire.MaxDepth) + strings.Repeat("]", wire.MaxDepth) + `}`, "value", "nests deeper than 64 levels"},
		{"too long a number", `{"x":` + strings.Repeat("1", wire.MaxNumberLength+1) + `}`, "value", "holds a number beyond what an event may carry"},
		{"broken UTF-8", "{\"name\":\"\xff\"}", "value", "is not valid UTF-8"},
		{"more behind it", `{"name":"A"} {}`, "value", "holds more after its first JSON value"},
		{"half of it", `{"name":"A"`, "value", "is not valid JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := wire.Decode([]byte(tt.text), readLeaf)
			var fault *envelope.DecodeError
			if !errors.As(err, &fault) || fault.Field != tt.field || fault.Reason != tt.reason || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want %s: %s", err, tt.field, tt.reason)
			}
		})
	}
	if v, err := wire.Decode([]byte(`{"x":{"name":2},"name":"A"}`), readLeaf); err != nil || v.name != "A" {
		t.Errorf("got %+v, %v", v, err)
	}
}
