package compat

import (
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
	docs     *documents
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
	return parse(name, text, standalone+"root.json", newDocuments(nil))
}

// Load reads a schema from a folder in which its references lead to other files,
// by relative path or by an $id that ends in the file's path.
func Load(fsys fs.FS, file string) (*Schema, error) {
	text, err := readBounded(fsys, file)
	if err != nil {
		return nil, &SchemaError{Name: file, Problem: err.Error()}
	}
	return parse(file, text, standalone+file, newDocuments(fsys))
}

func parse(name string, text []byte, url string, d *documents) (_ *Schema, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &SchemaError{Name: name, Problem: fmt.Sprintf("the validator gave up on it (%v)", p)}
		}
	}()
	doc, err := decode(text)
	if err != nil {
		return nil, &SchemaError{Name: name, Problem: err.Error()}
	}
	if id := idOf(doc); id != "" {
		url = id
		if base, ok := strings.CutSuffix(id, "/"+path.Clean(name)); ok {
			d.bases = append(d.bases, base+"/")
		}
	}
	d.add(url, doc)
	compiler := d.compiler()
	if err := compiler.AddResource(url, doc); err != nil {
		return nil, &SchemaError{Name: name, Problem: oneLine(err)}
	}
	compiled, err := compiler.Compile(url)
	if err != nil {
		return nil, &SchemaError{Name: name, Problem: oneLine(err)}
	}
	s := &Schema{name: name, url: url, docs: d, compiled: compiled}
	s.dynamic = dynamicTargets(compiler, s)
	return s, nil
}

// dynamicTargets finds the anchors that a dynamic reference cannot mistake: one
// in the root, which is in every scope as the outermost, or the only one of its
// name.
func dynamicTargets(compiler *jsonschema.Compiler, s *Schema) map[string]*jsonschema.Schema {
	targets := map[string]*jsonschema.Schema{}
	for anchor, n := range s.docs.anchors {
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

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
