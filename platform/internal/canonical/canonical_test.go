package canonical_test

import (
	"testing"

	"factline.dev/platform/internal/canonical"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   any
		want string
	}{
		{"members are sorted", map[string]any{"b": 1, "a": "x"}, `{"a":"x","b":1}`},
		{"a struct loses its field order", struct {
			Z string `json:"z"`
			A []int  `json:"a"`
		}{"q", []int{2, 1}}, `{"a":[2,1],"z":"q"}`},
		// RFC 8785 section 3.2.3, its own example of the order of names.
		{"names sort by UTF-16 code units", map[string]any{
			"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
			"1": "One", "\U0001f600": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis",
		}, `{"\r":"Carriage Return","1":"One","` + "\u0080" + `":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","😀":"Emoji: Grinning Face","` + "\ufb33" + `":"Hebrew Letter Dalet With Dagesh"}`},
		{"only what must be escaped is", "<a>&\u2028\"\\\b\f\n\r\t\x0f/", "\"<a>&\u2028\\\"\\\\\\b\\f\\n\\r\\t\\u000f/\""},
		{"literals stay", []any{true, false, nil}, `[true,false,null]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := canonical.JSON(c.in)
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestFractionsAreRefused(t *testing.T) {
	t.Parallel()
	for _, v := range []any{1.5, 1e30, int64(1) << 53} {
		if text, err := canonical.JSON(v); err == nil {
			t.Errorf("%v is written as %s", v, text)
		}
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	got, err := canonical.Hash(map[string]any{})
	const want = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	if err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}
