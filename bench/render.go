package main

import (
	"fmt"
	"os"

	"factline.dev/internal/benchmark"
)

// render writes the tables of saved results into a document, and their pictures
// beside it.
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
	return benchmark.RenderFile(args[1], results)
}
