package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func openFolder(t *testing.T, path string, fresh bool) *Folder {
	t.Helper()
	f, err := OpenFolder(path, fresh)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func TestFolderIsHeldByOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "state")
	a := startActor(t, "folder", path)
	_, err := OpenFolder(path, false)
	mustContain(t, err, path, fmt.Sprintf("process %d", a.cmd.Process.Pid), fmt.Sprintf("kill %d", a.cmd.Process.Pid))
	if !errors.Is(err, ErrFolderHeld) {
		t.Errorf("%v is not ErrFolderHeld", err)
	}
	if _, err := OpenFolder(path, true); !errors.Is(err, ErrFolderHeld) {
		t.Errorf("--fresh on a held folder: %v", err)
	}
	a.kill()
	openFolder(t, path, false)
}

func TestFolderThatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	path := folder(t)
	put(t, path, "thesis.txt", "years of work")
	for _, fresh := range []bool{false, true} {
		_, err := OpenFolder(path, fresh)
		mustContain(t, err, "is not ours", "choose an empty folder")
	}
	if entries, _ := os.ReadDir(path); len(entries) != 1 {
		t.Errorf("the folder holds %v", entries)
	}
}

func TestFreshRemovesWhatAStackMakesAndNothingElse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "state")
	f := openFolder(t, path, false)
	put(t, f.Postgres(), "PG_VERSION", "18")
	put(t, f.Broker(), "meta.json", "{}")
	put(t, f.Secrets(), "postgres", "old")
	put(t, f.Path(), "notes.txt", "mine")
	f.Close()

	openFolder(t, path, false).Close()
	if _, err := os.Stat(filepath.Join(f.Broker(), "meta.json")); err != nil {
		t.Fatalf("an ordinary start lost data: %v", err)
	}
	openFolder(t, path, true)
	for _, gone := range []string{f.Postgres(), filepath.Join(f.Broker(), "meta.json"), filepath.Join(f.Secrets(), "postgres")} {
		if _, err := os.Stat(gone); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", gone, err)
		}
	}
	if _, err := os.Stat(filepath.Join(path, "notes.txt")); err != nil {
		t.Errorf("a file of the user's went: %v", err)
	}
}

func TestFreshRightAfterAKillMeetsNoServerOfTheLastRun(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "state")
	a := startActor(t, "stack", path)
	var pid int
	if _, err := fmt.Sscan(a.line, &pid); err != nil {
		t.Fatal(err)
	}
	a.kill()
	f := openFolder(t, path, true)
	if !gone(pid) {
		t.Error("the folder was emptied under a running server")
	}
	startPostgres(t, f.PostgresConfig())
}

func TestHelperIsKilledWhenNobodyWaitsAnyMore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := runHelper(ctx, exec.Command("sleep", "100"), account{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the deadline", err)
	}
}

func TestSecretsAreClosedToOthers(t *testing.T) {
	t.Parallel()
	f := openFolder(t, filepath.Join(folder(t), "state"), false)
	for _, dir := range []string{f.Secrets(), f.Broker(), f.Logs()} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
	}
}
