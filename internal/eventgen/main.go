// Eventgen writes the event types of the platform's services from their contracts,
// or checks that they are up to date:
//
//	go run ./internal/eventgen [-check]
//
// It stands apart from the generator of the guides, which needs services that
// compile.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"factline.dev/contract"
	"factline.dev/contract/generate"
	"factline.dev/platform/contracts"
)

//go:generate go run . -root ../..

// errOutdated: a file differs from what the contracts say.
var errOutdated = errors.New("eventgen: event types are out of date; run: go run ./internal/eventgen")

func main() {
	root := flag.String("root", ".", "folder of go.mod")
	check := flag.Bool("check", false, "write nothing; fail when a file is out of date")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, errOutdated) {
			os.Exit(3)
		}
		os.Exit(1)
	}
}

// services are the platform's services that exist, with the groups that they run.
func services() []generate.Config {
	return []generate.Config{
		{Service: "quote-service", Groups: []string{"quote-service.order-events.consumer"}},
		{Service: "order-service", Groups: []string{"order-service.quote-events.consumer"}},
		{Service: "projection-service", Groups: []string{"projection-service.order-read-model.consumer"}},
	}
}

func run(root string, check bool) error {
	catalogue, err := contract.Load(contracts.FS())
	if err != nil {
		return err
	}
	var outdated error
	for _, cfg := range services() {
		cfg.Unexported, cfg.Decimal = true, "factline.dev/platform/internal/money.Amount"
		text, err := generate.Go(catalogue, cfg)
		if err != nil {
			return err
		}
		path := filepath.Join(root, "platform", "internal", cfg.WithDefaults().Package, "event_gen.go")
		old, err := os.ReadFile(path)
		switch {
		case err == nil && bytes.Equal(old, text):
		case check:
			outdated = errors.Join(fmt.Errorf("eventgen: %s is out of date", path), errOutdated)
		default:
			if err := os.WriteFile(path, text, 0o644); err != nil {
				return fmt.Errorf("eventgen: write %s: %w", path, err)
			}
		}
	}
	return outdated
}
