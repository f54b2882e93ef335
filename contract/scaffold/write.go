package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Write makes the files of the draft below a folder, which it makes too. It follows
// no link out of the folder, overwrites nothing, and takes back what it made when
// one of the files cannot be. It returns their paths inside the folder, sorted.
func (d Draft) Write(folder string) (written []string, err error) {
	outer := missing(os.Stat, filepath.Clean(folder))
	defer func() {
		if err != nil {
			err = errors.Join(err, remove(os.Remove, outer))
		}
	}()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("scaffold: make the folder: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("scaffold: open the folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	w := writer{root: root}
	for _, file := range slices.Sorted(maps.Keys(d.Files)) {
		if err := w.create(filepath.FromSlash(file), d.Files[file]); err != nil {
			if left := remove(root.Remove, w.made); left != nil {
				return nil, fmt.Errorf("scaffold: write the draft: %w; take away what is left of it: %w", err, left)
			}
			return nil, fmt.Errorf("scaffold: write the draft: %w; nothing was kept", err)
		}
		written = append(written, file)
	}
	return written, nil
}

// writer makes files and remembers each file and folder that it made, in order.
type writer struct {
	root *os.Root
	made []string
}

func (w *writer) create(file string, text []byte) error {
	w.made = append(w.made, missing(w.root.Lstat, filepath.Dir(file))...)
	if err := w.root.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := w.root.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	w.made = append(w.made, file)
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// missing are the folders that a path lacks, the outermost first.
func missing(stat func(string) (fs.FileInfo, error), folder string) (lacks []string) {
	for {
		if _, err := stat(folder); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		lacks = append(lacks, folder)
		folder = filepath.Dir(folder)
	}
	slices.Reverse(lacks)
	return lacks
}

// remove takes away what was made, the last first.
func remove(one func(string) error, made []string) (err error) {
	for _, path := range slices.Backward(made) {
		if failed := one(path); !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	return err
}
