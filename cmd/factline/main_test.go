package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"factline.dev/factlinetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// asProgram makes the test binary be the command: exit codes and signals are
// those of a process.
const asProgram = "RUN_AS_THE_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	flag.Parse()
	factlinetest.Main(m)
}

// result is what a run of the program left.
type result struct {
	code           int
	stdout, stderr string
}

// lastLine is the command to type next.
func (r result) lastLine() string {
	lines := strings.Split(strings.TrimRight(r.stderr, "\n"), "\n")
	next := lines[len(lines)-1]
	if rest, ok := strings.CutPrefix(next, programName(os.Args[0])+" "); ok {
		return rest
	}
	return "no command: " + next
}

// command is the program without the caller's settings.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = []string{asProgram + "=1"}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FACTLINE_") || strings.HasPrefix(v, "FACTLINE_CACHE=") || strings.HasPrefix(v, "FACTLINE_MAVEN_URL=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	return cmd
}

func runProgram(t *testing.T, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := command(ctx, args...)
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("factline %s does not end\n%s%s", strings.Join(args, " "), &stdout, &stderr)
	}
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// golden compares text with testdata/name.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with go test -update", err)
	}
	if text != string(want) {
		t.Errorf("%s differs; see whether that is meant, then go test -update. Got:\n%s", path, text)
	}
}
