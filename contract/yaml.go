package contract

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// position remembers where in its file each path of a YAML document, or of the
// part below prefix, stands.
type position struct {
	file   string
	prefix string
	lines  map[string]int
}

// line is where a path stands, or what would hold it where it is not written.
func (p position) line(path string) int {
	for path != "" && p.lines[path] == 0 {
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return p.lines[path]
}

// yamlReader fills structs from YAML nodes. Unlike the YAML package it goes on
// after a problem, so that one run shows them all, and refuses whatever has no
// field: an ignored misspelt key is a retention that never applies.
type yamlReader struct {
	position
	problems *problems
}

func readYAML(file string, text []byte, into any, all *problems) position {
	r := &yamlReader{position: position{file: file, lines: map[string]int{}}, problems: all}
	root, err := parseYAML(text)
	switch {
	case err != nil:
		all.add(file, 0, "", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	case root == nil:
		all.add(file, 0, "", "is empty; see the package comment for its layout")
	default:
		r.decode(root, "", reflect.ValueOf(into).Elem())
	}
	return r.position
}

func parseYAML(text []byte) (root *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, fmt.Errorf("is no readable YAML (%v)", p)
		}
	}()
	var doc yaml.Node
	if err := yaml.Load(text, &doc); err != nil {
		return nil, err
	}
	if doc.Kind == yaml.DocumentNode && len(doc.Content) > 0 {
		return doc.Content[0], nil
	}
	return nil, nil
}

func (r *yamlReader) problem(n *yaml.Node, path, format string, args ...any) {
	r.problems.add(r.file, n.Line, path, format, args...)
}

func (r *yamlReader) decode(n *yaml.Node, path string, into reflect.Value) {
	r.lines[path] = n.Line
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		r.problem(n, path, "uses an anchor or alias; write the value out")
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		r.decode(n, path, into.Elem())
	case reflect.Struct:
		r.decodeStruct(n, path, into)
	case reflect.Slice:
		r.decodeSlice(n, path, into)
	default:
		r.decodeScalar(n, path, into)
	}
}

func (r *yamlReader) decodeStruct(n *yaml.Node, path string, into reflect.Value) {
	if n.Kind != yaml.MappingNode {
		r.problem(n, path, "must be a mapping of keys to values")
		return
	}
	fields := yamlFields(into.Type())
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		index, known := fields[key.Value]
		switch {
		case !known:
			r.problem(key, at, "unknown key%s", didYouMean(key.Value, fields))
		case seen[key.Value]:
			r.problem(key, at, "stands twice; keep one")
		default:
			seen[key.Value] = true
			r.decode(value, at, into.FieldByIndex(index))
			r.lines[at] = key.Line
		}
	}
}

func (r *yamlReader) decodeSlice(n *yaml.Node, path string, into reflect.Value) {
	items := n.Content
	switch {
	case n.Kind == yaml.ScalarNode && into.Type().Elem().Kind() == reflect.String:
		items = []*yaml.Node{n} // one value may stand without its list
	case n.Kind != yaml.SequenceNode:
		r.problem(n, path, "must be a list")
		return
	}
	list := reflect.MakeSlice(into.Type(), len(items), len(items))
	for i, item := range items {
		r.decode(item, fmt.Sprintf("%s[%d]", path, i), list.Index(i))
	}
	r.lines[path] = n.Line
	into.Set(list)
}

func (r *yamlReader) decodeScalar(n *yaml.Node, path string, into reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		r.problem(n, path, "must be a single value")
		return
	}
	switch into.Kind() {
	case reflect.String:
		if n.ShortTag() != "!!str" {
			r.problem(n, path, "must be text; put it in quotes")
			return
		}
		into.SetString(n.Value)
	case reflect.Bool:
		value, err := strconv.ParseBool(n.Value)
		if err != nil || n.ShortTag() != "!!bool" {
			r.problem(n, path, "must be true or false")
			return
		}
		into.SetBool(value)
	default:
		value, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil || n.ShortTag() != "!!int" || into.OverflowInt(value) {
			r.problem(n, path, "must be a whole number")
			return
		}
		into.SetInt(value)
	}
}

// yamlFields maps the keys of a document to struct fields. The JSON tag serves
// both, so that `--json` shows a contract with the names its file has.
func yamlFields(t reflect.Type) map[string][]int {
	fields := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" && f.Tag.Get("yaml") != "-" {
			fields[name] = f.Index
		}
	}
	return fields
}

func didYouMean(key string, fields map[string][]int) string {
	known := make([]string, 0, len(fields))
	for name := range fields {
		known = append(known, name)
	}
	slices.Sort(known)
	if near := nearest(key, known); near != "" {
		return fmt.Sprintf("; did you mean %q", near)
	}
	return "; known keys are " + strings.Join(known, ", ")
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
