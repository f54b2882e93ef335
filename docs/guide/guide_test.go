package guide_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"factline.dev/contract"
	"factline.dev/contract/registry"
	"factline.dev/platform/contracts"
)

var update = flag.Bool("update", false, "write what the commands print into the guide")

// fence is a block of code of a guide, with what stands behind its language.
var fence = regexp.MustCompile("(?s)```(\\w+)(?: (\\S+))?\n(.*?)```")

// A block with a path is a file, and one of the console is commands with what
// they print. Everything else is read by people alone.
func TestTheGuideDoesWhatItSays(t *testing.T) {
	t.Parallel()
	const file = "adding-an-event.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t)
	seen := fence.ReplaceAllStringFunc(string(text), func(block string) string {
		match := fence.FindStringSubmatch(block)
		language, path, body := match[1], match[2], match[3]
		switch {
		case path != "":
			r.write(t, path, body)
		case language == "console":
			return "```console\n" + r.follow(t, body) + "```"
		}
		return block
	})
	if seen == string(text) {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(seen), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Error(firstDifference(string(text), seen) + "\ngo test ./docs/guide -update writes what is printed")
}

// reader is somebody with a clone of this repository, the program on the path and
// a folder beside the clone.
type reader struct {
	folder, platform string
	env              []string
}

func newReader(t *testing.T) reader {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	r := reader{folder: filepath.Join(home, "parcels"), platform: platformRegistry(t)}
	bin := filepath.Join(home, "bin")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+string(filepath.Separator), "./cmd/factline")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build factline: %v\n%s", err, out)
	}
	for _, err := range []error{os.Symlink(root, filepath.Join(home, "factline")), os.Mkdir(r.folder, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r.env = append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "GOFLAGS=", "GOWORK=off",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=reader", "GIT_AUTHOR_EMAIL=reader@example.org",
		"GIT_COMMITTER_NAME=reader", "GIT_COMMITTER_EMAIL=reader@example.org")
	return r
}

// platformRegistry serves what "factline up" serves below /registry.
func platformRegistry(t *testing.T) string {
	t.Helper()
	c, err := contract.Load(contracts.FS())
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := registry.Handler(c)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.StripPrefix("/registry", schemas))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func (r reader) write(t *testing.T, path, body string) {
	t.Helper()
	path = filepath.Join(r.folder, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
}

// commands are lines that begin with a dollar, with those that a backslash adds.
var commands = regexp.MustCompile(`(?m)^\$ (?:.*\\\n)*.*\n`)

// follow types the commands of a block and returns it with what they print.
func (r reader) follow(t *testing.T, body string) string {
	t.Helper()
	var seen strings.Builder
	for _, lines := range commands.FindAllString(body, -1) {
		seen.WriteString(lines + r.output(t, strings.TrimPrefix(lines, "$ ")))
	}
	return seen.String()
}

const upAddress = "127.0.0.1:8080"

// took is how long a test ran, or that it need not run again.
var took = regexp.MustCompile(`\t(\d+\.\d+s|\(cached\))`)

func (r reader) output(t *testing.T, command string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(command, upAddress, r.platform))
	cmd.Dir, cmd.Env = r.folder, r.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	text := strings.ReplaceAll(took.ReplaceAllString(out.String(), "\t0.5s"), r.platform, upAddress)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if err != nil {
		text += fmt.Sprintf("%v\n", err)
	}
	return text
}

func firstDifference(want, got string) string {
	wanted, seen := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(wanted), len(seen)) {
		if wanted[i] != seen[i] {
			return fmt.Sprintf("line %d says\n%s\nand what is printed is\n%s", i+1, wanted[i], seen[i])
		}
	}
	return "the guide and what is printed differ in length"
}
