package devstack

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"
)

// unpack writes the .txz inside the jar to dir. The jar has been verified; the
// path checks below cost nothing and keep the function safe by itself.
func unpack(jar, dir string) error {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return fmt.Errorf("devstack: unpack %s: %w", jar, err)
	}
	defer z.Close()
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".txz") {
			return unpackEntry(f, dir)
		}
	}
	return fmt.Errorf("devstack: unpack %s: it holds no .txz; %s", jar, usePostgres)
}

func unpackEntry(f *zip.File, dir string) error {
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("devstack: unpack %s: %w", f.Name, err)
	}
	defer r.Close()
	x, err := xz.NewReader(bufio.NewReader(r))
	if err != nil {
		return fmt.Errorf("devstack: unpack %s: %w", f.Name, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("devstack: unpack to %s: %w", dir, err)
	}
	defer root.Close()
	return untar(tar.NewReader(x), root)
}

func untar(t *tar.Reader, root *os.Root) error {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("devstack: unpack to %s: %w", root.Name(), err)
		}
		if err := writeEntry(t, h, root); err != nil {
			path := filepath.Join(root.Name(), h.Name)
			return diskError("unpack "+path, path, err)
		}
	}
}

// writeEntry makes everything readable and passable for all: the server may run
// as another user than the one who unpacked it.
func writeEntry(r io.Reader, h *tar.Header, root *os.Root) error {
	name := filepath.Clean(h.Name)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		return writeFile(r, root, name, os.FileMode(h.Mode).Perm()|0o444)
	}
	return nil
}

func writeFile(r io.Reader, root *os.Root, name string, mode os.FileMode) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// openToAll undoes a strict umask for every folder and file under dir.
func openToAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Type()&os.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := info.Mode().Perm() | 0o444
		if d.IsDir() || want&0o100 != 0 {
			want |= 0o111
		}
		return os.Chmod(path, want)
	})
}
