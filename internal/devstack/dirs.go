package devstack

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	rootCache = "/var/cache/factline"
	rootState = "/var/lib/factline"
)

// CacheDir returns the folder that keeps downloads: FACTLINE_CACHE if set,
// /var/cache/factline for root, else factline in the user's cache folder.
// Root has its own because the server, which runs as another user, must be able
// to read it, and root's home is closed to others.
func CacheDir() (string, error) {
	if dir := os.Getenv("FACTLINE_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	if os.Geteuid() == 0 {
		return rootCache, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("devstack: find the cache folder: %w; set FACTLINE_CACHE to a folder you can write", err)
	}
	return filepath.Join(dir, "factline"), nil
}

// StateDir returns the folder that keeps the data of `factline up` between
// runs: /var/lib/factline for root, else factline in XDG_STATE_HOME or
// ~/.local/state.
func StateDir() (string, error) {
	if os.Geteuid() == 0 {
		return rootState, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "factline"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("devstack: find the state folder: %w; set XDG_STATE_HOME to a folder you can write", err)
	}
	return filepath.Join(home, ".local", "state", "factline"), nil
}

// makeDir creates dir and its parents and sets mode on dir itself whatever the
// umask, because another user's server has to pass through.
func makeDir(dir string, mode os.FileMode) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return diskError("create folder "+dir, dir, err)
	}
	if err := os.Chmod(dir, mode); err != nil {
		return fmt.Errorf("devstack: open folder %s for the database server: %w; use a folder you own", dir, err)
	}
	return nil
}
