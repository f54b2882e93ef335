package devstack

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
)

var (
	// ErrPortInUse marks a fixed port that another process listens on.
	ErrPortInUse = errors.New("port is in use")
	// ErrDiskFull marks a full disk, found by us or reported by a server.
	ErrDiskFull = errors.New("disk is full")
	// ErrChecksum marks a download that is not the pinned file.
	ErrChecksum = errors.New("checksum does not match")
	// ErrFolderHeld marks a folder that another process holds.
	ErrFolderHeld = errors.New("folder is held by another process")
	// ErrUnsupported marks a platform without pinned PostgreSQL binaries.
	ErrUnsupported = errors.New("no PostgreSQL binaries for this platform")
)

const usePostgres = "or use a PostgreSQL of your own with --postgres URL (tests: FACTLINE_POSTGRES=URL)"

// diskError says what to do when err is a full disk, and wraps it otherwise.
func diskError(doing, path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("devstack: %s: %w (%w); free at least 500 MB on the disk of %s, or choose a folder on another disk",
			doing, ErrDiskFull, err, filepath.Dir(path))
	}
	return fmt.Errorf("devstack: %s: %w", doing, err)
}

// serverError explains the end of a server from the tail of its log. The log is
// text of a pinned version in the C locale, the only thing a dying server leaves.
func serverError(what, dir, log, logFile string, port int) error {
	tail := lastLines(log, 8)
	switch {
	case strings.Contains(log, "No space left on device"):
		return fmt.Errorf("devstack: %s in %s: %w; free space on that disk, then start again; its log ends:\n%s", what, dir, ErrDiskFull, tail)
	case strings.Contains(log, "Address already in use"):
		return portError(what, port)
	}
	return fmt.Errorf("devstack: %s in %s; read %s, which ends:\n%s", what, dir, logFile, tail)
}

func portError(what string, port int) error {
	return fmt.Errorf("devstack: %s: %w (127.0.0.1:%d); stop the process that listens there (find it with: ss -ltnp 'sport = :%d') or choose another port",
		what, ErrPortInUse, port, port)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
