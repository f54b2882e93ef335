package scaffold

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Write makes the files of the draft below a folder, which it makes too. It follows
// no link out of the folder, overwrites nothing, and takes back what it made when
// one of the files cannot be. It returns their paths inside the folder, sorted.
func (d Draft) Write(folder string) (written []string, err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("scaffold: make the folder: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("scaffold: open the folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	for _, file := range slices.Sorted(maps.Keys(d.Files)) {
		if err := create(root, file, d.Files[file]); err != nil {
			for _, made := range written {
				err = errors.Join(err, root.Remove(filepath.FromSlash(made)))
			}
			return nil, fmt.Errorf("scaffold: write the draft: %w; nothing was kept", err)
		}
		written = append(written, file)
	}
	return written, nil
}

func create(root *os.Root, file string, text []byte) error {
	if err := root.MkdirAll(filepath.FromSlash(path.Dir(file)), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(filepath.FromSlash(file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
