package contract

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"factline.dev/contract/internal/pointer"
)

const (
	dialect          = "https://json-schema.org/draft/2020-12/schema"
	schemaSuffix     = ".schema.json"
	maxSchemaNesting = 128
)

// schemaSet holds every schema of a folder under its $id. Nothing outside the
// folder is ever loaded.
type schemaSet struct {
	base  string
	docs  map[string]any
	texts map[string][]byte
}

func (s *schemaSet) url(file string) string { return s.base + file }

var errOutside = errors.New("it is not in the folder; refer to a schema of the folder by relative path")

// Load implements jsonschema.URLLoader for what the folder does not hold.
func (s *schemaSet) Load(string) (any, error) { return nil, errOutside }

func (l *loader) compile(events []*Event) {
	l.schemas = &schemaSet{docs: map[string]any{}, texts: map[string][]byte{}}
	compiler := newCompiler(l.schemas)
	l.addSchemas(compiler)
	for _, e := range events {
		l.compileEvent(compiler, e)
	}
}

func newCompiler(outside jsonschema.URLLoader) *jsonschema.Compiler {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.UseLoader(outside)
	return compiler
}

func (l *loader) addSchemas(compiler *jsonschema.Compiler) {
	err := fs.WalkDir(l.fsys, ".", func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && unrelated(entry.Name()) {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, schemaSuffix) {
			return err
		}
		text, ok := l.read(file)
		if !ok {
			return nil
		}
		if doc, ok := l.schemaDoc(file, text); ok {
			url := l.schemas.url(file)
			l.schemas.docs[url], l.schemas.texts[url] = doc, text
			if err := compiler.AddResource(url, doc); err != nil {
				l.problems.add(file, 0, "", "is no usable schema: %v", err)
			}
		}
		return nil
	})
	if err != nil {
		l.problems.add(".", 0, "", "cannot be walked: %v", pathless(err))
	}
}

// unrelated names folders that tools put beside contracts.
func unrelated(dir string) bool {
	return dir == "testdata" || dir == "node_modules" || len(dir) > 1 && dir[0] == '.'
}

// schemaDoc reads one schema and holds it to the rules that tools agree on:
// the 2020-12 dialect, and an $id that is a base of the folder and the file's path.
func (l *loader) schemaDoc(file string, text []byte) (map[string]any, bool) {
	value, fault := decodeJSON(text, maxFileBytes, maxSchemaNesting)
	if fault != nil {
		l.problems.add(file, lineAt(text, fault.Offset), "", "is no readable JSON: %s", fault.Message)
		return nil, false
	}
	doc, ok := value.(map[string]any)
	if !ok {
		l.problems.add(file, 1, "", "must be a JSON object")
		return nil, false
	}
	if doc["$schema"] != dialect {
		l.problems.add(file, lineOf(text, `"$schema"`), "$schema", "must be %q", dialect)
		return nil, false
	}
	return doc, l.checkID(file, text, doc)
}

func (l *loader) checkID(file string, text []byte, doc map[string]any) bool {
	id, _ := doc["$id"].(string)
	base, ends := strings.CutSuffix(id, "/"+file)
	switch {
	case !ends || !strings.HasPrefix(base, "https://"):
		l.problems.add(file, lineOf(text, `"$id"`), "$id", "must be an https:// address, one base for the whole folder, that ends in /%s (is %q)", file, id)
		return false
	case l.schemas.base == "":
		l.schemas.base = base + "/"
	case l.schemas.base != base+"/":
		l.problems.add(file, lineOf(text, `"$id"`), "$id", "must begin with %s like the folder's other schemas", l.schemas.base)
		return false
	}
	return true
}

func (l *loader) compileEvent(compiler *jsonschema.Compiler, e *Event) {
	if _, ok := l.schemas.docs[l.schemas.url(e.schemaFile)]; !ok {
		return // its problem is reported already
	}
	schema, err := compileSafely(compiler, l.schemas.url(e.schemaFile))
	if err != nil {
		file, line := l.culprit(e, err)
		l.problems.add(file, line, "", "does not compile: %s", l.shorten(err))
		return
	}
	if !l.checkReferences(schema) {
		return
	}
	e.schema, e.schemas = schema, l.schemas
	e.declared = declaredNames(schema)
	e.shape = shapeOf(schema)
	payload, ok := gather(schema).properties["payload"]
	if !ok {
		l.problems.add(e.schemaFile, 0, "properties.payload", "is missing; an event's schema describes its payload")
		return
	}
	fields, beyond := l.schemas.flatten(gather(payload...).forms(0), "")
	if beyond != "" {
		l.problems.add(e.schemaFile, 0, "properties.payload", "holds more than %d fields with their forms, or one at more than %d levels, and %s is not read any more; make it smaller", maxFields, maxFieldDepth, beyond)
		return
	}
	e.fields = fields
	l.checkKey(e)
}

// checkReferences refuses a reference that leads elsewhere by who follows it: what
// stands behind it could change unseen.
func (l *loader) checkReferences(schema *jsonschema.Schema) (ok bool) {
	ok = true
	for _, s := range reachable(schema) {
		if s.DynamicRef != nil {
			file, line := l.schemas.position(s.Location)
			l.problems.add(file, line, "", "has a $dynamicRef, which leads to a different schema by where it is followed from; refer with $ref")
			ok = false
		}
	}
	return ok
}

// checkKey makes sure that every valid event can be keyed.
func (l *loader) checkKey(e *Event) {
	for i, key := range e.Key {
		field, ok := e.Field(key)
		switch {
		case !ok:
			l.problems.at(e.position, "key", "names %s, which %s does not declare in the payload", key, path.Base(e.schemaFile))
		case field.Type != "string":
			l.problems.at(e.position, "key", "names %s, which is %s; a record key is a string", key, field.Type)
		case i == len(e.Key)-1 && !field.Required:
			l.problems.at(e.position, "key", "names %s, which is optional; an event without it would have no key", key)
		}
	}
}

// culprit is the place that keeps a schema from compiling: in a shared schema
// where the event refers to one, and the event's own file where nobody knows.
func (l *loader) culprit(e *Event, err error) (file string, line int) {
	document, at := "", ""
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		document, at = pointer.Cut(invalid.URL)
		if cause, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			for _, name := range deepest(cause).InstanceLocation {
				at += "/" + pointer.Escape(name)
			}
		}
	} else if ref, ok := errors.AsType[*jsonschema.JSONPointerNotFoundError](err); ok {
		document, at = pointer.Cut(ref.URL)
	}
	if file, line = l.schemas.place(document, at); line > 0 {
		return file, line
	}
	return e.schemaFile, 0
}

// deepest is the first cause that has none of its own.
func deepest(err *jsonschema.ValidationError) *jsonschema.ValidationError {
	for len(err.Causes) > 0 {
		err = err.Causes[0]
	}
	return err
}

func compileSafely(compiler *jsonschema.Compiler, url string) (schema *jsonschema.Schema, err error) {
	defer func() {
		if p := recover(); p != nil {
			schema, err = nil, fmt.Errorf("the validator gave up on it (%v)", p)
		}
	}()
	return compiler.Compile(url)
}

// shorten writes URLs of the folder as the paths that the reader knows.
func (l *loader) shorten(err error) string {
	text := strings.ReplaceAll(err.Error(), l.schemas.base, "")
	text = strings.Join(strings.Fields(text), " ")
	// the validator's chain of causes leads to the one that matters
	if last := strings.LastIndex(text, " - at '"); last >= 0 {
		text = text[last+len(" - "):]
	}
	return text
}

func lineOf(text []byte, token string) int {
	if at := bytes.Index(text, []byte(token)); at >= 0 {
		return lineAt(text, at)
	}
	return 1
}

func lineAt(text []byte, offset int) int {
	return 1 + bytes.Count(text[:min(offset, len(text))], []byte("\n"))
}
