// Package generated keeps files that programs make: it writes them, or says which are
// out of date.
//
// It is for the generators of this repository alone and is not safe for two of them
// on the same files.
package generated

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is one that a program makes. Path is relative to the module. Without Text it
// must go.
type File struct {
	Path string
	Text []byte
}

// ErrOutdated is part of an error of [Place] that found files out of date.
var ErrOutdated = errors.New("files are out of date")

// Place makes files below root what they must be. With check it writes nothing, and
// its error names every file that is another, with the first difference.
func Place(root string, files []File, check bool) error {
	var outdated []error
	for _, f := range files {
		path := filepath.Join(root, f.Path)
		old, err := os.ReadFile(path)
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("generated: read what is there: %w", err)
		case bytes.Equal(old, f.Text):
		case check:
			outdated = append(outdated, fmt.Errorf("generated: %s is out of date: %s", f.Path, firstDifference(old, f.Text)))
		default:
			if err := place(path, f.Text); err != nil {
				return fmt.Errorf("generated: write what is made: %w", err)
			}
		}
	}
	if len(outdated) > 0 {
		return errors.Join(append(outdated, ErrOutdated)...)
	}
	return nil
}

func place(path string, text []byte) error {
	if text == nil {
		return os.Remove(path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// firstDifference is the first line in which two texts differ.
func firstDifference(old, now []byte) string {
	was, is := bytes.Split(old, []byte("\n")), bytes.Split(now, []byte("\n"))
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || !bytes.Equal(was[i], is[i]) {
			return fmt.Sprintf("line %d is %q, the source says %q", i+1, line(was, i), line(is, i))
		}
	}
	return "no difference"
}

func line(lines [][]byte, i int) []byte {
	if i < len(lines) {
		return lines[i]
	}
	return nil
}
