package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"factline.dev/prove/history"
	"factline.dev/prove/report"
)

// The program proves itself: the platform that dies is this binary again.
func TestProveSlicePassesOnTheEmbeddedStack(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "history.json")
	got := runProgram(t, nil, "prove", "slice", "--json", "--quotes", "8", "--seed", "11", "--patience", "100s", "--history", file)
	var proof report.Report
	if err := json.Unmarshal([]byte(got.stdout), &proof); err != nil {
		t.Fatalf("no report (%v), exit %d\n%s%s", err, got.code, got.stdout, got.stderr)
	}
	if got.code != exitOK || proof.Verdict != report.Pass || proof.Seed != 11 {
		t.Errorf("exit %d, verdict %s, seed %d\n%s", got.code, proof.Verdict, proof.Seed, got.stderr)
	}
	for _, s := range proof.Steps {
		if s.Verdict != report.Pass {
			t.Errorf("%s: %s %q", s.Verdict, s.Name, s.Problems)
		}
	}
	if len(proof.Steps) != 11 || len(proof.CannotShow) == 0 {
		t.Errorf("%d steps, cannot show %q", len(proof.Steps), proof.CannotShow)
	}
	checkHistory(t, file)
}

func checkHistory(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var h history.History
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatal(err)
	}
	if len(h.Kills) != 4 || len(h.Orders) != 24 || len(h.Log) == 0 || len(h.Versions) == 0 {
		t.Errorf("%d kills, %d orders, %d records, %d versions", len(h.Kills), len(h.Orders), len(h.Log), len(h.Versions))
	}
	for _, k := range h.Kills {
		if k.EventID == "" || k.Signal != "killed" || !k.Confirmed || k.Occurrences == 0 {
			t.Errorf("%+v", k)
		}
	}
}

// The program kills itself whole, twice, and judges what it left.
func TestProveKillsPassesOnAShortRun(t *testing.T) {
	t.Parallel()
	dir := stackFolder(t)
	env := []string{"FACTLINE_POSTGRES=postgres://nobody@127.0.0.1:1/none", "FACTLINE_KAFKA=127.0.0.1:1"} // not to be used
	got := runProgram(t, env, "prove", "kills", "--json", "--times", "2", "--rate", "20", "--seed", "3", "--dir", dir)
	var proof report.Report
	if err := json.Unmarshal([]byte(got.stdout), &proof); err != nil {
		t.Fatalf("no report (%v), exit %d\n%s%s", err, got.code, got.stdout, got.stderr)
	}
	if got.code != exitOK || proof.Verdict != report.Pass || proof.Seed != 3 || len(proof.Steps) != 7 {
		t.Errorf("exit %d, verdict %s, seed %d, %d steps\n%s", got.code, proof.Verdict, proof.Seed, len(proof.Steps), got.stderr)
	}
	for _, s := range proof.Steps {
		if s.Verdict != report.Pass {
			t.Errorf("%s: %s %q", s.Verdict, s.Name, s.Problems)
		}
	}
	if log, err := os.ReadFile(filepath.Join(dir, "up", "logs", "postgres.log")); err != nil || strings.Count(string(log), "automatic recovery in progress") != 2 {
		t.Errorf("the database did not recover twice (%v):\n%s", err, log)
	}
}

func TestProofVerdicts(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		verdict report.Verdict
		err     error
		want    int
	}{
		{"a proof that passed", report.Pass, nil, exitOK},
		{"a proof that failed", report.Fail, nil, exitFailed},
		{"a fault that did not fire proves nothing", report.Inconclusive, nil, exitFailed},
		{"a proof that could not tidy up", report.Pass, errors.New("folder stays"), exitFailed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, next := exitOK, ""
			if f, ok := errors.AsType[*failure](proofVerdict(&report.Report{Verdict: c.verdict, Seed: 5}, c.err, "prove slice --keep")); ok {
				code, next = f.code, f.next
			}
			if code != c.want || (code != exitOK && !strings.Contains(next, "--seed 5")) {
				t.Errorf("exit %d, next %q", code, next)
			}
		})
	}
}

func TestProveRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, want string
		args       []string
	}{
		{"too few quotes", "prove.Config.Quotes", []string{"prove", "slice", "--quotes", "1"}},
		{"too short a storm", "prove.StormConfig.For", []string{"prove", "storm", "--for", "1s"}},
		{"a folder with content", "empty or missing", []string{"prove", "kills", "--dir", "testdata"}},
		{"the child without its parent", "factline prove", []string{"prove", platformOfProof}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := runProgram(t, nil, c.args...); got.code != exitFailed || !strings.Contains(got.stderr, c.want) {
				t.Errorf("exit %d: %s", got.code, got.stderr)
			}
		})
	}
}

// The short form of what runs for minutes. On a machine that is busy a fault may
// not fire in ten seconds, which proves nothing, so there is a second try.
func TestProveStormPassesOnAShortRun(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "history.json")
	proof := proveStorm(t, file, "5")
	if proof.Verdict == report.Inconclusive {
		t.Logf("nothing is proved yet: %+v", proof.Steps)
		proof = proveStorm(t, file, "6")
	}
	if proof.Verdict != report.Pass || len(proof.Steps) != 7 {
		t.Errorf("verdict %s, %d steps", proof.Verdict, len(proof.Steps))
	}
	for _, s := range proof.Steps {
		if s.Verdict != report.Pass {
			t.Errorf("%s: %s %q", s.Verdict, s.Name, s.Problems)
		}
	}
	var h history.History
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	if err != nil || h.Storm == nil || len(h.Storm.Operations) == 0 || len(h.Storm.Mishaps) < 3 || len(h.Log) == 0 {
		t.Errorf("the history is not whole (%v)", err)
	}
}

func proveStorm(t *testing.T, file, seed string) (proof report.Report) {
	t.Helper()
	got := runProgram(t, nil, "prove", "storm", "--json", "--for", "10s", "--seed", seed, "--history", file)
	if err := json.Unmarshal([]byte(got.stdout), &proof); err != nil {
		t.Fatalf("no report (%v), exit %d\n%s%s", err, got.code, got.stdout, got.stderr)
	}
	if want := strconv.FormatUint(proof.Seed, 10); want != seed || (got.code == exitOK) != (proof.Verdict == report.Pass) {
		t.Errorf("exit %d, verdict %s, seed %s\n%s", got.code, proof.Verdict, want, got.stderr)
	}
	return proof
}
