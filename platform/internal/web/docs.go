package web

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsHTML string

type docsPage struct {
	Title, Version, OpenAPI string
	Groups                  []docsGroup
	Problem                 []docsField
}

type docsGroup struct {
	Name       string
	Operations []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Description, Example string
	Parameters                                      []docsParameter
	Request                                         []docsField
	Responses                                       []docsResponse
}

type docsParameter struct {
	Name, In, Doc string
	Required      bool
}

type docsField struct {
	Name, Type, Doc string
	Required        bool
}

type docsResponse struct {
	Status string
	Codes  []string
	Fields []docsField
}

func (s *Server) serveDocs(w http.ResponseWriter, r *http.Request) {
	page, err := template.New("docs").Parse(docsHTML)
	var text bytes.Buffer
	if err == nil {
		err = page.Execute(&text, s.docs())
	}
	if err != nil {
		s.failure(r.Context(), Spec{ID: "docs"}, err).write(w)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = w.Write(text.Bytes())
}

// serveDocument encodes the OpenAPI document at the first request, when all
// routes are mounted.
func (s *Server) serveDocument(contentType string, encode func() ([]byte, error)) http.HandlerFunc {
	once := sync.OnceValues(encode)
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := once()
		if err != nil {
			s.Fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(text)
	}
}

func (s *Server) docs() docsPage {
	doc := s.api.OpenAPI()
	page := docsPage{Title: doc.Info.Title, Version: doc.Info.Version, OpenAPI: doc.OpenAPI}
	if problem := doc.Components.Schemas.Map()["Problem"]; problem != nil {
		page.Problem = docsFields(doc.Components.Schemas, problem, "", 0)
	}
	groups := map[string][]docsOperation{}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		item := doc.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op != nil && len(op.Tags) > 0 {
				groups[op.Tags[0]] = append(groups[op.Tags[0]], docsOf(doc.Components.Schemas, op))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		page.Groups = append(page.Groups, docsGroup{Name: name, Operations: groups[name]})
	}
	return page
}

func docsOf(registry huma.Registry, op *huma.Operation) docsOperation {
	d := docsOperation{
		ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary,
		Description: op.Description, Example: example(registry, op),
	}
	for _, p := range op.Parameters {
		d.Parameters = append(d.Parameters, docsParameter{Name: p.Name, In: p.In, Doc: p.Description, Required: p.Required})
	}
	if op.RequestBody != nil {
		d.Request = docsFields(registry, op.RequestBody.Content["application/json"].Schema, "", 0)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		answer := docsResponse{Status: status}
		if ok := op.Responses[status].Content["application/json"]; ok != nil {
			answer.Fields = docsFields(registry, ok.Schema, "", 0)
		} else {
			answer.Codes = strings.Split(op.Responses[status].Description, ", ")
		}
		d.Responses = append(d.Responses, answer)
	}
	return d
}

// maxDocsDepth keeps a table readable; deeper fields are in openapi.json.
const maxDocsDepth = 3

func docsFields(registry huma.Registry, schema *huma.Schema, prefix string, depth int) []docsField {
	schema = resolve(registry, schema)
	if depth > maxDocsDepth {
		return nil
	}
	var all []docsField
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		field := resolve(registry, schema.Properties[name])
		all = append(all, docsField{
			Name: prefix + name, Type: typeName(registry, field), Doc: docOf(schema.Properties[name], field),
			Required: slices.Contains(schema.Required, name),
		})
		inner, suffix := field, "."
		if field.Items != nil {
			inner, suffix = field.Items, "[]."
		}
		all = append(all, docsFields(registry, inner, prefix+name+suffix, depth+1)...)
	}
	return all
}

func docOf(reference, field *huma.Schema) string {
	doc := reference.Description
	if doc == "" {
		doc = field.Description
	}
	var rules []string
	if len(field.Enum) > 0 {
		rules = append(rules, "one of "+strings.Trim(fmt.Sprint(field.Enum), "[]"))
	}
	if field.Pattern != "" {
		rules = append(rules, "matches "+field.Pattern)
	}
	if field.Default != nil {
		rules = append(rules, fmt.Sprintf("default %v", field.Default))
	}
	return strings.TrimSpace(strings.Join(append([]string{doc}, rules...), " "))
}

func typeName(registry huma.Registry, s *huma.Schema) string {
	switch {
	case s.Items != nil:
		return "array of " + typeName(registry, resolve(registry, s.Items))
	case s.Format != "":
		return s.Type + " (" + s.Format + ")"
	}
	return s.Type
}

func example(registry huma.Registry, op *huma.Operation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "curl -s 'http://HOST:PORT%s'", strings.ReplaceAll(op.Path, "{id}", "ID"))
	if op.Method != http.MethodGet {
		fmt.Fprintf(&b, " \\\n  -X %s -H 'Content-Type: application/json'", op.Method)
	}
	for _, p := range op.Parameters {
		if p.In == "header" && p.Required {
			fmt.Fprintf(&b, " \\\n  -H '%s: %s'", p.Name, map[string]string{HeaderTenant: "tenant_001", HeaderIdempotencyKey: "my-key-1", "If-Match": `"2"`}[p.Name])
		}
	}
	if op.RequestBody != nil && op.RequestBody.Required {
		body, _ := json.MarshalIndent(sample(registry, op.RequestBody.Content["application/json"].Schema), "  ", "  ")
		fmt.Fprintf(&b, " \\\n  -d '%s'", body)
	}
	return b.String()
}

// sample is a value that shows the required members of a schema.
func sample(registry huma.Registry, schema *huma.Schema) any {
	schema = resolve(registry, schema)
	switch {
	case len(schema.Examples) > 0:
		return schema.Examples[0]
	case len(schema.Enum) > 0:
		return schema.Enum[0]
	case schema.Type == huma.TypeObject:
		object := map[string]any{}
		for _, name := range schema.Required {
			object[name] = sample(registry, schema.Properties[name])
		}
		return object
	case schema.Type == huma.TypeArray:
		return []any{sample(registry, schema.Items)}
	case schema.Type == huma.TypeInteger:
		return 1
	case schema.Type == huma.TypeBoolean:
		return true
	}
	return "text"
}
