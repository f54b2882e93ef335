package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 1 where a mutant lived or something failed, 2 for a
// wrong use.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "", "regular expression of rows and patches to try")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	matching, err := regexp.Compile(*only)
	if err != nil || flags.NArg() > 1 {
		fmt.Fprintln(stderr, "usage: go run ./internal/mutants [-only REGEXP] [FOLDER]")
		return 2
	}
	folder := "mutants"
	if flags.NArg() == 1 {
		folder = flags.Arg(0)
	}
	lived, err := try(ctx, folder, matching, stdout)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, err)
		return 1
	case lived > 0:
		fmt.Fprintf(stderr, "%d mutants lived: their tests do not stand for their remedies\n", lived)
		return 1
	}
	return 0
}

func try(ctx context.Context, folder string, only *regexp.Regexp, stdout io.Writer) (lived int, err error) {
	all, err := readLists(folder, only)
	if err != nil {
		return 0, err
	}
	if len(all) == 0 {
		return 0, fmt.Errorf("mutants: try: no mutant of %s matches; leave -only out to try all", folder)
	}
	tree, err := copyTree(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(tree.dir) }()
	for _, m := range all {
		started := time.Now()
		verdict := tree.try(ctx, folder, m)
		if ctx.Err() != nil {
			return lived, nil
		}
		if verdict != killed {
			lived++
		}
		fmt.Fprintf(stdout, "%-6s %-60s %5.1f s  %s\n", verdict, m, time.Since(started).Seconds(), m.test)
	}
	return lived, nil
}
