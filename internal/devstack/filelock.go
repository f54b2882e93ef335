package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// fileLock is an flock on a file that names the holder. The kernel gives it back
// when the holder dies, so nothing is ever left to clean up; the file stays.
type fileLock struct{ f *os.File }

var errLocked = errors.New("locked")

// tryLock returns errLocked and the holder's pid (0 = unknown) if path is held.
func tryLock(path string) (*fileLock, int, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, 0, diskError("open lock "+path, path, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid := readPid(f)
		_ = f.Close()
		return nil, pid, errLocked
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, fmt.Errorf("devstack: lock %s: %w; use a folder on a local disk", path, err)
	}
	if err := writePid(f); err != nil {
		_ = f.Close()
		return nil, 0, diskError("write lock "+path, path, err)
	}
	return &fileLock{f}, 0, nil
}

// lockWait polls because a blocking flock cannot be cancelled.
func lockWait(ctx context.Context, path string) (*fileLock, error) {
	for {
		l, pid, err := tryLock(path)
		if !errors.Is(err, errLocked) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("devstack: wait for %s, held by process %d: %w", path, pid, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (l *fileLock) release() { _ = l.f.Close() }

func readPid(f *os.File) int {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 32))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

func writePid(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
