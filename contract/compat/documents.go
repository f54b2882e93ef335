package compat

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// documents are what was read so far of a folder, by URL.
type documents struct {
	fsys  fs.FS    // nil for none
	bases []string // the beginnings of a URL that stand for the folder

	mu      sync.Mutex
	byURL   map[string]any
	anchors map[string]int // how many places have a $dynamicAnchor of that name
}

func newDocuments(fsys fs.FS) *documents {
	return &documents{fsys: fsys, bases: []string{standalone}, byURL: map[string]any{}, anchors: map[string]int{}}
}

func (d *documents) compiler() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(d)
	return c
}

func (d *documents) add(url string, doc any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byURL[url] = doc
	countAnchors(doc, d.anchors)
}

func (d *documents) at(url string) any {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byURL[url]
}

var errOutside = errors.New("it is not in the schema's folder; refer to a file of the folder by relative path")

// Load implements jsonschema.URLLoader.
func (d *documents) Load(url string) (any, error) {
	for _, base := range d.bases {
		file, ok := strings.CutPrefix(url, base)
		if !ok || d.fsys == nil || !fs.ValidPath(file) {
			continue
		}
		text, err := readBounded(d.fsys, path.Clean(file))
		if err != nil {
			return nil, err
		}
		doc, err := decode(text)
		if err == nil {
			d.add(url, doc)
		}
		return doc, err
	}
	return nil, errOutside
}

func countAnchors(value any, anchors map[string]int) {
	switch v := value.(type) {
	case map[string]any:
		if anchor, ok := v["$dynamicAnchor"].(string); ok {
			anchors[anchor]++
		}
		for _, member := range v {
			countAnchors(member, anchors)
		}
	case []any:
		for _, element := range v {
			countAnchors(element, anchors)
		}
	}
}
