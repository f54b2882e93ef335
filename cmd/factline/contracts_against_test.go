package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const shopSchema = "events/shop.basket.events/BasketPaid/v1.schema.json"

// shopClone is a clone in which a small contracts folder was committed as main.
func shopClone(t *testing.T) (folder string) {
	t.Helper()
	clone := t.TempDir()
	folder = filepath.Join(clone, "contracts")
	inGit(t, clone, "init", "-q", "-b", "main")
	inGit(t, clone, "commit", "-q", "--allow-empty", "-m", "nothing yet")
	inGit(t, clone, "tag", "empty")
	if err := os.CopyFS(folder, os.DirFS("../../contract/lint/testdata/shop")); err != nil {
		t.Fatal(err)
	}
	inGit(t, clone, "add", "-A")
	inGit(t, clone, "commit", "-q", "-m", "contracts")
	return folder
}

func inGit(t *testing.T, dir string, args ...string) {
	t.Helper()
	settings := []string{"-C", dir, "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "git", append(settings, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func editFile(t *testing.T, file, old, now string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, now, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// broken plants a removed field that is read, an optional one that comes with a
// hostile name, a topic that is kept for too short, and an event that is new.
func broken(t *testing.T) string {
	t.Helper()
	folder := shopClone(t)
	schema := filepath.Join(folder, shopSchema)
	editFile(t, schema, "\"total\": {\n          \"type\": \"string\"\n        },", `"hint\u001b[2J": {"type": "string"},`)
	editFile(t, schema, "\"basketId\",\n        \"total\"", `"basketId"`)
	editFile(t, filepath.Join(folder, "events/shop.basket.events/topic.yaml"), "retentionMs: 2592000000", "retentionMs: 60000")
	events := filepath.Join(folder, "events/shop.basket.events")
	if err := os.CopyFS(filepath.Join(events, "BasketLost"), os.DirFS(filepath.Join(events, "BasketOpened"))); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"event.yaml", "v1.schema.json", "CHANGELOG.md", "examples/minimal.json", "examples/full.json"} {
		file = filepath.Join(events, "BasketLost", file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "BasketOpened", "BasketLost")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestCheckAndReviewInEveryFormat(t *testing.T) {
	t.Parallel()
	folder := broken(t)
	for _, command := range []string{"lint", "check --against main", "review BasketPaid", "review --changed --against main"} {
		for _, format := range []string{"text", "json", "junit", "annotations"} {
			name := strings.ReplaceAll(strings.Fields(command)[0]+map[bool]string{true: "_changed"}[strings.Contains(command, "changed")], " ", "_")
			t.Run(name+" "+format, func(t *testing.T) {
				t.Parallel()
				args := append([]string{"contracts"}, strings.Fields(command)...)
				r := runProgram(t, nil, append(args, "--folder", folder, "--format", format)...)
				if r.code != exitFound {
					t.Fatalf("exit code %d\n%s", r.code, r.stderr)
				}
				if strings.ContainsRune(r.stdout, '\x1b') {
					t.Error("it prints what a stranger wrote, unescaped")
				}
				text := strings.ReplaceAll(r.stdout, folder, "FOLDER")
				if format == "json" {
					text = withoutCommit(t, text)
				}
				golden(t, "contracts_"+name+"_"+format+".golden", text)
			})
		}
	}
}

// withoutCommit makes the id of a commit, which differs by the time, a word.
func withoutCommit(t *testing.T, text string) string {
	t.Helper()
	var doc struct {
		Commit string `json:"commit"`
	}
	if strings.HasPrefix(text, "{") {
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
	}
	if doc.Commit == "" {
		return text
	}
	return strings.ReplaceAll(text, doc.Commit, "COMMIT")
}

func TestWhatIsUnchangedPasses(t *testing.T) {
	t.Parallel()
	folder := shopClone(t)
	for command, want := range map[string]string{
		"check --against main":                         "0 changes since main",
		"check --new --against empty":                  "5 changes since empty: 5 new, 0 compatible",
		"review --changed --against main":              "nothing that a review asks about changed since main",
		"review --changed --new --against empty":       "event StockSnapshotted v1: yes (14 yes, 0 waived, 0 no)\n5 reviews: 5 yes, 0 waived, 0 no",
		"review --changed --all --new --against empty": "  9. yes     Is retention appropriate?",
		"review shop.basket.events.v1":                 "topic shop.basket.events.v1: yes",
	} {
		r := runProgram(t, nil, append([]string{"contracts", "--folder", folder}, strings.Fields(command)...)...)
		if r.code != exitOK || !strings.Contains(r.stdout, want) {
			t.Errorf("%s: exit code %d\n%s%s", command, r.code, r.stdout, r.stderr)
		}
	}
}

func TestWhatCannotBeComparedSaysWhy(t *testing.T) {
	t.Parallel()
	folder := shopClone(t)
	outside := filepath.Join(t.TempDir(), "contracts")
	if err := os.CopyFS(outside, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	editFile(t, filepath.Join(folder, "services.yaml"), "services:", "sevices:")
	inGit(t, folder, "commit", "-q", "-am", "broken")
	inGit(t, folder, "tag", "broken")
	inGit(t, folder, "checkout", "-q", "main~1", "--", ".")
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		code int
		says string
	}{
		{"no ref", nil, []string{"check", "--folder", folder}, exitUsage, "--against: it is missing"},
		{"an unknown ref", nil, []string{"check", "--folder", folder, "--against", "nonsense"}, exitUsage, "no such commit, branch or tag"},
		{"a ref that is an option", nil, []string{"check", "--folder", folder, "--against=--help"}, exitUsage, "no such commit, branch or tag"},
		{"the built-in contracts", nil, []string{"review", "--changed", "--against", "main"}, exitUsage, "the built-in contracts have no history"},
		{"no repository", nil, []string{"check", "--folder", outside, "--against", "main"}, exitUsage, "in no git repository"},
		{"no git", []string{"PATH=" + t.TempDir()}, []string{"check", "--folder", folder, "--against", "main"}, exitFailed, "the git command is not installed"},
		{"a folder that was broken then", nil, []string{"check", "--folder", folder, "--against", "broken"}, exitFailed, "as it was at broken: contract: load services.yaml:1: sevices"},
		{"a folder that was elsewhere then", nil, []string{"check", "--folder", folder, "--against", "empty"}, exitUsage, "if it was moved, check before you move it; if it is new, add --new"},
		{"a review of one", nil, []string{"review", "--changed", "--folder", folder, "--against", "empty"}, exitUsage, "add --new"},
		{"an unknown kind", nil, []string{"check", "--explain", "nonsense"}, exitUsage, "no kind of change"},
		{"an unknown subject", nil, []string{"review", "nonsense"}, exitFailed, "no topic and no event"},
		{"no subject", nil, []string{"review"}, exitUsage, "wants a topic or an event type"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := runProgram(t, tt.env, append([]string{"contracts"}, tt.args...)...)
			if r.code != tt.code || !strings.Contains(r.stderr, tt.says) || r.stdout != "" {
				t.Errorf("exit code %d, want %d with %q\n%s%s", r.code, tt.code, tt.says, r.stdout, r.stderr)
			}
		})
	}
}

func TestAnApprovedBreakPasses(t *testing.T) {
	t.Parallel()
	folder := shopClone(t)
	editFile(t, filepath.Join(folder, shopSchema), "\"basketId\",\n        \"total\"", `"basketId"`)
	check := func() result {
		return runProgram(t, nil, "contracts", "check", "--folder", folder, "--against", "main", "--json")
	}
	var said checkResult
	r := check()
	if err := json.Unmarshal([]byte(r.stdout), &said); err != nil || r.code != exitFound || len(said.Changes) != 1 {
		t.Fatalf("%v, exit code %d\n%s%s", err, r.code, r.stdout, r.stderr)
	}
	approval := "approvals:\n  - fingerprint: \"" + said.Changes[0].Fingerprint + "\"\n    change: the total becomes optional\n" +
		"    consumers: [mail-service.basket-events.consumer]\n    owner: Shop Team\n    reason: Vouchers have no total.\n    expires: \"2199-01-01\"\n"
	if err := os.WriteFile(filepath.Join(folder, "approvals.yaml"), []byte(approval), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := check(); r.code != exitOK || !strings.Contains(r.stdout, `"owner": "Shop Team"`) {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
