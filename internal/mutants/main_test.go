package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	source = "package p\n\nfunc Add(a, b int) int {\n\treturn a + b\n}\n"
	tests  = "package p\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\tif Add(1, 2) != 3 {\n\t\tt.Fatal()\n\t}\n}\n\nfunc TestNothing(t *testing.T) {}\n"
	patch  = "--- a/p.go\n+++ b/p.go\n@@ -1,5 +1,5 @@\n package p\n \n func Add(a, b int) int {\n-\treturn a + b\n+\treturn a - b\n }\n"
)

// module makes a module with one remedy and the lists of its mutants, and goes
// there.
func module(t *testing.T, list string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod": "module p\n\ngo 1.26\n", "p.go": source, "p_test.go": tests,
		"mutants/minus.patch": patch, "mutants/old.patch": strings.ReplaceAll(patch, "a + b", "a * b"),
		"mutants/broken.patch": strings.ReplaceAll(patch, "a - b", "a - c"), "mutants/p.tsv": list,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	if err := exec.CommandContext(t.Context(), "git", "init", "-q").Run(); err != nil {
		t.Fatal(err)
	}
}

//nolint:paralleltest // it works in a folder of its own, which is the process's
func TestAMutantMustTurnItsTestRed(t *testing.T) {
	for _, tt := range []struct {
		name, line, verdict string
		code                int
	}{
		{"a test that stands for the remedy", "1\tminus.patch\t.\tTestAdd", killed, 0},
		{"a test that does not", "1\tminus.patch\t.\tTestNothing", lived, 1},
		{"a test that is gone", "1\tminus.patch\t.\tTestGone", stale, 1},
		{"a patch that no longer applies", "1\told.patch\t.\tTestAdd", stale, 1},
		{"a patch that does not compile", "1\tbroken.patch\t.\tTestAdd", stale, 1},
		{"a patch that is gone", "1\tgone.patch\t.\tTestAdd", stale, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			module(t, "# row, patch, package, test\n"+tt.line+"\n")
			var stdout, stderr strings.Builder
			if code := run(t.Context(), nil, &stdout, &stderr); code != tt.code || !strings.HasPrefix(stdout.String(), tt.verdict) {
				t.Errorf("exit code %d, %q, %q; want %d and %s", code, stdout.String(), stderr.String(), tt.code, tt.verdict)
			}
			if content, err := os.ReadFile("p.go"); err != nil || string(content) != source {
				t.Errorf("the tree was changed: %q, %v", content, err)
			}
		})
	}
}

//nolint:paralleltest // likewise
func TestAWrongListIsRefused(t *testing.T) {
	module(t, "1\tminus.patch\n")
	var stdout, stderr strings.Builder
	if code := run(t.Context(), nil, &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), "line 1: it has 2 fields") {
		t.Errorf("exit code %d, %q; want 1 and the line", code, stderr.String())
	}
}
