package contract

import (
	"encoding/json"
	"maps"
	"net/url"
	"strings"
)

// Bundle returns the schema of a reference, such as
// schema://oms.order.events/OrderCaptured/1, as one document that needs no
// other: every schema of the folder that it refers to, directly or through
// others, is embedded under $defs with its $id, so that each $ref stays as it
// is written (JSON Schema 2020-12, section 9.3). The bytes are the same for the
// same folder.
func (c *Catalogue) Bundle(ref string) ([]byte, bool) {
	e, ok := c.bySchema[ref]
	if !ok {
		return nil, false
	}
	root := c.schemas.url(e.schemaFile)
	parts := map[string]any{}
	c.schemas.reach(root, parts)
	delete(parts, root)
	text, err := json.Marshal(withDefs(c.schemas.docs[root], parts, c.schemas.base))
	return text, err == nil // what came from JSON can be written as JSON
}

// reach adds the documents that one refers to, itself included.
func (s *schemaSet) reach(location string, found map[string]any) {
	doc, ok := s.docs[location]
	if _, known := found[location]; known || !ok {
		return
	}
	found[location] = doc
	for _, ref := range refsIn(doc, nil) {
		if target, ok := resolveRef(location, ref); ok {
			s.reach(target, found)
		}
	}
}

// refsIn lists every $ref below a node. One inside an example or a constant is
// listed too, which at worst embeds a schema that nobody needs.
func refsIn(node any, refs []string) []string {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if ref, ok := value.(string); ok && key == "$ref" {
				refs = append(refs, ref)
			}
			refs = refsIn(value, refs)
		}
	case []any:
		for _, value := range node {
			refs = refsIn(value, refs)
		}
	}
	return refs
}

// resolveRef returns the document that a reference made in another leads to.
func resolveRef(from, ref string) (document string, ok bool) {
	base, err := url.Parse(from)
	if err != nil {
		return "", false
	}
	target, err := base.Parse(ref)
	if err != nil {
		return "", false
	}
	target.Fragment, target.RawFragment = "", ""
	return target.String(), true
}

func withDefs(root any, parts map[string]any, base string) map[string]any {
	bundle := maps.Clone(root.(map[string]any)) // schemaDoc lets nothing else in
	if len(parts) == 0 {
		return bundle
	}
	defs := map[string]any{}
	if own, ok := bundle["$defs"].(map[string]any); ok {
		defs = maps.Clone(own)
	}
	for location, doc := range parts {
		defs[strings.TrimPrefix(location, base)] = doc
	}
	bundle["$defs"] = defs
	return bundle
}
