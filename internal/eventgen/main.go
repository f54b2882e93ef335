// Command eventgen writes the event types and contract tests of the platform's services from
// their contracts, or checks that they are up to date:
//
//	go run ./internal/eventgen [-check]
//
// It stands apart from the generator of the guides, which needs services that
// compile.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"factline.dev/contract"
	"factline.dev/contract/generate"
	"factline.dev/internal/generated"
	"factline.dev/platform/contracts"
)

//go:generate go run . -root ../..

func main() {
	root := flag.String("root", ".", "folder of go.mod")
	check := flag.Bool("check", false, "write nothing; fail when a file is out of date")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, generated.ErrOutdated) {
			fmt.Fprintln(os.Stderr, "go run ./internal/eventgen")
			os.Exit(3)
		}
		os.Exit(1)
	}
}

// services are the platform's services that exist, with the groups that they run.
func services() []generate.Config {
	return []generate.Config{
		{Service: "quote-service", Groups: []string{"quote-service.order-events.consumer"}},
		{Service: "order-service", Groups: []string{"order-service.quote-events.consumer", "order-service.order-events.consumer"}},
		{Service: "projection-service", Groups: []string{"projection-service.order-read-model.consumer"}},
	}
}

func run(root string, check bool) error {
	catalogue, err := contract.Load(contracts.FS())
	if err != nil {
		return err
	}
	var files []generated.File
	for _, cfg := range services() {
		cfg.Unexported, cfg.Decimal = true, "factline.dev/platform/internal/money.Amount"
		folder := filepath.Join("platform", "internal", cfg.WithDefaults().Package)
		for name, write := range map[string]func(*contract.Catalogue, generate.Config) ([]byte, error){
			"event_gen.go": generate.Go, "contract_gen_test.go": generate.Tests,
		} {
			text, err := write(catalogue, cfg)
			if err != nil {
				return err
			}
			files = append(files, generated.File{Path: filepath.Join(folder, name), Text: text})
		}
	}
	return generated.Place(root, files, check)
}
