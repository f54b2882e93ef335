//go:build !linux

package devstack

import (
	"os/exec"
	"strconv"
	"strings"
)

func runsOn(pid int, dataDir string) bool {
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), "postgres") && strings.Contains(string(out), "-D "+dataDir)
}

func busyIn(pid int, dataDir string) int {
	if runsOn(pid, dataDir) {
		return pid
	}
	return 0
}
