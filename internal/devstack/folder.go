package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	folderMarker = ".factline"
	markerText   = "This folder holds the data of `factline up`. It may be deleted while factline is not running.\n"
)

// Folder is the state of one stack, held by this process: database, broker and
// secrets below one path, under one lock.
type Folder struct {
	path string
	lock *fileLock
}

// OpenFolder takes hold of the folder, making it if missing; fresh empties it of
// what a stack has left. It fails with [ErrFolderHeld] while another process
// holds it, and refuses a folder with content that is not ours. Release it with
// [Folder.Close], after everything in it has stopped.
func OpenFolder(path string, fresh bool) (*Folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("devstack: open state folder %s: %w", path, err)
	}
	if err := claimFolder(path); err != nil {
		return nil, err
	}
	lock, pid, err := tryLock(filepath.Join(path, "lock"))
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("devstack: open state folder %s: %w (process %d); stop it with kill %d, or give this one another folder and other ports", path, ErrFolderHeld, pid, pid)
	}
	if err != nil {
		return nil, err
	}
	f := &Folder{path: path, lock: lock}
	if err := f.prepare(fresh); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// claimFolder marks an empty folder as ours. A server of another user has to
// pass through it when root starts one.
func claimFolder(path string) error {
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if _, err := os.Stat(filepath.Join(path, folderMarker)); err == nil {
		return os.Chmod(path, mode)
	}
	if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
		return fmt.Errorf("devstack: open state folder %s: it has content and no %s file, so it is not ours; choose an empty folder", path, folderMarker)
	}
	if err := makeDir(path, mode); err != nil {
		return err
	}
	marker := filepath.Join(path, folderMarker)
	if err := os.WriteFile(marker, []byte(markerText), 0o644); err != nil {
		return diskError("write "+marker, marker, err)
	}
	return nil
}

func (f *Folder) prepare(fresh bool) error {
	if fresh {
		if err := f.wipe(); err != nil {
			return err
		}
	}
	for _, dir := range []string{f.Broker(), f.Secrets(), f.Logs()} {
		if err := makeDir(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// wipe removes by name what a stack makes, and nothing else that lies there.
func (f *Folder) wipe() error {
	if err := stopLeftover(context.Background(), f.PostgresConfig().WithDefaults()); err != nil {
		return err
	}
	for _, path := range []string{f.Postgres(), f.Postgres() + ".part", f.Broker(), f.Secrets(), f.Logs()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("devstack: start over in %s: %w; remove it by hand", f.path, err)
		}
	}
	return nil
}

// Path of the whole folder.
func (f *Folder) Path() string { return f.path }

// Postgres is the database's data folder; the server makes it.
func (f *Folder) Postgres() string { return filepath.Join(f.path, "postgres") }

// Broker is the embedded broker's data folder.
func (f *Folder) Broker() string { return filepath.Join(f.path, "broker") }

// Secrets is for generated passwords; only the owner can enter it.
func (f *Folder) Secrets() string { return filepath.Join(f.path, "secrets") }

// Logs is for what servers write.
func (f *Folder) Logs() string { return filepath.Join(f.path, "logs") }

// PostgresConfig points a server's data, password and log into the folder.
func (f *Folder) PostgresConfig() PostgresConfig {
	return PostgresConfig{
		DataDir:      f.Postgres(),
		PasswordFile: filepath.Join(f.Secrets(), "postgres"),
		LogFile:      filepath.Join(f.Logs(), "postgres.log"),
	}
}

// Close lets the next process have the folder.
func (f *Folder) Close() { f.lock.release() }
