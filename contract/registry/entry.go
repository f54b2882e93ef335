package registry

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"factline.dev/contract"
)

// schemaType is the only type that contracts have.
const schemaType = "JSON"

// entry is one version of an event as a registry knows it.
type entry struct {
	ref     string
	subject string
	version int
	id      int
	text    string
}

// Subject is the name under which an event's versions are registered: the topic
// and the type, joined by a dash.
func Subject(e *contract.Event) string { return e.Topic + "-" + e.Type }

// entries lists every version of every event, by subject and version.
func entries(c *contract.Catalogue) ([]entry, error) {
	var all []entry
	holder := map[int]string{}
	for _, e := range c.Events() {
		text, ok := c.Bundle(e.SchemaRef())
		if !ok {
			return nil, fmt.Errorf("registry: bundle %s: the catalogue has no such schema", e.SchemaRef())
		}
		x := entry{ref: e.SchemaRef(), subject: Subject(e), version: e.Version, id: idOf(text), text: string(text)}
		if other, taken := holder[x.id]; taken && other != x.text {
			return nil, fmt.Errorf("registry: number the schemas: %s has the id %d of another schema by chance; change its description", x.ref, x.id)
		}
		holder[x.id] = x.text
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(strings.Compare(a.subject, b.subject), a.version-b.version)
	})
	return all, nil
}

// idOf makes a positive 31-bit number of the schema's text.
func idOf(text []byte) int {
	sum := sha256.Sum256(text)
	return max(1, int(binary.BigEndian.Uint32(sum[:4])>>1))
}
