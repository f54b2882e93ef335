package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"factline.dev/cmd/factline/internal/secret"
	"factline.dev/factlinetest"
	"factline.dev/internal/devstack"
)

func newTestApp(args ...string) *app { return &app{args: args, secrets: &secret.Scrubber{}} }

// stackFolder is a folder that the database server's user can reach, unlike
// that of testing.
func stackFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "factline-up-") //nolint:usetesting // as it says: t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "stack")
}

func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

func TestExitCodesAndTheCommandToTypeNext(t *testing.T) {
	t.Parallel()
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "services.yaml"), []byte("services: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for _, tt := range []struct {
		name string
		args string
		code int
		// text is a part of the first lines of stderr, next the last line.
		text, next string
	}{
		{"help is fine", "", exitOK, "", ""},
		{"help is asked for", "--help", exitOK, "", ""},
		{"help of a command is fine", "help contracts lint", exitOK, "", ""},
		{"an unknown command", "contarcts", exitUsage, "did you mean contracts?", "--help"},
		{"an unknown verb", "contracts shwo", exitUsage, "did you mean show?", "contracts --help"},
		{"a noun without a verb", "outbox", exitUsage, "needs a verb: parked, resolve, skip-topic, status", "outbox --help"},
		{"help of an unknown command", "help nonsense", exitUsage, `no command "nonsense"`, "help --help"},
		{"an unknown flag", "contracts list --bogus", exitUsage, "unknown flag: --bogus", "contracts list --help"},
		{"a flag without its value", "trace q_1 --folder", exitUsage, "flag needs an argument", "trace --help"},
		{"a value of the wrong type", "up --load many", exitUsage, "invalid argument", "up --help"},
		{"a missing argument", "trace", exitUsage, "wants the id of a quote, an order or an event", "trace --help"},
		{"an argument too many", "config show all", exitUsage, `takes no arguments ("all")`, "config show --help"},
		{"a redrive without a reason", "deadletters redrive", exitUsage, "--reason: it is missing", "deadletters redrive --help"},
		{"a redrive for no team", "deadletters redrive --reason fixed", exitUsage, "--team: it is missing", "deadletters redrive --help"},
		{"a correction without an event", "deadletters correct dl_1 --team T --reason x", exitUsage, "--event: it is missing", "deadletters correct dl_1 --event FILE --team TEAM --reason TEXT"},
		{"a correction with a file that is not there", "deadletters correct dl_1 --event /none --team T --reason x", exitUsage, "--event: open /none", "deadletters correct --help"},
		{"versions without their aggregate", "consumers skip-versions g --topic t --from 2", exitUsage, "--tenant, --aggregate-type, --aggregate, --reason: missing", "consumers gaps"},
		{"a redrive of a plan with a filter", "deadletters redrive --yes rdr_1 --group g", exitUsage, "leave out --plan and every filter", "deadletters redrive --help"},
		{"a redrive abandoned without a reason", "deadletters redrive abandon rdr_1", exitUsage, "--reason: it is missing", "deadletters redrive abandon rdr_1 --reason TEXT"},
		{"a time that is none", "deadletters list --since yesterday", exitUsage, "--since: \"yesterday\" is neither", "deadletters list --help"},
		{"grouped by nothing known", "deadletters list --group-by colour", exitUsage, "--group-by", "deadletters list --help"},
		{"a skip without a reason", "deadletters skip dl_1", exitUsage, "--reason: it is missing", "deadletters skip dl_1 --reason TEXT"},
		{"a decision without a decision", "outbox resolve prk_1 --reason x", exitUsage, "--retry or --skip", "outbox resolve prk_1 --retry --reason TEXT"},
		{"two decisions at once", "outbox resolve prk_1 --retry --skip --reason x", exitUsage, "give one of them", "outbox resolve prk_1 --retry --reason TEXT"},
		{"a topic to be skipped without a reason", "outbox skip-topic t.events.v1", exitUsage, "--reason: it is missing", "outbox skip-topic t.events.v1 --reason TEXT"},
		{"a decision without a reason", "outbox resolve prk_1 --skip", exitUsage, "--reason: it is missing", "outbox resolve prk_1 --skip --reason TEXT"},
		{"an unknown service", "serve billing-service", exitUsage, "there is no service", "serve --help"},
		{"a wrong broker address", "up --kafka nonsense --folder " + empty, exitUsage, `--kafka: "nonsense" is no host:port`, "up --help"},
		{"a wrong database URL", "up --postgres mysql://x/y --folder " + empty, exitUsage, "--postgres: it does not begin with postgres://", "up --help"},
		{"a negative load", "up --load=-1", exitUsage, "must not be negative", "up --help"},
		{"contracts that hold", "contracts lint", exitOK, "", ""},
		{"contracts that cannot be read", "contracts lint --folder " + broken, exitFailed, "services.yaml", "contracts lint --help"},
		{"an unknown format", "contracts lint --format xml", exitUsage, "none of text, json, junit, annotations", "contracts lint --help"},
		{"two formats", "contracts lint --format junit --json", exitUsage, "exclude each other", "contracts lint --help"},
		{"an unknown rule", "contracts lint --explain nonsense", exitUsage, "no rule", "contracts lint --explain all"},
		{"an unknown topic", "contracts show nonsense", exitFailed, "no topic and no event", "contracts list"},
		{"a registry's address of no form", "contracts push hunter22", exitUsage, "no http or https URL", "contracts push --help"},
		{"a registry nobody runs", "contracts push http://u:hunter22@127.0.0.1:1", exitFailed, "check the address", "contracts push --help"},
		{"no stack in the folder", "outbox status --folder " + empty, exitFailed, "none was ever started", "up --folder " + empty},
		{"no stack for the consumers", "consumers lag --folder " + empty, exitFailed, "none was ever started", "up --folder " + empty},
		{"no stack for a trace", "trace q_1 --folder " + empty, exitFailed, "none was ever started", "up --folder " + empty},
		{"no stack to join", "serve --folder " + empty, exitFailed, "none was ever started", "up --folder " + empty},
		{"nobody at the database's address", "outbox status --postgres postgres://u:hunter22@127.0.0.1:1/x", exitFailed, "nobody listens there", "outbox status --help"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := runProgram(t, nil, strings.Fields(tt.args)...)
			if r.code != tt.code {
				t.Errorf("exit code %d, want %d\n%s", r.code, tt.code, r.stderr)
			}
			if tt.code == exitOK {
				if r.stderr != "" {
					t.Errorf("it prints on stderr: %s", r.stderr)
				}
				return
			}
			if !strings.Contains(r.stderr, tt.text) || strings.Count(r.stderr, tt.text) != 1 {
				t.Errorf("stderr does not say %q once:\n%s", tt.text, r.stderr)
			}
			if r.lastLine() != tt.next {
				t.Errorf("the last line is %q, want %q", r.lastLine(), tt.next)
			}
			if strings.Contains(r.stdout+r.stderr, "hunter22") {
				t.Errorf("a password is printed:\n%s", r.stderr)
			}
		})
	}
}

func TestLintFindings(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../../platform/contracts")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "events/oms.order.events/topic.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^retentionMs:.*$`).ReplaceAll(text, []byte("retentionMs: 1000"))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r := runProgram(t, nil, "contracts", "lint", "--folder", folder, "--json")
	var said struct {
		Findings []struct{ Rule, File, Message string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &said); err != nil {
		t.Fatalf("%v\n%s%s", err, r.stdout, r.stderr)
	}
	found := said.Findings
	if r.code != exitFound || len(found) == 0 || r.lastLine() != "contracts lint --explain "+found[0].Rule {
		t.Errorf("exit code %d, %+v, last line %q", r.code, found, r.lastLine())
	}
}

func TestEveryReadHasJSON(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"contracts", "list"},
		{"contracts", "show", "OrderCaptured"},
		{"contracts", "show", "oms.order.events.v1"},
		{"contracts", "lint"},
		{"contracts", "lint", "--explain", "all"},
		{"config", "show"},
	} {
		r := runProgram(t, nil, append(args, "--json")...)
		if r.code != exitOK || !json.Valid([]byte(r.stdout)) {
			t.Errorf("factline %s --json: exit %d\n%.300s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
		}
	}
}

func TestUpSaysWhichPortIsInUseAndWhichFlagMovesIt(t *testing.T) {
	t.Parallel()
	self := fmt.Sprintf("(process %d)", os.Getpid())
	for _, flag := range []string{"http", "kafka-port", "postgres-port"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			addr := taken(t)
			args := []string{"up", "--folder", stackFolder(t), "--http", "127.0.0.1:0", "--kafka-port", "-1", "--postgres-port", "-1"}
			value := addr
			if flag != "http" {
				value = portOf(addr)
			}
			r := runProgram(t, nil, append(args, "--"+flag, value)...)
			if r.code != exitFailed || !strings.Contains(r.stderr, "port "+addr+" is in use by") || !strings.Contains(r.stderr, self) {
				t.Errorf("exit code %d, want the port and %s\n%s", r.code, self, r.stderr)
			}
			words := strings.Fields(r.lastLine())
			if len(words) < 3 || words[len(words)-2] != "--"+flag || words[len(words)-1] == value {
				t.Errorf("the last line is %q", r.lastLine())
			}
		})
	}
}

func TestASecondUpOnTheFolder(t *testing.T) {
	t.Parallel()
	path := stackFolder(t)
	folder, err := devstack.OpenFolder(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	r := runProgram(t, nil, "up", "--folder", path)
	if r.code != exitFailed || !strings.Contains(r.stderr, fmt.Sprintf("kill %d", os.Getpid())) || r.lastLine() != "outbox status --folder "+path {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
}

func TestUpWithAFolderThatIsNotOurs(t *testing.T) {
	t.Parallel()
	path := stackFolder(t)
	if err := os.MkdirAll(filepath.Join(path, "thesis"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := runProgram(t, nil, "up", "--fresh", "--folder", path)
	if r.code != exitFailed || !strings.Contains(r.stderr, "not ours") {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	if _, err := os.Stat(filepath.Join(path, "thesis")); err != nil {
		t.Error("it deleted what is not ours")
	}
}

func TestUpWithWrongURLs(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t)
	good, err := url.Parse(factlinetest.DSN(pool))
	if err != nil {
		t.Fatal(err)
	}
	role := "weak_" + strings.ToLower(portOf(good.Host))
	if _, err := pool.Exec(t.Context(), fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD 'hunter22'", role)); err != nil {
		t.Fatal(err)
	}
	with := func(user *url.Userinfo, path string) string {
		u := *good
		u.User = user
		if path != "" {
			u.Path = path
		}
		return u.String()
	}
	for _, tt := range []struct{ name, flag, value, text string }{
		{"nobody listens at the database's port", "postgres", "postgres://u:hunter22@127.0.0.1:1/x", "nobody listens there"},
		{"the database's host does not exist", "postgres", "postgres://u:hunter22@no-such-host.invalid/x", "host is not known"},
		{"the password is wrong", "postgres", with(url.UserPassword("postgres", "hunter22"), ""), "refuses the user or the password"},
		{"the database does not exist", "postgres", with(good.User, "/no_such_database"), "the database does not exist"},
		{"the role may make no databases", "postgres", with(url.UserPassword(role, "hunter22"), "/postgres"), "CREATEDB and CREATEROLE"},
		{"nobody listens at the broker's port", "kafka", "127.0.0.1:1", "start the broker, or correct host and port in --kafka"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := runProgram(t, nil, "up", "--folder", stackFolder(t), "--http", "127.0.0.1:0", "--kafka-port", "-1", "--"+tt.flag, tt.value)
			if r.code != exitFailed || !strings.Contains(r.stderr, tt.text) {
				t.Errorf("exit code %d, want %q\n%s", r.code, tt.text, r.stderr)
			}
			if strings.Contains(r.stderr, "hunter22") {
				t.Errorf("a password is printed:\n%s", r.stderr)
			}
		})
	}
}
