package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"factline.dev/bench/plot"
	"factline.dev/internal/benchmark"
)

// render writes the tables of saved results into a document, and a picture for
// each benchmark beside it.
func render(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("bench: render wants RESULTS and DOCUMENT (%d arguments given); type: go run . render results.jsonl README.md", len(args))
	}
	file, err := os.Open(args[0])
	if err != nil {
		return fmt.Errorf("bench: open the results: %w; make them with: go run . --json > %s", err, args[0])
	}
	defer func() { _ = file.Close() }()
	results, err := benchmark.ReadJSON(file)
	if err != nil {
		return err
	}
	if err := benchmark.RenderFile(args[1], results); err != nil {
		return err
	}
	drawn := map[string]bool{}
	for _, r := range results {
		if drawn[r.Benchmark] {
			continue
		}
		drawn[r.Benchmark] = true
		if err := draw(filepath.Join(filepath.Dir(args[1]), r.Benchmark+".svg"), r.Benchmark, results); err != nil {
			return err
		}
	}
	return nil
}

func draw(path, name string, results []benchmark.Result) error {
	var picture bytes.Buffer
	if err := plot.Write(&picture, name, results); err != nil {
		return err
	}
	if err := os.WriteFile(path, picture.Bytes(), 0o644); err != nil {
		return fmt.Errorf("bench: write the picture: %w", err)
	}
	return nil
}
