package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func runDiff(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err strings.Builder
	code = run(t.Context(), append([]string{"contracts", "diff"}, args...), &out, &err)
	return out.String(), err.String(), code
}

func TestDiffSaysWhatBreaksAndForWhom(t *testing.T) {
	t.Parallel()
	old := writeFile(t, "old.json", `{"type":"object","properties":{"a":{"type":"string","maxLength":5}},"required":["a"]}`)
	next := writeFile(t, "new.json", `{"type":"object","properties":{"a":{"type":"string","maxLength":4},"b":{"type":"integer"}},"required":["a","b"]}`)
	text, _, code := runDiff(t, old, next, "--mode", "full")
	if code != exitFound {
		t.Errorf("exit code %d", code)
	}
	golden(t, "contracts_diff.golden", text)
	text, _, code = runDiff(t, old, old)
	if code != exitOK || text != "compatible (new readers, old events)\n" {
		t.Errorf("%d %q", code, text)
	}
	text, _, _ = runDiff(t, old, next, "--json")
	var result struct {
		Verdict  string
		Findings []struct {
			Rule, Path, Message string
			Witness             json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(text), &result); err != nil || result.Verdict != "breaking" || len(result.Findings) != 3 || result.Findings[0].Witness == nil {
		t.Errorf("%v %+v", err, result)
	}
}

func TestDiffIsCalledWithTwoSchemasOrABatch(t *testing.T) {
	t.Parallel()
	good, bad := writeFile(t, "good.json", `{}`), writeFile(t, "bad.json", `{"type":`)
	for _, tt := range []struct {
		args []string
		code int
	}{
		{[]string{good}, exitUsage},
		{[]string{good, good, "--mode", "sideways"}, exitUsage},
		{[]string{good, "--batch", good}, exitUsage},
		{[]string{good, good, "--folder", "/nowhere"}, exitUsage},
		{[]string{good, bad}, exitFailed},
		{[]string{good, good + ".missing"}, exitFailed},
		{[]string{"--batch", good + ".missing"}, exitFailed},
	} {
		if _, stderr, code := runDiff(t, tt.args...); code != tt.code {
			t.Errorf("%v: exit code %d, want %d: %s", tt.args, code, tt.code, stderr)
		}
	}
}

func TestABatchGivesAVerdictForEveryLine(t *testing.T) {
	t.Parallel()
	lines := []string{
		`{"id":1,"old":{"type":"string"},"new":{}}`,
		`{"id":"two\u001b[31m","old":{},"new":{"type":"string"}}`,
		`{"id":3,"old":{},"new":{"pattern":"("}}`,
		`{"id":4}`,
		`no json`,
	}
	for i := range 1200 {
		lines = append(lines, fmt.Sprintf(`{"id":%d,"old":{"maximum":%d},"new":{"maximum":3}}`, 10+i, i%7))
	}
	file := writeFile(t, "batch.jsonl", strings.Join(lines, "\n")+"\n\n")
	text, _, code := runDiff(t, "--batch", file, "--json")
	got := strings.Split(strings.TrimSpace(text), "\n")
	if code != exitFound || len(got) != len(lines) {
		t.Fatalf("exit code %d and %d verdicts for %d lines", code, len(got), len(lines))
	}
	for i, want := range []string{"compatible", "breaking", "unknown", "unknown", "unknown"} {
		var v struct{ Verdict, Reason string }
		if err := json.Unmarshal([]byte(got[i]), &v); err != nil || v.Verdict != want || (want == "unknown") != (v.Reason != "") {
			t.Errorf("line %d: %s, want %s", i+1, got[i], want)
		}
	}
	text, _, _ = runDiff(t, "--batch", file)
	if strings.Contains(text, "\x1b") || !strings.HasPrefix(text, "1\tcompatible\t\n") {
		t.Errorf("%.200q", text)
	}
}
