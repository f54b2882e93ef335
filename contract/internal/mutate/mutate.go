// Package mutate breaks JSON documents at random, for tests that hold two readers
// against each other.
package mutate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf8"
)

// tree is a JSON value that can be broken in every way: a scalar as it is spelt,
// or a list of members or elements.
type tree struct {
	open   byte // '{', '[' or 0
	scalar string
	names  []string // as spelt, quotes included
	values []*tree
}

func parseTree(text []byte) *tree {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return readTree(d)
}

func readTree(d *json.Decoder) *tree {
	token, err := d.Token()
	if err != nil {
		panic(err)
	}
	open, ok := token.(json.Delim)
	if !ok {
		scalar, _ := json.Marshal(token)
		return &tree{scalar: string(scalar)}
	}
	n := &tree{open: byte(open)}
	for d.More() {
		if open == '{' {
			name, _ := d.Token()
			n.names = append(n.names, fmt.Sprintf("%q", name))
		}
		n.values = append(n.values, readTree(d))
	}
	_, _ = d.Token()
	return n
}

func (n *tree) write(b *bytes.Buffer) {
	if n.open == 0 {
		b.WriteString(n.scalar)
		return
	}
	b.WriteByte(n.open)
	for i, value := range n.values {
		if i > 0 {
			b.WriteByte(',')
		}
		if n.open == '{' {
			b.WriteString(n.names[i] + ":")
		}
		value.write(b)
	}
	b.WriteByte(n.open + 2) // the closing bracket of both
}

func (n *tree) all() []*tree {
	found := []*tree{n}
	for _, value := range n.values {
		found = append(found, value.all()...)
	}
	return found
}

// odd returns values that schemas and readers like to get wrong.
func odd() []string {
	return []string{
		`null`, `true`, `false`, `0`, `-0`, `1`, `1.0`, `1e0`, `10e-1`, `1E+0`, `0.1`, `-1`, `2`, `1.5`, `1e999`, `1e-999`, `1e1000`,
		`999999999999999999`, `1000000000000000000`, `9223372036854775808`, `1000000`, `1000001`, `1000000.0`, `01`, `+1`, `1.`, `.1`, `-`,
		`""`, `"A"`, `"\u0041"`, `"ADD"`, `"\u0041DD"`, `"EUR"`, `"€€€"`, `"😀"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud800x"`,
		`"\u00e4"`, `"é"`, `"\n"`, `"\x"`, `"\u12"`, `"a\/b"`, "\"\n\"", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\x7f\"", `"\u0000"`,
		`"2026-02-29T00:00:00Z"`, `"2024-02-29T23:59:60Z"`, `"2024-02-29T23:59:59.123456789Z"`, `"2024-02-29t23:59:59z"`,
		`"2024-04-31T00:00:00Z"`, `"2024-01-01T24:00:00Z"`, `"2024-01-01T00:00:00+01:00"`, `"2024-01-01T00:00:00.Z"`, `"0000-01-01T00:00:00Z"`,
		`"2024-01-01T+1:00:00Z"`, `"2024-02-30"`, `"2024-12-31"`, `"2024-13-01"`, `"2026\u002d07-02"`, `"2024-01-01Z"`,
		`"12.50"`, `"-12.50"`, `"12.5"`, `"12.50\n"`, `"12.5٣"`, `"A_B"`, `"DE"`, `"dE"`, `{}`, `[]`, `[null]`, `{"":0}`, `[[]]`, `["a","a"]`, `["a","\u0061"]`,
	}
}

// Document changes a valid document once or twice.
func Document(random *rand.Rand, text []byte) []byte {
	root := parseTree(text)
	for range 1 + random.IntN(2) {
		all := root.all()
		mutateTree(random, all[random.IntN(len(all))], root)
	}
	var b bytes.Buffer
	root.write(&b)
	if random.IntN(8) == 0 {
		return mutateBytes(random, b.Bytes())
	}
	return b.Bytes()
}

func mutateTree(random *rand.Rand, n, root *tree) {
	if n.open == 0 || random.IntN(4) == 0 && n != root {
		mutateValue(random, n)
		return
	}
	i := random.IntN(len(n.values) + 1)
	if i == len(n.values) {
		n.insert(i, oddName(random), oddTree(random))
		return
	}
	switch random.IntN(5) {
	case 0:
		n.values = slices.Delete(n.values, i, i+1)
		if n.open == '{' {
			n.names = slices.Delete(n.names, i, i+1)
		}
	case 1:
		n.insert(random.IntN(len(n.values)+1), n.name(i), n.values[i])
	case 2:
		n.insert(random.IntN(len(n.values)+1), respell(random, n.name(i)), oddTree(random))
	case 3:
		if n.open == '{' {
			n.names[i] = respell(random, n.names[i])
		}
	case 4:
		for j := range random.IntN(120) {
			n.insert(len(n.values), fmt.Sprintf(`"x%d"`, j), oddTree(random))
		}
	}
}

func (n *tree) name(i int) string {
	if n.open == '{' {
		return n.names[i]
	}
	return `"x"`
}

func (n *tree) insert(i int, name string, value *tree) {
	n.values = slices.Insert(n.values, i, value)
	if n.open == '{' {
		n.names = slices.Insert(n.names, i, name)
	}
}

func oddName(random *rand.Rand) string {
	return []string{`"x"`, `""`, `"\u0078"`, `"é"`, `"a\nb"`, `"payload"`, "\"\xff\""}[random.IntN(7)]
}

func oddTree(random *rand.Rand) *tree { return &tree{scalar: odd()[random.IntN(len(odd()))]} }

func mutateValue(random *rand.Rand, n *tree) {
	switch random.IntN(12) {
	case 0:
		levels := 50 + random.IntN(20)
		*n = tree{scalar: strings.Repeat("[", levels) + strings.Repeat("]", levels)}
	case 1:
		*n = tree{scalar: `"` + strings.Repeat("ä", random.IntN(2500)) + `"`}
	case 2, 3, 4, 5:
		if n.open == 0 {
			n.scalar = respell(random, n.scalar)
			return
		}
		fallthrough
	default:
		*n = *oddTree(random)
	}
}

// respell writes a scalar otherwise, mostly with the same meaning.
func respell(random *rand.Rand, scalar string) string {
	inner, isText := strings.CutPrefix(scalar, `"`)
	if !isText {
		return scalar + []string{".0", "e0", "E+0", "0", ".5", ""}[random.IntN(6)]
	}
	inner = strings.TrimSuffix(inner, `"`)
	at := random.IntN(len(inner) + 1)
	if at == len(inner) {
		return `"` + inner + []string{"", " ", `\u000a`, "ä", `\ud83d`, "x"}[random.IntN(6)] + `"`
	}
	r, size := utf8.DecodeRuneInString(inner[at:])
	return `"` + inner[:at] + fmt.Sprintf(`\u%04x`, r) + inner[at+size:] + `"`
}

func mutateBytes(random *rand.Rand, text []byte) []byte {
	i := random.IntN(len(text))
	switch random.IntN(4) {
	case 0:
		return text[:i]
	case 1:
		return append(text, " \n,{}x\x00"[random.IntN(7)])
	case 2:
		return slices.Insert(text, i, " \t\"\\{}[],:0-\xff"[random.IntN(13)])
	}
	text[i] = byte(random.IntN(256))
	return text
}
