package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopLeftover ends the server that a killed process left on our data folder. It
// may be on its way out already (parent-death signal), or have had none.
func stopLeftover(ctx context.Context, cfg PostgresConfig) error {
	pidFile := filepath.Join(cfg.DataDir, "postmaster.pid")
	pid, err := postmaster(pidFile)
	if err != nil || pid == 0 {
		return err
	}
	if pid > 0 && runsOn(pid, cfg.DataDir) {
		cfg.Logger.Warn("stopping the postgres that an earlier run left", "pid", pid, "folder", cfg.DataDir)
		if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("devstack: stop PostgreSQL process %d on %s: %w; stop it by hand: kill -INT %d", pid, cfg.DataDir, err, pid)
		}
	}
	if err := awaitGone(ctx, pid, cfg.DataDir); err != nil {
		return err
	}
	// PostgreSQL refuses a file whose pid is alive, and after a kill -9 the pid
	// may be a zombie or somebody else by now. Nobody works in the folder.
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("devstack: remove the stale %s: %w", pidFile, err)
	}
	return nil
}

// unwritten stands for the id that a server did not come to write into its pid
// file: it makes the file first, and a kill -9 can fall in between.
const unwritten = -1

// postmaster returns the process id in a pid file, 0 where there is no file, or
// unwritten.
func postmaster(pidFile string) (int, error) {
	b, err := os.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("devstack: read %s: %w", pidFile, err)
	}
	if len(b) == 0 {
		return unwritten, nil
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("devstack: read %s: its first line is no process id (%q); make sure no postgres runs on that folder and remove the file", pidFile, first)
	}
	return pid, nil
}

func ownServer(dataDir string) bool {
	pid, err := postmaster(filepath.Join(dataDir, "postmaster.pid"))
	return err == nil && pid > 0 && runsOn(pid, dataDir)
}

func awaitGone(ctx context.Context, pid int, dataDir string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		busy := busyIn(pid, dataDir)
		if busy == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("devstack: wait for PostgreSQL process %d to leave %s: %w; end it with: kill -QUIT %d", busy, dataDir, ctx.Err(), busy)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
