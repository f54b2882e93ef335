package devstack

import (
	"os"
	"path/filepath"
	"strconv"
)

// runsOn tells whether the process is a postgres that works in dataDir: every
// server process stays in its data folder.
func runsOn(pid int, dataDir string) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	cwd, err := os.Stat(filepath.Join(proc, "cwd"))
	if err != nil {
		return false
	}
	dir, err := os.Stat(dataDir)
	if err != nil || !os.SameFile(cwd, dir) {
		return false
	}
	comm, err := os.ReadFile(filepath.Join(proc, "comm"))
	return err == nil && string(comm) == "postgres\n"
}

// busyIn returns a server process that works in dataDir, 0 if there is none. It
// looks at all processes: backends can outlive a killed postmaster for a moment.
func busyIn(pid int, dataDir string) int {
	if found := workersIn(pid, dataDir); len(found) > 0 {
		return found[0]
	}
	return 0
}

// workersIn returns all server processes that work in dataDir.
func workersIn(_ int, dataDir string) (pids []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && runsOn(pid, dataDir) {
			pids = append(pids, pid)
		}
	}
	return pids
}
