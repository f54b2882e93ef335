package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// KilledPostgres is what [KillPostgres] found and left.
type KilledPostgres struct {
	// PIDs are the processes of the server, the postmaster first. Each was killed,
	// or ended because its postmaster was. Empty where no server ran.
	PIDs []int
	// IsUnclean reports that the server did not shut down: its pid file is still
	// there.
	IsUnclean bool
}

// KillPostgres sends SIGKILL to every process of the server of a state folder,
// the postmaster first so that it can start no other, and returns once none is
// left. Nothing is rolled back or written out; the next start recovers. For
// proofs: whoever holds the folder loses its database without a word.
func KillPostgres(ctx context.Context, folder string) (KilledPostgres, error) {
	dir := (&Folder{path: folder}).Postgres()
	pidFile := filepath.Join(dir, "postmaster.pid")
	first, err := postmaster(pidFile)
	if err != nil {
		return KilledPostgres{}, err
	}
	var killed KilledPostgres
	workers := workersIn(first, dir) // many end by themselves once the postmaster is gone
	if first > 0 && runsOn(first, dir) {
		if err := killed.kill(first); err != nil {
			return killed, err
		}
	}
	killed.add(workers...)
	for {
		left := workersIn(first, dir)
		if len(left) == 0 {
			_, err := os.Stat(pidFile)
			killed.IsUnclean = err == nil
			return killed, nil
		}
		for _, pid := range left {
			if err := killed.kill(pid); err != nil {
				return killed, err
			}
		}
		select {
		case <-ctx.Done():
			return killed, fmt.Errorf("devstack: kill PostgreSQL in %s: processes %v are still there: %w", dir, left, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

func (k *KilledPostgres) kill(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("devstack: kill PostgreSQL process %d: %w", pid, err)
	}
	k.add(pid)
	return nil
}

func (k *KilledPostgres) add(pids ...int) {
	for _, pid := range pids {
		if !slices.Contains(k.PIDs, pid) {
			k.PIDs = append(k.PIDs, pid)
		}
	}
}
