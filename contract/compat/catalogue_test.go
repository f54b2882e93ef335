package compat

import (
	"encoding/json"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"factline.dev/platform/contracts"
)

// TestTheCatalogueIsAlwaysDecided compares every event of the platform with what
// its authors may make of it next.
func TestTheCatalogueIsAlwaysDecided(t *testing.T) {
	t.Parallel()
	folder := contracts.FS()
	compared, turn := 0, 0
	names := slices.Sorted(maps.Keys(edits()))
	err := fs.WalkDir(folder, "events", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".schema.json") {
			return err
		}
		old, err := Load(folder, file)
		if err != nil {
			return err
		}
		turn++
		for i, change := range names {
			if change != "nothing" && (i+turn)%3 != 0 {
				continue // each event has a third of them, each of them a third of the events
			}
			next, err := Load(edited(t, folder, file, edits()[change]), file)
			if err != nil {
				return err
			}
			for _, evolvable := range []bool{false, true} {
				r := Compare(t.Context(), old, next, Options{Direction: Full, Evolvable: evolvable})
				compared++
				if r.Verdict == Unknown {
					t.Errorf("%s, %s: %s", file, change, r.Reason)
				}
				if change == "nothing" && r.Verdict != Compatible {
					t.Errorf("%s does not follow itself: %v", file, r.Findings)
				}
			}
		}
		return nil
	})
	if err != nil || compared < 100 {
		t.Fatalf("%d comparisons: %v", compared, err)
	}
}

// edits change the payload of an event, or something else of it.
func edits() map[string]func(event, payload map[string]any) {
	properties := func(payload map[string]any) map[string]any { return payload["properties"].(map[string]any) }
	return map[string]func(event, payload map[string]any){
		"nothing":               func(_, _ map[string]any) {},
		"an optional field":     func(_, payload map[string]any) { properties(payload)["added"] = map[string]any{"type": "string"} },
		"a required field":      func(_, payload map[string]any) { payload["required"] = []any{"added"} },
		"nothing is required":   func(_, payload map[string]any) { delete(payload, "required") },
		"a closed payload":      func(_, payload map[string]any) { payload["additionalProperties"] = false },
		"no undeclared field":   func(event, _ map[string]any) { event["unevaluatedProperties"] = false },
		"every field is a text": func(_, payload map[string]any) { payload["additionalProperties"] = map[string]any{"type": "string"} },
		"another type": func(event, _ map[string]any) {
			event["properties"].(map[string]any)["eventType"] = map[string]any{"const": "Other"}
		},
		"fields may be null too": func(_, payload map[string]any) { orNull(properties(payload)) },
		"the first field goes": func(_, payload map[string]any) {
			delete(properties(payload), slices.Sorted(maps.Keys(properties(payload)))[0])
		},
	}
}

func orNull(properties map[string]any) {
	for name, property := range properties {
		properties[name] = map[string]any{"anyOf": []any{property, map[string]any{"type": "null"}}}
	}
}

// overlay is a folder in which one file is another.
type overlay struct {
	fs.FS
	one fstest.MapFS
}

func (o overlay) Open(name string) (fs.File, error) {
	if o.one[name] != nil {
		return o.one.Open(name)
	}
	return o.FS.Open(name)
}

func edited(t *testing.T, folder fs.FS, file string, edit func(event, payload map[string]any)) fs.FS {
	t.Helper()
	text, err := fs.ReadFile(folder, file)
	if err != nil {
		t.Fatal(err)
	}
	var event map[string]any
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	edit(event, event["properties"].(map[string]any)["payload"].(map[string]any))
	return overlay{folder, fstest.MapFS{file: &fstest.MapFile{Data: []byte(written(event))}}}
}
