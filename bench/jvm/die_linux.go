package jvm

import (
	"os/exec"
	"syscall"
)

// dieWithParent leaves no program behind when this one is killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
