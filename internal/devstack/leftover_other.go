//go:build !linux

package devstack

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

func runsOn(pid int, dataDir string) bool {
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), "postgres") && strings.Contains(string(out), "-D "+dataDir)
}

func busyIn(pid int, dataDir string) int {
	if pid > 0 && runsOn(pid, dataDir) {
		return pid
	}
	return 0
}

// workersIn returns a postmaster and its children. Once it is dead they cannot be
// told from others, and end by themselves.
func workersIn(pid int, dataDir string) (pids []int) {
	if busyIn(pid, dataDir) == 0 {
		return nil
	}
	out, err := exec.Command("ps", "-axo", "pid=,ppid=").Output()
	if err != nil {
		return []int{pid}
	}
	pids = []int{pid}
	for line := range strings.Lines(string(out)) {
		var child, parent int
		if n, err := fmt.Sscan(line, &child, &parent); n == 2 && err == nil && parent == pid {
			pids = append(pids, child)
		}
	}
	return pids
}
