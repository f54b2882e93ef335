package stack

import (
	"fmt"
	"path/filepath"
	"syscall"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/internal/devstack"
)

// leastDisk is what a new database and its first log need.
const leastDisk = 100 << 20

// checkDisk fails before anything is started on a disk that is nearly full:
// PostgreSQL says so in many ways, late.
func checkDisk(folder string) error {
	free, ok := freeBytes(folder)
	if !ok || free >= leastDisk {
		return nil
	}
	return fmt.Errorf("stack: check the disk of %s: %w (%s left, %s needed); free some, or choose a folder on another disk",
		folder, devstack.ErrDiskFull, render.Bytes(free), render.Bytes(leastDisk))
}

// freeBytes of the disk of path, or of the folder it will be made in.
func freeBytes(path string) (free int64, ok bool) {
	for {
		var s syscall.Statfs_t
		if err := syscall.Statfs(path, &s); err == nil {
			return int64(s.Bavail * uint64(s.Bsize)), true
		}
		parent := filepath.Dir(path)
		if parent == path {
			return 0, false
		}
		path = parent
	}
}
