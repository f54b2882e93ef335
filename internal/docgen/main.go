package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

//go:generate go run .

// errOutdated: a guide differs from what the code says.
var errOutdated = errors.New("docgen: guides are out of date; run: go run ./internal/docgen")

func main() {
	err := run(context.Background(), os.Args[1:], os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errOutdated):
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
	err := generate(ctx, *check, stderr)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return err
}

func generate(ctx context.Context, check bool, stderr io.Writer) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	guides, err := render(ctx, root)
	if err != nil {
		return err
	}
	outdated := false
	for _, g := range guides {
		old, err := os.ReadFile(filepath.Join(root, g.path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("docgen: read %s: %w", g.path, err)
		}
		if bytes.Equal(old, g.text) {
			continue
		}
		if check {
			outdated = true
			fmt.Fprintf(stderr, "docgen: %s is out of date: %s\n", g.path, firstDifference(old, g.text))
			continue
		}
		if g.text == nil {
			if err := os.Remove(filepath.Join(root, g.path)); err != nil {
				return fmt.Errorf("docgen: remove what nothing makes any more: %w", err)
			}
			continue
		}
		if err := write(filepath.Join(root, g.path), g.text); err != nil {
			return err
		}
	}
	if outdated {
		return errOutdated
	}
	return nil
}

// guide is a file made from code; path is relative to the module. Without text
// it is a file that must go.
type guide struct {
	path string
	text []byte
}

func render(ctx context.Context, root string) ([]guide, error) {
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
	return append(catalogue, []guide{
		{filepath.Join("docs", "guide", "guarantees.md"), guarantees},
		{filepath.Join("docs", "guide", "metrics.md"), metrics},
		{filepath.Join("docs", "guide", "errors.md"), problems},
	}...), nil
}

func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("docgen: make the folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("docgen: write %s: %w", path, err)
	}
	return nil
}

// firstDifference is the first line in which two texts differ.
func firstDifference(old, now []byte) string {
	was, is := bytes.Split(old, []byte("\n")), bytes.Split(now, []byte("\n"))
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || !bytes.Equal(was[i], is[i]) {
			return fmt.Sprintf("line %d is %q, the code says %q", i+1, line(was, i), line(is, i))
		}
	}
	return "no difference"
}

func line(lines [][]byte, i int) []byte {
	if i < len(lines) {
		return lines[i]
	}
	return nil
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
