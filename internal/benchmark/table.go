package benchmark

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteJSON writes one object per result and line.
func WriteJSON(w io.Writer, results []Result) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, r := range results {
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// ReadJSON reads what [WriteJSON] wrote.
func ReadJSON(r io.Reader) ([]Result, error) {
	var all []Result
	for decoder := json.NewDecoder(bufio.NewReader(r)); ; {
		var one Result
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("benchmark: read result %d: %w; give it what \"factline bench --json\" wrote", len(all)+1, err)
		}
		all = append(all, one)
	}
}

// WriteText writes a table for people.
func WriteText(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "BENCHMARK\tSUBJECT\tMEDIAN\tMIN\tMAX\tUNIT\tRUNS")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", r.Benchmark, r.Subject, number(r.Median), number(r.Min), number(r.Max), r.Unit, r.Runs)
	}
	return t.Flush()
}

// number keeps three digits that mean something.
func number(v float64) string {
	switch {
	case v >= 1000:
		return thousands(int64(v + 0.5))
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func thousands(n int64) string {
	digits := fmt.Sprint(n)
	var out []byte
	for i, d := range []byte(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out = append(out, ',')
		}
		out = append(out, d)
	}
	return string(out)
}

// plots is the folder of the pictures, beside the document.
const plots = "plots"

// Markdown returns the conditions, the aims, and a table and the pictures per
// benchmark.
func Markdown(results []Result) string {
	if len(results) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(results[0].Conditions.markdown())
	b.WriteString(aimsMarkdown(results))
	var names []string
	for _, r := range results {
		if !slices.Contains(names, r.Benchmark) {
			names = append(names, r.Benchmark)
		}
	}
	for _, name := range names {
		fmt.Fprintf(&b, "\n### %s\n\n| subject | median | min | max | unit | events a run | what it does |\n| --- | ---: | ---: | ---: | --- | ---: | --- |\n", name)
		for _, r := range results {
			if r.Benchmark == name {
				b.WriteString(r.markdown())
			}
		}
		for _, p := range pictures(results) {
			if p.benchmark == name {
				fmt.Fprintf(&b, "\n![%s](%s/%s)\n", strings.TrimSuffix(p.file, ".svg"), plots, p.file)
			}
		}
	}
	return b.String()
}

func (r Result) markdown() string {
	events := ""
	if r.Events > 0 {
		events = thousands(int64(r.Events))
	}
	about := r.About
	if n := r.Detail["aggregates_out_of_order"]; n > 0 {
		about += fmt.Sprintf(" (%s aggregates out of order on the log)", thousands(int64(n)))
	}
	return fmt.Sprintf("| %#q | %s | %s | %s | %s | %s | %s |\n", r.Subject, number(r.Median), number(r.Min), number(r.Max), r.Unit, events, about)
}

func (c Conditions) markdown() string {
	var settings []string
	for name, value := range c.Settings {
		settings = append(settings, name+"="+value)
	}
	slices.Sort(settings)
	at := c.At.Format("2006-01-02 15:04 UTC")
	if c.Revision != "" {
		at += ", revision " + c.Revision[:min(len(c.Revision), 12)]
	}
	return fmt.Sprintf(`- Measured %s on %d CPUs (%s) that database, broker and subject share; %s.
- PostgreSQL %s: %s.
- %s, %d broker, acks=%s, %s. Replication: %s.
- Events of %d bytes, %s aggregates, %d partitions.
`, at, c.CPUs, c.OS, c.Go, c.Postgres, strings.Join(settings, ", "), c.Kafka, c.Brokers, c.Acks, c.Compression, c.Replication,
		c.EventBytes, thousands(int64(c.Aggregates)), c.Partitions)
}

// Markers of the part of a document that [Render] writes.
const (
	BeginMarker = "<!-- bench:begin -->"
	EndMarker   = "<!-- bench:end -->"
)

// Render replaces what stands between the markers of a document.
func Render(document []byte, results []Result) ([]byte, error) {
	before, rest, found := bytes.Cut(document, []byte(BeginMarker))
	_, after, ended := bytes.Cut(rest, []byte(EndMarker))
	if !found || !ended {
		return nil, fmt.Errorf("benchmark: render: the document lacks %s or %s; add both where the tables belong", BeginMarker, EndMarker)
	}
	return slices.Concat(before, []byte(BeginMarker+"\n"+Markdown(results)), []byte(EndMarker), after), nil
}

// RenderFile is [Render] on a file, and draws the pictures beside it.
func RenderFile(path string, results []Result) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("benchmark: render: %w", err)
	}
	if document, err = Render(document, results); err != nil {
		return fmt.Errorf("%w (%s)", err, path)
	}
	if err := drawBeside(path, results); err != nil {
		return fmt.Errorf("benchmark: draw: %w", err)
	}
	return os.WriteFile(path, document, 0o644)
}

func drawBeside(path string, results []Result) error {
	folder := filepath.Join(filepath.Dir(path), plots)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, p := range pictures(results) {
		if err := os.WriteFile(filepath.Join(folder, p.file), p.svg(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
