package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The verdicts about a mutant.
const (
	killed = "red"
	// lived says that the test passes without the remedy.
	lived = "GREEN"
	// stale says that the patch no longer applies, or that nothing tests it.
	stale = "STALE"
)

// tree is a copy of the working tree.
type tree struct{ dir string }

// copyTree copies what git knows of the tree, with its changes, and what is new.
func copyTree(ctx context.Context) (*tree, error) {
	fail := func(err error) (*tree, error) { return nil, fmt.Errorf("mutants: copy the tree: %w", err) }
	listed, err := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp("", "factline-mutants-")
	if err != nil {
		return fail(err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(listed), "\x00"), "\x00") {
		if err := copyFile(name, filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
			return fail(err)
		}
	}
	return &tree{dir}, nil
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from) //nolint:gosec // git names it
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// try takes one remedy out, runs its test, and puts the remedy back.
func (t *tree) try(ctx context.Context, folder string, m mutant) (verdict string) {
	patch, err := filepath.Abs(filepath.Join(folder, m.patch))
	if err != nil || t.apply(ctx, patch) != nil {
		return stale
	}
	defer func() {
		if t.apply(ctx, patch, "--reverse") != nil && ctx.Err() == nil {
			verdict = stale
		}
	}()
	return t.test(ctx, m)
}

func (t *tree) apply(ctx context.Context, patch string, flags ...string) error {
	apply := exec.CommandContext(ctx, "git", append(append([]string{"apply"}, flags...), patch)...) //nolint:gosec // the lists are ours
	apply.Dir = t.dir
	return apply.Run()
}

// test wants a test that ran and failed: one that does not compile shows nothing.
func (t *tree) test(ctx context.Context, m mutant) string {
	test := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=5m", "-run", m.test, m.pkg) //nolint:gosec // the lists are ours
	test.Dir = t.dir
	output, err := test.CombinedOutput()
	switch {
	case bytes.Contains(output, []byte("[no tests to run]")) || bytes.Contains(output, []byte("[build failed]")):
		return stale
	case err == nil:
		return lived
	case bytes.Contains(output, []byte("--- FAIL")) || bytes.Contains(output, []byte("panic: ")):
		return killed
	}
	return stale
}
