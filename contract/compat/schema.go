package compat

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a JSON Schema that was read and compiled.
type Schema struct {
	name     string
	url      string
	docs     map[string]any // every document that was read, by URL
	compiled *jsonschema.Schema
	dynamic  map[string]*jsonschema.Schema // where a $dynamicRef leads in every scope
}

// SchemaError is what keeps bytes from being a usable schema.
type SchemaError struct {
	Name    string // as it was given to Parse or Load
	Problem string
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("compat: read schema %s: %s", e.Name, e.Problem)
}

// standalone is the address of a schema that has none.
const standalone = "schema:///"

// Parse reads a schema that refers to nothing outside of itself. The name is for
// messages.
func Parse(name string, text []byte) (*Schema, error) {
	return parse(name, text, standalone+"root.json", &folder{})
}

// Load reads a schema from a folder in which its references lead to other files,
// by relative path or by an $id that ends in the file's path.
func Load(fsys fs.FS, file string) (*Schema, error) {
	text, err := readBounded(fsys, file)
	if err != nil {
		return nil, &SchemaError{Name: file, Problem: err.Error()}
	}
	return parse(file, text, standalone+file, &folder{fsys: fsys})
}

func parse(name string, text []byte, url string, f *folder) (_ *Schema, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &SchemaError{Name: name, Problem: fmt.Sprintf("the validator gave up on it (%v)", p)}
		}
	}()
	doc, err := decode(text)
	if err != nil {
		return nil, &SchemaError{Name: name, Problem: err.Error()}
	}
	f.bases = []string{standalone}
	if id := idOf(doc); id != "" {
		url = id
		if base, ok := strings.CutSuffix(id, "/"+path.Clean(name)); ok {
			f.bases = append(f.bases, base+"/")
		}
	}
	f.docs = map[string]any{url: doc}
	compiler, err := f.compiler(url, doc)
	if err != nil {
		return nil, &SchemaError{Name: name, Problem: oneLine(err)}
	}
	compiled, err := compiler.Compile(url)
	if err != nil {
		return nil, &SchemaError{Name: name, Problem: oneLine(err)}
	}
	s := &Schema{name: name, url: url, docs: f.docs, compiled: compiled}
	s.dynamic = dynamicTargets(compiler, s)
	return s, nil
}

// dynamicTargets finds the anchors that a dynamic reference cannot mistake: one
// in the root, which is in every scope as the outermost, or the only one of its
// name.
func dynamicTargets(compiler *jsonschema.Compiler, s *Schema) map[string]*jsonschema.Schema {
	anchors := map[string]int{}
	for _, doc := range s.docs {
		countAnchors(doc, anchors)
	}
	targets := map[string]*jsonschema.Schema{}
	for anchor, n := range anchors {
		target, err := compiler.Compile(s.url + "#" + anchor)
		switch {
		case err == nil && target.DynamicAnchor == anchor:
			targets[anchor] = target
		case n == 1:
			targets[anchor] = nil // the reference's own target
		}
	}
	return targets
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

// idOf returns an absolute $id without its fragment.
func idOf(doc any) string {
	object, _ := doc.(map[string]any)
	id, ok := object["$id"].(string)
	if !ok {
		id, _ = object["id"].(string)
	}
	id, _, _ = strings.Cut(id, "#")
	if !strings.Contains(id, "://") {
		return ""
	}
	return id
}

// folder loads what a schema refers to.
type folder struct {
	fsys  fs.FS
	bases []string // the beginnings of a URL that stand for the folder
	docs  map[string]any
}

func (f *folder) compiler(url string, doc any) (*jsonschema.Compiler, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(f)
	return c, c.AddResource(url, doc)
}

var errOutside = errors.New("it is not in the schema's folder; refer to a file of the folder by relative path")

// Load implements jsonschema.URLLoader.
func (f *folder) Load(url string) (any, error) {
	for _, base := range f.bases {
		file, ok := strings.CutPrefix(url, base)
		if !ok || f.fsys == nil || !fs.ValidPath(file) {
			continue
		}
		text, err := readBounded(f.fsys, path.Clean(file))
		if err != nil {
			return nil, err
		}
		doc, err := decode(text)
		if err == nil {
			f.docs[url] = doc
		}
		return doc, err
	}
	return nil, errOutside
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
