package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"factline.dev/envelope"
)

// readBody returns the body, "{}" where there is none.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *Problem) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, Refuse(http.StatusRequestEntityTooLarge, "request.too-large", "The body is larger than 1 MiB.")
	case err != nil:
		return nil, malformed("The body ended before its announced length.")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return []byte("{}"), nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, Refuse(http.StatusUnsupportedMediaType, "request.unsupported-media-type", "Send the body as application/json.")
	}
	return body, nil
}

// decodeBody checks the body against the schema and decodes it into v.
func decodeBody(registry huma.Registry, schema *huma.Schema, body []byte, v any) *Problem {
	if err := envelope.CheckDepth(body); err != nil {
		return malformed("The body nests deeper than 64 levels.")
	}
	var tree any
	if err := json.Unmarshal(body, &tree); err != nil {
		return malformed("The body is no JSON text.")
	}
	if holdsNUL(tree) {
		return malformed("The body holds the character U+0000, which no text here may hold.")
	}
	result := huma.ValidateResult{}
	huma.Validate(registry, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, tree, &result)
	if len(result.Errors) > 0 {
		return invalid(registry, schema, result.Errors)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return Refuse(http.StatusUnprocessableEntity, "request.invalid", "A value of the body has the wrong form; compare it with the documentation.")
	}
	return nil
}

func holdsNUL(tree any) bool {
	switch v := tree.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		return slices.ContainsFunc(v, holdsNUL)
	case map[string]any:
		for name, item := range v {
			if strings.ContainsRune(name, 0) || holdsNUL(item) {
				return true
			}
		}
	}
	return false
}

// maxViolations bounds the answer to a body that is wrong everywhere.
const maxViolations = 20

func invalid(registry huma.Registry, schema *huma.Schema, errs []error) *Problem {
	p := Refuse(http.StatusUnprocessableEntity, "request.invalid", "The body breaks the rules listed in violations.")
	for _, err := range errs[:min(len(errs), maxViolations)] {
		var detail *huma.ErrorDetail
		if !errors.As(err, &detail) {
			continue
		}
		code := "INVALID_VALUE"
		if detail.Message == validation.MsgUnexpectedProperty {
			code = "UNKNOWN_PROPERTY"
		}
		p.Violations = append(p.Violations, Violation{Code: code, Path: knownPath(registry, schema, detail.Location), Message: detail.Message})
	}
	return p
}

// knownPath cuts a path such as lines[0].evil down to the names that the schema
// itself has: the rest was written by the caller.
func knownPath(registry huma.Registry, schema *huma.Schema, path string) string {
	var known []string
	for part := range strings.SplitSeq(path, ".") {
		name, index, _ := strings.Cut(part, "[")
		schema = resolve(registry, schema)
		next := schema.Properties[name]
		if next == nil {
			break
		}
		if schema = resolve(registry, next); index != "" && schema.Items != nil {
			name += "[" + index
			schema = schema.Items
		}
		known = append(known, name)
	}
	return strings.Join(known, ".")
}

func resolve(registry huma.Registry, schema *huma.Schema) *huma.Schema {
	for schema != nil && schema.Ref != "" {
		schema = registry.SchemaFromRef(schema.Ref)
	}
	if schema == nil {
		return &huma.Schema{}
	}
	return schema
}
