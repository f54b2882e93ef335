package compat

import (
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Folder reads the schemas of one folder, which must not change meanwhile. What
// several of them refer to is read and compiled once. It is safe for concurrent
// use.
type Folder struct {
	fsys fs.FS

	mu       sync.Mutex // held while the compiler works
	docs     *documents
	compiler *jsonschema.Compiler
}

// NewFolder returns a folder of which nothing is read yet.
func NewFolder(fsys fs.FS) *Folder { return &Folder{fsys: fsys} }

// Load reads a schema as the function [Load] does.
func (f *Folder) Load(file string) (*Schema, error) {
	if s := f.together(file); s != nil {
		return s, nil
	}
	return Load(f.fsys, file)
}

// together reads a schema with the compiler of all. It returns nil for one that
// has to be read alone: whose $id is not where the others' are, that is in a
// folder with dynamic anchors, whose targets depend on what else was read, or
// that cannot be used, which [Load] then tells.
func (f *Folder) together(file string) (s *Schema) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() {
		if recover() != nil {
			f.docs, s = nil, nil
		}
	}()
	if f.docs == nil && !f.begin(file) {
		return nil
	}
	url := f.docs.bases[1] + path.Clean(file)
	compiled, err := f.compiler.Compile(url)
	if err != nil || idOf(f.docs.at(url)) != url || len(f.docs.anchors) > 0 {
		return nil
	}
	return &Schema{name: file, url: url, docs: f.docs, compiled: compiled}
}

// begin takes the base of the first schema for that of all.
func (f *Folder) begin(file string) bool {
	text, err := readBounded(f.fsys, file)
	if err != nil {
		return false
	}
	doc, err := decode(text)
	if err != nil {
		return false
	}
	base, ok := strings.CutSuffix(idOf(doc), "/"+path.Clean(file))
	if !ok {
		return false
	}
	f.docs = newDocuments(f.fsys)
	f.docs.bases = append(f.docs.bases, base+"/")
	f.compiler = f.docs.compiler()
	return true
}
