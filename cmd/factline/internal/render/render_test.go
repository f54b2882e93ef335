package render_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"factline.dev/cmd/factline/internal/render"
)

func TestSafe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"ordinary text of any script stays", "Müller 株式会社 Ω", "Müller 株式会社 Ω"},
		{"a colour sequence is shown, not obeyed", "a\x1b[31mb", `a\x1b[31mb`},
		{"a C1 control is shown", "a\u009bb", `a\u009bb`},
		{"a right-to-left override is shown", "a\u202etxt.exe", `a\u202etxt.exe`},
		{"an isolate is shown", "\u2066x\u2069", `\u2066x\u2069`},
		{"a zero-width space is shown", "pay\u200bpal", `pay\u200bpal`},
		{"a tag character is shown", "x\U000e0041", `x\U000e0041`},
		{"line breaks and tabs are shown", "a\nb\tc\r", `a\nb\tc\x0d`},
		{"a line separator is shown", "a\u2028b", `a\u2028b`},
		{"a broken byte is shown", "a\xffb", `a\xffb`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := render.Safe(tt.in); got != tt.want {
				t.Errorf("Safe(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
	if got := render.SafeLines("a\nb\x1b"); got != "a\nb\\x1b" {
		t.Errorf("SafeLines = %q", got)
	}
}

func TestSafeLeavesNothingThatMovesACursor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		got := render.Safe(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text"))
		for _, r := range got {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar {
				t.Fatalf("%q holds %U", got, r)
			}
		}
	})
}

func TestJSONIsSafeAndKeepsTheText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text") + "\u202e\x1b\u007f\u009b\U000e0041<&>"
		var b bytes.Buffer
		if err := render.JSON(&b, map[string]string{"text": text}); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.String() {
			if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Fatalf("%q holds %U", b.String(), r)
			}
		}
		var back map[string]string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || back["text"] != text {
			t.Fatalf("%q came back as %q (%v)", text, back["text"], err)
		}
	})
}

func TestTable(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 2, 8, 15, 30, 481e6, time.FixedZone("", 3600))
	table := render.NewTable("NAME", "COUNT", "AGE", "AT", "NOTE")
	table.Row("quote-service", 12, 3*time.Second, at, "")
	table.Row("é\x1b", int64(1234), nil, &at, "last")
	table.Row("short")
	var b strings.Builder
	if _, err := table.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	want := `NAME           COUNT  AGE   AT                        NOTE
quote-service  12     3.0s  2026-07-02T07:15:30.481Z  -
é\x1b          1234   -     2026-07-02T07:15:30.481Z  last
short
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestTableOfNumbers(t *testing.T) {
	t.Parallel()
	table := render.NewTable("LAG", "COMMITTED", "X")
	table.Row(5, nil, nil)
	table.Row(12345, int64(7), nil)
	var b strings.Builder
	if _, err := table.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if want := "  LAG  COMMITTED  X\n    5          -  -\n12345          7  -\n"; b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestDurationBytesAndCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 findings", 1: "1 finding", 2: "2 findings"} {
		if got := render.Count(n, "finding"); got != want {
			t.Errorf("Count(%d) = %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0ms", 340 * time.Millisecond: "340ms", 2400 * time.Millisecond: "2.4s", 185 * time.Second: "3m05s",
		130 * time.Minute: "2h10m", 99 * time.Hour: "4d3h", 365 * 24 * time.Hour: "365d", -time.Second: "-1.0s",
	} {
		if got := render.Duration(d); got != want {
			t.Errorf("Duration(%s) = %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 256 << 20: "256.0 MiB"} {
		if got := render.Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %s, want %s", n, got, want)
		}
	}
}
