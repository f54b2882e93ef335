package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// promise is a section of the guide of guarantees.
type promise struct{ id, title, text string }

func promises() []promise {
	return []promise{
		{"loss", "A committed event is never lost", "It reaches the log at least once, normally once, and every consumer that is to have its effect."},
		{"order", "Events of one aggregate keep their order", "On the log first occurrences, and in every ordered consumer effects, are in the order of `aggregateVersion`: through concurrency, broker rejections, crashes, retries, dead letters and redrives."},
		{"once", "An effect happens once", "In a consumer's own database, per event and consumer."},
		{"contract", "A contract changes only as its readers can bear", "What a check lets pass hurts no declared reader, unless somebody answers for it until a day."},
	}
}

const guaranteesHead = `<!-- Made by internal/docgen from mutants/; do not edit. -->
# Guarantees and their tests

Each line is something that goes wrong in systems of this kind, what holds here
instead, and the test that stands for it. The patch takes the remedy out:
` + "`make mutants`" + ` applies each to a copy of the tree and expects its test to turn red.
Calls to other systems (package effect) have no patches yet; their tests are in
` + "`effect/*_test.go`" + `. Beside these stand the proofs: ` + "`factline prove slice`, `kills` and `storm`" + `.
`

// renderGuarantees joins the list of pitfalls with the lists of mutants.
func renderGuarantees(root string) ([]byte, error) {
	pitfalls, err := readTable(filepath.Join(root, "mutants", "pitfalls.txt"), 3)
	if err != nil {
		return nil, err
	}
	mutants, err := readMutants(filepath.Join(root, "mutants"))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(guaranteesHead)
	for _, p := range promises() {
		fmt.Fprintf(&b, "\n## %s\n%s\n\n| # | what holds | test | patch |\n| --- | --- | --- | --- |\n", p.title, p.text)
		for _, row := range pitfalls {
			if row[1] != p.id {
				continue
			}
			if len(mutants[row[0]]) == 0 {
				return nil, fmt.Errorf("docgen: render guarantees: pitfall %s has no line in mutants/*.tsv; add its patch and test", row[0])
			}
			writePitfall(&b, row, mutants[row[0]])
			delete(mutants, row[0])
		}
	}
	for row := range mutants {
		return nil, fmt.Errorf("docgen: render guarantees: row %s of mutants/*.tsv is not in mutants/pitfalls.txt, or its promise is unknown; add it", row)
	}
	return b.Bytes(), nil
}

func writePitfall(b *bytes.Buffer, row []string, mutants [][]string) {
	var tests, patches []string
	for _, m := range mutants {
		names := strings.NewReplacer("^(", "", ")$", "").Replace(m[3])
		for name := range strings.SplitSeq(names, "|") {
			if test := "`" + strings.TrimPrefix(m[2], "./") + "` " + name; !slices.Contains(tests, test) {
				tests = append(tests, test)
			}
		}
		patches = append(patches, fmt.Sprintf("[%s](../../mutants/%s)", strings.TrimSuffix(m[1], ".patch"), m[1]))
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s |\n", row[0], row[2], strings.Join(tests, "<br>"), strings.Join(patches, "<br>"))
}

// readMutants returns the lines of all lists by their row.
func readMutants(folder string) (map[string][][]string, error) {
	lists, err := filepath.Glob(filepath.Join(folder, "*.tsv"))
	if err != nil {
		return nil, fmt.Errorf("docgen: find the lists of mutants: %w", err)
	}
	byRow := make(map[string][][]string)
	for _, list := range lists {
		lines, err := readTable(list, 4)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			byRow[l[0]] = append(byRow[l[0]], l)
		}
	}
	return byRow, nil
}

// readTable reads lines of fields that tabs separate, without comments.
func readTable(path string, fields int) (lines [][]string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("docgen: read %s: %w", path, err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		found := strings.Split(line, "\t")
		if len(found) != fields {
			return nil, fmt.Errorf("docgen: read %s: %q has %d fields, want %d separated by tabs", path, line, len(found), fields)
		}
		lines = append(lines, found)
	}
	return lines, nil
}
