//go:build !linux

package fault

import "syscall"

// attributes: without a signal of the parent's death, the end of its standard
// input ends the child.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
