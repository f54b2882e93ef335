package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"factline.dev/internal/generated"
)

//go:generate go run .

func main() {
	err := run(context.Background(), os.Args[1:], os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, generated.ErrOutdated):
		os.Exit(3)
	default:
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("docgen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	check := flags.Bool("check", false, "write nothing; fail when a guide is out of date")
	if err := flags.Parse(args); err != nil {
		return err
	}
	err := generate(ctx, *check)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	if errors.Is(err, generated.ErrOutdated) {
		fmt.Fprintln(stderr, "go run ./internal/docgen")
	}
	return err
}

func generate(ctx context.Context, check bool) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	guides, err := render(ctx, root)
	if err != nil {
		return err
	}
	return generated.Place(root, guides, check)
}

func render(ctx context.Context, root string) ([]generated.File, error) {
	metrics, err := renderMetrics(ctx)
	if err != nil {
		return nil, err
	}
	problems, err := renderErrors(root)
	if err != nil {
		return nil, err
	}
	guarantees, err := renderGuarantees(root)
	if err != nil {
		return nil, err
	}
	catalogue, err := renderCatalogue(root)
	if err != nil {
		return nil, err
	}
	return append(catalogue, []generated.File{
		{Path: filepath.Join("docs", "guide", "guarantees.md"), Text: guarantees},
		{Path: filepath.Join("docs", "guide", "metrics.md"), Text: metrics},
		{Path: filepath.Join("docs", "guide", "errors.md"), Text: problems},
	}...), nil
}

// moduleRoot is the folder of go.mod at or above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("docgen: find the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("docgen: find the module: no go.mod here or above; run it inside the repository")
		}
		dir = up
	}
}
