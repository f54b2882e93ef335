package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"factline.dev/contract"
	"factline.dev/contract/internal/pointer"
	"factline.dev/envelope"
)

func componentSchema(name string) reference { return reference{"#/components/schemas/" + name} }

func headersSchema() any {
	names := []string{
		envelope.HeaderEventID, envelope.HeaderEventType, envelope.HeaderEventVersion, envelope.HeaderCorrelationID,
		envelope.HeaderCausationID, envelope.HeaderTraceparent, envelope.HeaderTenantID, envelope.HeaderSchemaRef, envelope.HeaderProducer,
	}
	properties := map[string]any{}
	for _, name := range names {
		properties[name] = map[string]any{"type": "string"}
	}
	return map[string]any{
		"type": "object", "title": "Record headers", "properties": properties,
		"description": "They repeat the value for routing and observation; an event is whole without them.",
	}
}

// schemas are the components of a document, and which location has which name.
type schemas struct {
	named map[string]any
	names map[string]string
}

// nameFor returns the name of a location, and whether it had one. Locations that
// read the same once what a component may not hold is taken out are numbered.
func (s schemas) nameFor(location, wish string) (name string, known bool) {
	if name, known = s.names[location]; known {
		return name, true
	}
	name = cmp.Or(wish, "schema")
	for n := 2; s.named[name] != nil; n++ {
		name = fmt.Sprintf("%s.%d", wish, n)
	}
	s.names[location] = name
	return name, false
}

// addSchemas adds the schema of an event and all it refers to, and returns its
// name among the components.
func addSchemas(c *contract.Catalogue, e *contract.Event, to schemas) (string, error) {
	text, _ := c.Bundle(e.SchemaRef())
	var root map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&root); err != nil {
		return "", err
	}
	t := &translator{docs: map[string]any{}, to: to}
	t.index(root)
	id, _ := root["$id"].(string)
	t.base = strings.TrimSuffix(id, e.SchemaFile())
	return t.component(id)
}

// translator writes JSON Schema 2020-12 as what AsyncAPI's tools read.
type translator struct {
	base string
	docs map[string]any // by $id
	to   schemas
}

func (t *translator) index(root map[string]any) {
	all, _ := root["$defs"].(map[string]any)
	for _, doc := range append(slices.Collect(maps.Values(all)), root) {
		if doc, ok := doc.(map[string]any); ok {
			if id, ok := doc["$id"].(string); ok {
				t.docs[id] = doc
			}
		}
	}
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// wish makes types.schema.json#/$defs/id to types.id.
func (t *translator) wish(location string) string {
	location = strings.TrimPrefix(location, t.base)
	file, fragment, _ := strings.Cut(location, "#")
	file = strings.TrimPrefix(strings.TrimSuffix(file, ".schema.json"), "events/")
	fragment = strings.TrimPrefix(strings.TrimPrefix(fragment, "/$defs/"), "/")
	return strings.Trim(unfit.ReplaceAllString(path.Join(file, fragment), "."), ".")
}

// component adds the schema at a location once and returns its name.
func (t *translator) component(location string) (string, error) {
	name, known := t.to.nameFor(location, t.wish(location))
	if known {
		return name, nil
	}
	document, at := pointer.Cut(location)
	node, ok := pointer.At(t.docs[document], at)
	if !ok {
		return "", fmt.Errorf("%s: nothing is there, or it is named by an anchor, which this document has no words for", location)
	}
	t.to.named[name] = true // a schema may refer to itself
	schema, err := t.schema(node, document)
	t.to.named[name] = schema
	return name, err
}

// schema translates one schema that stands in a document.
func (t *translator) schema(node any, document string) (any, error) {
	from, ok := node.(map[string]any)
	if !ok {
		return node, nil // true or false
	}
	to := map[string]any{}
	for _, keyword := range slices.Sorted(maps.Keys(from)) {
		if err := t.keyword(to, keyword, from, document); err != nil {
			return nil, err
		}
	}
	return to, nil
}

func (t *translator) keyword(to map[string]any, keyword string, from map[string]any, document string) error {
	value, err := from[keyword], error(nil)
	switch keyword {
	case "$schema", "$id", "$defs", "$comment", "$anchor", "$dynamicAnchor", "unevaluatedItems", "unevaluatedProperties":
	case "$ref":
		return t.ref(to, from, document)
	case "allOf":
		if _, referred := from["$ref"]; !referred {
			to["allOf"], err = t.list(value, document)
		}
	case "prefixItems":
		to["items"], err = t.list(value, document)
	case "items":
		if _, tuple := from["prefixItems"]; tuple {
			keyword = "additionalItems"
		}
		to[keyword], err = t.schema(value, document)
	case "dependentRequired":
		merge(to, "dependencies", value)
	case "dependentSchemas":
		var schemas any
		schemas, err = t.named(value, document)
		merge(to, "dependencies", schemas)
	case "anyOf", "oneOf":
		to[keyword], err = t.list(value, document)
	case "properties", "patternProperties":
		to[keyword], err = t.named(value, document)
	case "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames":
		to[keyword], err = t.schema(value, document)
	default:
		to[keyword] = value
	}
	return err
}

// ref makes what a schema refers to a part of its allOf, because draft-07 ignores
// everything that stands beside a $ref.
func (t *translator) ref(to, from map[string]any, document string) error {
	base, err := url.Parse(document)
	if err != nil {
		return err
	}
	ref, _ := from["$ref"].(string)
	target, err := base.Parse(ref)
	if err != nil {
		return err
	}
	name, err := t.component(strings.TrimSuffix(target.String(), "#"))
	if err != nil {
		return err
	}
	if len(from) == 1 {
		to["$ref"] = componentSchema(name).Ref
		return nil
	}
	parts, err := t.list(from["allOf"], document)
	to["allOf"] = append([]any{map[string]any{"$ref": componentSchema(name).Ref}}, parts...)
	return err
}

func (t *translator) list(value any, document string) ([]any, error) {
	from, _ := value.([]any)
	to := make([]any, len(from))
	for i, node := range from {
		var err error
		if to[i], err = t.schema(node, document); err != nil {
			return nil, err
		}
	}
	return to, nil
}

func (t *translator) named(value any, document string) (map[string]any, error) {
	from, _ := value.(map[string]any)
	to := make(map[string]any, len(from))
	for name, node := range from {
		var err error
		if to[name], err = t.schema(node, document); err != nil {
			return nil, err
		}
	}
	return to, nil
}

func merge(to map[string]any, keyword string, value any) {
	add, _ := value.(map[string]any)
	all, ok := to[keyword].(map[string]any)
	if !ok {
		all = map[string]any{}
		to[keyword] = all
	}
	maps.Copy(all, add)
}
