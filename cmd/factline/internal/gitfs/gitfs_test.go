package gitfs_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"factline.dev/cmd/factline/internal/gitfs"
)

// repository is a clone with two commits of a folder.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "other.txt", "beside")
	git(t, dir, "init", "-q", "-b", "main")
	commit(t, dir, "none yet")
	write(t, dir, "api/contracts/services.yaml", "services: []\n")
	write(t, dir, "api/contracts/events/a b/ü.json", strings.Repeat("x", 100_000))
	write(t, dir, "api/contracts/empty", "")
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "api/contracts/link")); err != nil {
		t.Fatal(err)
	}
	commit(t, dir, "first")
	git(t, dir, "tag", "v1")
	write(t, dir, "api/contracts/services.yaml", "services: [changed]\n")
	commit(t, dir, "second")
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, dir, message string) {
	t.Helper()
	git(t, dir, "add", "-A")
	git(t, dir, "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", "commit", "-q", "-m", message)
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "git", append([]string{"-C", dir}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func TestOpenReadsAFolderAsItWas(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	for ref, want := range map[string]string{"v1": "services: []\n", "main": "services: [changed]\n", "HEAD~1": "services: []\n"} {
		tree, err := gitfs.Open(t.Context(), filepath.Join(dir, "api/contracts"), ref)
		if err != nil {
			t.Fatal(err)
		}
		text, err := fs.ReadFile(tree, "services.yaml")
		if err != nil || string(text) != want {
			t.Errorf("%s: got %q, %v", ref, text, err)
		}
		if tree.Files != 3 || len(tree.Commit) != 40 {
			t.Errorf("%s: %d files of commit %q", ref, tree.Files, tree.Commit)
		}
		if err := fstest.TestFS(tree.FS, "services.yaml", "events/a b/ü.json", "empty"); err != nil {
			t.Error(err)
		}
	}
}

func TestAFolderThatWasNotThereIsEmpty(t *testing.T) {
	t.Parallel()
	tree, err := gitfs.Open(t.Context(), filepath.Join(repository(t), "api/contracts"), "HEAD~2")
	if err != nil || tree.Files != 0 {
		t.Errorf("got %d files, %v", tree.Files, err)
	}
}

func TestWhatCannotBeReadSaysWhy(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	for ref, want := range map[string]error{"nonsense": gitfs.ErrNoRef, "": gitfs.ErrNoRef, "--output=x": gitfs.ErrNoRef, "v1:api": gitfs.ErrNoRef} {
		if _, err := gitfs.Open(t.Context(), dir, ref); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", ref, err, want)
		}
	}
	if _, err := gitfs.Open(t.Context(), t.TempDir(), "main"); !errors.Is(err, gitfs.ErrNoRepository) {
		t.Errorf("got %v", err)
	}
	write(t, dir, "huge.json", strings.Repeat("x", 5<<20))
	commit(t, dir, "huge")
	if _, err := gitfs.Open(t.Context(), dir, "main"); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v", err)
	}
}

// A hook runs with the whereabouts of its repository in the environment.
func TestAHooksEnvironmentDoesNotMoveTheFolder(t *testing.T) {
	dir := repository(t)
	t.Setenv("GIT_DIR", ".git")
	t.Setenv("GIT_WORK_TREE", ".")
	tree, err := gitfs.Open(t.Context(), filepath.Join(dir, "api/contracts"), "v1")
	if err != nil || tree.Files == 0 {
		t.Errorf("%d files, %v", tree.Files, err)
	}
}
