package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/factlinetest"
	"factline.dev/runbook"
)

// freePorts keeps stacks of tests apart.
func freePorts(folder string, args ...string) []string {
	return append([]string{"up", "--folder", folder, "--http", "127.0.0.1:0", "--kafka-port", "-1", "--postgres-port", "-1", "--line-delay", "20ms"}, args...)
}

func TestUpDrivesALoadToItsEndAndStops(t *testing.T) {
	t.Parallel()
	folder := stackFolder(t)
	r := runProgram(t, nil, freePorts(folder, "--fresh", "--load", "5", "--for", "6s")...)
	if r.code != exitOK {
		t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	for _, want := range []string{"drafted and PRICED", "submitted and APPROVED", "order COMPLETED in the read model", "quotes a second", "stopped; the data stays in " + folder} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("it does not print %q:\n%s", want, r.stdout)
		}
	}
	lines := strings.Split(strings.TrimRight(r.stdout, "\n"), "\n")
	if last := lines[len(lines)-1]; !regexp.MustCompile(`^summary: [1-9]\d+ quotes accepted, 0 refused at capture, [1-9]\d+ orders ended, 0 open$`).MatchString(last) {
		t.Errorf("the last line is %q", last)
	}
	secrets, err := os.ReadFile(folder + "/secrets/connections.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, password := range regexp.MustCompile(`://[^:]+:([^@]+)@`).FindAllStringSubmatch(string(secrets), -1) {
		if strings.Contains(r.stdout+r.stderr, password[1]) {
			t.Error("it prints a password")
		}
	}
}

// running is an `up` in the background.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string
	stderr bytes.Buffer
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{t: t, cmd: command(context.WithoutCancel(t.Context()), args...), lines: make(chan string, 10_000)}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = &r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	})
	go func() {
		defer close(r.lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			r.lines <- scanner.Text()
		}
	}()
	return r
}

// await returns the first line that contains text.
func (r *running) await(text string) string {
	r.t.Helper()
	late := time.After(2 * time.Minute)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				_ = r.cmd.Wait()
				r.t.Fatalf("it ended before it printed %q: %s", text, &r.stderr)
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-late:
			r.t.Fatalf("it does not print %q", text)
		}
	}
}

func (r *running) end(signal syscall.Signal) int {
	r.t.Helper()
	if err := r.cmd.Process.Signal(signal); err != nil {
		r.t.Fatal(err)
	}
	for range r.lines {
		continue
	}
	_ = r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

func connect(t *testing.T, folder string) *stack.Connection {
	t.Helper()
	c, err := stack.Connect(t.Context(), stack.Target{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestUpGoesOnAfterKillNine(t *testing.T) {
	t.Parallel()
	folder := stackFolder(t)
	up := start(t, freePorts(folder, "--load", "20")...)
	up.await("quotes a second")
	c := connect(t, folder)
	var before stack.Tally
	factlinetest.Eventually(t, time.Minute, "twenty quotes being accepted", func() (bool, error) {
		var err error
		before, err = c.Tally(t.Context())
		return before.Accepted >= 20, err
	})
	c.Close()
	up.end(syscall.SIGKILL)

	r := runProgram(t, nil, "outbox", "status", "--folder", folder)
	if r.code != exitFailed || r.lastLine() != "up --folder "+folder {
		t.Errorf("outbox status after the kill: exit code %d\n%s", r.code, r.stderr)
	}
	r = runProgram(t, nil, freePorts(folder, "--for", "1s", "--json")...)
	var state stack.State
	var result summary
	decoder := json.NewDecoder(strings.NewReader(r.stdout))
	if err := decoder.Decode(&state); err != nil {
		t.Fatalf("%v\n%s%s", err, r.stdout, r.stderr)
	}
	if err := decoder.Decode(&result); err != nil {
		t.Fatalf("%v\n%s%s", err, r.stdout, r.stderr)
	}
	if r.code != exitOK || result.Open != 0 || result.Accepted < before.Accepted+1 {
		t.Errorf("exit code %d, %+v after %+v\n%s", r.code, result, before, r.stderr)
	}
}

// A start behind what a kill had left ended by itself after 30 s, because its
// demonstration quote had to wait its turn.
func TestALateDemonstrationEndsUpOnlyWithoutABacklog(t *testing.T) {
	t.Parallel()
	stuck := &stack.StuckError{QuoteID: "q_1", State: "CAPTURED", Waited: 30 * time.Second}
	for open, want := range map[int64]int{0: exitFailed, 1: exitFailed, 2: exitOK, 900: exitOK} {
		var out strings.Builder
		a := newTestApp("up")
		a.out = &out
		code := exitOK
		if f, ok := errors.AsType[*failure]((&up{app: a}).demonstrationStuck(stuck, stuck, open)); ok {
			code = f.code
		}
		if code != want || (want == exitOK) != strings.Contains(out.String(), "factline trace q_1") {
			t.Errorf("%d open: exit %d, %q", open, code, out.String())
		}
	}
}

func TestCtrlCDrainsAndStops(t *testing.T) {
	t.Parallel()
	folder := stackFolder(t)
	up := start(t, freePorts(folder)...)
	quote := regexp.MustCompile(`q_\w+`).FindString(up.await("drafted and PRICED"))
	up.await("Ctrl-C stops everything")
	looksAround(t, folder, quote)
	redrives(t, folder)
	corrects(t, folder)
	if code := up.end(syscall.SIGINT); code != exitOK {
		t.Errorf("exit code %d\n%s", code, &up.stderr)
	}
}

// looksAround runs every command that reads against a running stack.
func looksAround(t *testing.T, folder, quote string) {
	t.Helper()
	for _, args := range []string{"outbox status", "outbox status --service quote", "consumers lag", "deadletters list", "deadletters list --all", "trace " + quote, "config show"} {
		for _, format := range []string{"", "--json"} {
			r := runProgram(t, nil, strings.Fields(args+" --folder "+folder+" "+format)...)
			if r.code != exitOK || r.stderr != "" {
				t.Errorf("factline %s: exit code %d\n%s%s", args, r.code, r.stdout, r.stderr)
			}
			if format != "" && !json.Valid([]byte(r.stdout)) {
				t.Errorf("factline %s --json prints no JSON:\n%s", args, r.stdout)
			}
		}
	}
	r := runProgram(t, nil, "trace", "q_unknown", "--folder", folder)
	if r.code != exitFailed || !strings.Contains(r.stderr, "no quote, order or event has this id") {
		t.Errorf("trace of an unknown id: exit code %d\n%s", r.code, r.stderr)
	}
	var report runbook.Report
	r = runProgram(t, nil, "trace", quote, "--folder", folder, "--json")
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || len(report.Links) < 10 {
		t.Errorf("the trace has too few links (%v):\n%s", err, r.stdout)
	}
	r = runProgram(t, nil, "deadletters", "show", "dl_none", "--folder", folder)
	if r.code != exitFailed || r.lastLine() != "deadletters list --all" {
		t.Errorf("show of an unknown dead letter: exit code %d\n%s", r.code, r.stderr)
	}
}

func TestServeJoinsAStack(t *testing.T) {
	t.Parallel()
	folder := stackFolder(t)
	up := start(t, freePorts(folder)...)
	up.await("Ctrl-C stops everything")
	second := start(t, "serve", "order-service", "projection-service", "--folder", folder)
	address := strings.TrimPrefix(second.await("listening on "), "listening on ")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("%s answers %s", address, response.Status)
	}
	if code := second.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("exit code %d of serve\n%s", code, &second.stderr)
	}
}
