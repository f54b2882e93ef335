package compat

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// ruleCase is a row of a table in testdata: what changes, the two schemas, and
// the verdicts for new readers of old events and for old readers of new events.
type ruleCase struct {
	name, old, next   string
	backward, forward Verdict
}

func readCases(t *testing.T, file string) []ruleCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]Verdict{"ok": Compatible, "break": Breaking, "unknown": Unknown}
	var cases []ruleCase
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		parts := strings.Split(line, " | ")
		if len(parts) != 4 {
			t.Fatalf("%s:%d: it has %d columns", file, i+1, len(parts))
		}
		backward, forward, _ := strings.Cut(parts[3], " ")
		c := ruleCase{parts[0], parts[1], parts[2], verdicts[backward], verdicts[forward]}
		if c.backward == "" || c.forward == "" {
			t.Fatalf("%s:%d: %q are no two verdicts", file, i+1, parts[3])
		}
		cases = append(cases, c)
	}
	return cases
}

func mustParse(t testing.TB, text string) *Schema {
	t.Helper()
	s, err := Parse("test", []byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func TestEveryRuleInBothDirections(t *testing.T) {
	t.Parallel()
	var golden strings.Builder
	for _, c := range readCases(t, "rules.txt") {
		old, next := mustParse(t, c.old), mustParse(t, c.next)
		fmt.Fprintf(&golden, "%s\n", c.name)
		for _, way := range []struct {
			direction Direction
			want      Verdict
		}{{Backward, c.backward}, {Forward, c.forward}} {
			r := Compare(t.Context(), old, next, Options{Direction: way.direction})
			if r.Verdict != way.want {
				t.Errorf("%s, %s: %s, want %s: %s", c.name, way.direction, r.Verdict, way.want, r.Reason)
			}
			from, to := old, next
			if way.direction == Forward {
				from, to = next, old
			}
			if r.Verdict == Breaking && !isWitness(from, to, r.Witness) {
				t.Errorf("%s, %s: %s is no witness", c.name, way.direction, r.Witness)
			}
			for _, f := range r.Findings {
				fmt.Fprintf(&golden, "  %s %s: %s %s\n", f.Verdict, f.Rule, f.Message, f.Witness)
			}
		}
	}
	compareGolden(t, "rules.golden", golden.String())
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is out of date; look at the difference and run with -update\n%s", file, got)
	}
}
