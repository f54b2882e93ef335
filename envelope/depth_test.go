package envelope_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"factline.dev/envelope"
)

// tooDeep looks at every byte, as the rule is written.
func tooDeep(text []byte) bool {
	depth, inString, escaped := 0, false, false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > envelope.MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func TestDepthCountsBracketsOutsideStrings(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", envelope.MaxDepth+1)
	for text, want := range map[string]bool{
		deep:                       true,
		deep[1:]:                   false,
		`{"a":"` + deep + `"}`:     false,
		`{"a":"\"` + deep + `"}`:   false,
		`{"a":"\\"` + deep:         true,
		`{"a":"\\\"` + deep + `"}`: false,
		`"never closed ` + deep:    false,
		`""""` + deep:              true,
		`\"` + deep + `"` + deep:   true,
		"":                         false,
	} {
		if got := envelope.CheckDepth([]byte(text)) != nil; got != want {
			t.Errorf("%.40q: too deep %v, want %v", text, got, want)
		}
	}
}

func TestDepthIsTheSameAsByteByByte(t *testing.T) {
	t.Parallel()
	const alphabet = `[[[[{{"\\]}a`
	random := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 20_000 {
		text := make([]byte, random.IntN(400))
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		want := tooDeep(text)
		if want {
			found++
		}
		if got := envelope.CheckDepth(text) != nil; got != want {
			t.Fatalf("%q: too deep %v, want %v", text, got, want)
		}
	}
	if found == 0 {
		t.Error("no random text was too deep; the test shows nothing")
	}
}
