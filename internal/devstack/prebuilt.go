package devstack

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// copyPrebuilt fills part/data from the cluster kept beside the binaries, which
// it makes first if need be. The cluster belongs to one user: others make their
// own.
func copyPrebuilt(ctx context.Context, bin, part string, as account) (string, error) {
	kept := bin + "-cluster-" + strconv.Itoa(as.uid)
	if err := keepPrebuilt(ctx, bin, kept, as); err != nil {
		return "", err
	}
	password, err := os.ReadFile(filepath.Join(kept, "password"))
	if err != nil {
		return "", fmt.Errorf("devstack: read the prebuilt database: %w; remove %s", err, kept)
	}
	if err := copyTree(kept, part); err != nil {
		return "", diskError("copy the prebuilt database to "+part, part, err)
	}
	return string(password), as.own(part)
}

func keepPrebuilt(ctx context.Context, bin, kept string, as account) error {
	lock, err := lockWait(ctx, kept+".lock")
	if err != nil {
		return err
	}
	defer lock.release()
	if _, err := os.Stat(kept); err == nil {
		return nil
	}
	part := kept + ".part"
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("devstack: remove a half-made prebuilt database: %w", err)
	}
	defer os.RemoveAll(part)
	if err := initdb(ctx, bin, part, rand.Text(), as); err != nil {
		return err
	}
	if err := os.Rename(part, kept); err != nil {
		return diskError("make the prebuilt database "+kept, kept, err)
	}
	return nil
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.Mkdir(target, info.Mode().Perm())
		}
		return copyFile(path, target, info.Mode().Perm())
	})
}

func copyFile(from, to string, mode os.FileMode) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(dst, src); err != nil {
		_ = dst.Close()
		return err
	}
	return dst.Close()
}
