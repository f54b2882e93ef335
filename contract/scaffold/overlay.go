package scaffold

import (
	"bytes"
	"io/fs"
	"path"
	"strings"
	"time"
)

// overlay is a folder with files that are not written yet.
type overlay struct {
	under fs.FS
	files map[string][]byte
}

// Open implements fs.FS.
func (o overlay) Open(name string) (fs.File, error) {
	if text, ok := o.files[name]; ok {
		return &draftFile{draftInfo{path.Base(name), int64(len(text)), 0o644}, bytes.NewReader(text)}, nil
	}
	return o.under.Open(name)
}

// ReadDir implements fs.ReadDirFS.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(o.under, name)
	seen := map[string]bool{}
	for _, e := range entries {
		seen[e.Name()] = true
	}
	prefix := ""
	if name != "." {
		prefix = name + "/"
	}
	for file, text := range o.files {
		rest, below := strings.CutPrefix(file, prefix)
		if !below {
			continue
		}
		first, _, isDir := strings.Cut(rest, "/")
		if seen[first] {
			continue
		}
		seen[first] = true
		info := draftInfo{first, int64(len(text)), 0o644}
		if isDir {
			info = draftInfo{first, 0, fs.ModeDir | 0o755}
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	if len(entries) > 0 || name == "events" { // a folder that has none yet
		return entries, nil
	}
	return entries, err
}

type draftInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i draftInfo) Name() string      { return i.name }
func (i draftInfo) Size() int64       { return i.size }
func (i draftInfo) Mode() fs.FileMode { return i.mode }
func (draftInfo) ModTime() time.Time  { return time.Time{} }
func (i draftInfo) IsDir() bool       { return i.mode.IsDir() }
func (draftInfo) Sys() any            { return nil }

type draftFile struct {
	info draftInfo
	*bytes.Reader
}

func (f *draftFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (*draftFile) Close() error                 { return nil }
