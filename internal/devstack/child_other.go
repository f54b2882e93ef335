//go:build !linux

package devstack

import "syscall"

// dieWithParent does nothing where the kernel has no such signal; a server left
// over is then stopped by the next start on its folder.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
