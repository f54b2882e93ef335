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
func busyIn(_ int, dataDir string) int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && runsOn(pid, dataDir) {
			return pid
		}
	}
	return 0
}
