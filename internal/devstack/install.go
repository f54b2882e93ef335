package devstack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// InstallPostgres returns the folder with the pinned server binaries (bin, lib,
// share), downloading them into cache first if need be; cache "" means
// [CacheDir]. Concurrent callers, also in other processes, download once.
func InstallPostgres(ctx context.Context, cache string, progress ProgressFunc) (string, error) {
	a, err := thisArchive()
	if err != nil {
		return "", err
	}
	if cache == "" {
		if cache, err = CacheDir(); err != nil {
			return "", err
		}
	}
	return install(ctx, a, cache, progress)
}

func install(ctx context.Context, a archive, cache string, progress ProgressFunc) (string, error) {
	dir := filepath.Join(cache, a.folder())
	if installed(dir) {
		return dir, nil
	}
	if err := makeDir(cache, 0o755); err != nil {
		return "", err
	}
	lock, err := lockWait(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer lock.release()
	if installed(dir) {
		return dir, nil
	}
	return dir, installTo(ctx, a, dir, progress)
}

// installed needs no more than the folder: it appears by rename, complete.
func installed(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "bin", "postgres"))
	return err == nil
}

// installTo runs under the lock, so leftovers of a killed installer are garbage.
func installTo(ctx context.Context, a archive, dir string, progress ProgressFunc) error {
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("devstack: remove a broken installation: %w; remove %s by hand", err, part)
	}
	defer os.RemoveAll(part)
	if err := makeDir(part, 0o755); err != nil {
		return err
	}
	jar := filepath.Join(part, a.file())
	if err := download(ctx, a.url(), jar, a.sha256, progress); err != nil {
		return err
	}
	if err := unpack(jar, part); err != nil {
		return err
	}
	if err := os.Remove(jar); err != nil {
		return fmt.Errorf("devstack: install PostgreSQL: %w", err)
	}
	if err := openToAll(part); err != nil {
		return fmt.Errorf("devstack: install PostgreSQL: %w", err)
	}
	if err := os.Rename(part, dir); err != nil {
		return diskError("install PostgreSQL to "+dir, dir, err)
	}
	return nil
}
