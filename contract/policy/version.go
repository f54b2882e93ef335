package policy

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"factline.dev/contract"
	"factline.dev/contract/compat"
)

// version judges a version that is new. The versions before it on the same topic are
// read by the same groups, so it is held to each of them: those of the folder, and
// those that were there and go in the same change.
func (c *checker) version(e *contract.Event) error {
	if _, existed := c.old.Catalogue.Event(e.Type, e.Version); existed {
		return nil
	}
	var compared []string
	broken := false
	for _, other := range c.olderVersions(e) {
		switch {
		case other.Topic != e.Topic:
			c.successor(other.Event, e)
		case promiseOf(other.Event, e) == "none":
		default:
			compared = append(compared, name(other.Event))
			breaks, err := c.beside(other, e)
			if err != nil {
				return err
			}
			broken = broken || breaks
		}
	}
	if !broken {
		c.isNew(e, compared)
	}
	return nil
}

// versionIn is an event in the folder that holds its schema.
type versionIn struct {
	*contract.Event
	folder fs.FS
}

func (c *checker) olderVersions(e *contract.Event) []versionIn {
	var found []versionIn
	for _, state := range []State{c.now, c.old} {
		for _, other := range state.Catalogue.Events() {
			known := slices.ContainsFunc(found, func(v versionIn) bool { return v.Version == other.Version })
			if other.Type == e.Type && other.Version < e.Version && !known {
				found = append(found, versionIn{other, state.FS})
			}
		}
	}
	slices.SortFunc(found, func(a, b versionIn) int { return a.Version - b.Version })
	return found
}

// isNew tells of a version what it was compared with.
func (c *checker) isNew(e *contract.Event, compared []string) {
	change := Change{Kind: EventAdded, Subject: name(e), File: e.File(), Line: e.Line("eventType"), New: e.SchemaRef(), Message: "is new"}
	switch {
	case len(compared) > 0:
		change.Kind = VersionCompared
		change.Message = fmt.Sprintf("is new and was compared with %s: %s (%s)", strings.Join(compared, ", "), directionOf(promiseOf(e)), promiseOf(e))
	case e.Version > 1 && promiseOf(e) == "none":
		change.Message = "is new, and its contract promises no compatibility with other versions (none)"
	}
	c.add(c.stricter(e.Topic), change)
}

// directionOf is who has to understand whom by a promise.
func directionOf(promise string) compat.Direction {
	if promise == "backward" {
		return compat.Backward
	}
	return compat.Full
}

// successor asks the older version on another topic for its end.
func (c *checker) successor(older, e *contract.Event) {
	if older.Deprecation == nil {
		c.add(c.stricter(e.Topic), Change{
			Kind: VersionAdded, Subject: name(e), File: older.File(), Path: "deprecation", Old: name(older), New: name(e), Hurt: groups(older),
			Message: fmt.Sprintf("comes beside %s on %s, which does not say until when it is published too; give it a deprecation", name(older), older.Topic),
		})
	}
}

// beside compares a version with one before it, and reports whether it breaks it.
func (c *checker) beside(older versionIn, e *contract.Event) (bool, error) {
	was, is := compat.NewFolder(payloadOf(older.folder, older.Event)), compat.NewFolder(payloadOf(c.now.FS, e))
	result, err := c.compare(was, payloadFile(older.Event), is, payloadFile(e), directionOf(promiseOf(older.Event, e)))
	if err != nil {
		return false, err
	}
	changes := unexplained(&diff{before: older.Event, after: e}, result, "")
	for _, change := range changes {
		if change.Kind == SchemaBroken {
			change.Kind = VersionAdded
		}
		change.Old, change.New = older.SchemaRef()+" "+change.Old, e.SchemaRef()+" "+change.New
		next := fmt.Sprintf("%s.v%d", strings.TrimSuffix(e.Topic, ".v1"), e.Version)
		change.Message = fmt.Sprintf("is not compatible with %s on the same topic: %s; put it on %s", name(older.Event), change.Message, next)
		c.add(c.stricter(e.Topic), change)
	}
	return len(changes) > 0, nil
}
