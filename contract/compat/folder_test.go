package compat_test

import (
	"io/fs"
	"reflect"
	"sync"
	"testing"
	"testing/fstest"

	"factline.dev/contract/compat"
)

// countingFS counts how often each file is opened.
type countingFS struct {
	fs.FS
	mu     sync.Mutex
	opened map[string]int
}

func (f *countingFS) Open(name string) (fs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened[name]++
	return f.FS.Open(name)
}

func schemas(types string, events ...string) fstest.MapFS {
	files := fstest.MapFS{"types.json": {Data: []byte(types)}}
	for i, event := range events {
		files["events/"+string(rune('a'+i))+".json"] = &fstest.MapFile{Data: []byte(event)}
	}
	return files
}

const sharedTypes = `{"$id": "https://shop.example/types.json", "$defs": {"id": {"type": "string", "maxLength": 40}}}`

func TestAFolderReadsWhatItsSchemasShareOnce(t *testing.T) {
	t.Parallel()
	counting := &countingFS{opened: map[string]int{}, FS: schemas(sharedTypes,
		`{"$id": "https://shop.example/events/a.json", "properties": {"a": {"$ref": "../types.json#/$defs/id"}}}`,
		`{"$id": "https://shop.example/events/b.json", "properties": {"b": {"$ref": "../types.json#/$defs/id"}}}`)}
	folder := compat.NewFolder(counting)
	for _, file := range []string{"events/a.json", "events/b.json", "events/a.json"} {
		if _, err := folder.Load(file); err != nil {
			t.Fatal(err)
		}
	}
	if n := counting.opened["types.json"]; n != 1 {
		t.Errorf("the shared file was read %d times", n)
	}
}

// Whatever a folder holds, its schemas mean what they mean when they are read one
// by one.
func TestAFolderChangesNoVerdict(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fstest.MapFS{
		"shared types": schemas(sharedTypes,
			`{"$id": "https://shop.example/events/a.json", "properties": {"a": {"$ref": "../types.json#/$defs/id"}}}`,
			`{"$id": "https://shop.example/events/b.json", "properties": {"a": {"$ref": "../types.json#/$defs/id", "maxLength": 10}}}`),
		"another base": schemas(sharedTypes,
			`{"$id": "https://shop.example/events/a.json", "type": "object"}`,
			`{"$id": "https://elsewhere.example/events/b.json", "$ref": "../types.json#/$defs/id"}`),
		"no id": schemas(sharedTypes, `{"$ref": "../types.json#/$defs/id"}`, `{"type": "string"}`),
		"one that cannot be used": schemas(sharedTypes,
			`{"$id": "https://shop.example/events/a.json", "type": "object"}`,
			`{"$id": "https://shop.example/events/b.json", "type": "thing"}`,
			`{"$id": "https://shop.example/events/c.json", "$ref": "../gone.json"}`,
			`{"$id": "https://shop.example/events/d.json", "$ref": "../types.json#/$defs/id"}`),
		"dynamic anchors": schemas(
			`{"$id": "https://shop.example/types.json", "$defs": {"list": {"$dynamicAnchor": "node", "type": "object"}}}`,
			`{"$dynamicAnchor": "node", "$id": "https://shop.example/events/a.json", "properties": {"next": {"$ref": "../types.json#/$defs/list"}}}`,
			`{"$id": "https://shop.example/events/b.json", "properties": {"next": {"$dynamicRef": "../types.json#node"}}}`),
	} {
		folder := compat.NewFolder(files)
		for old := range files {
			for next := range files {
				want, wantErr := compareFiles(t, func(file string) (*compat.Schema, error) { return compat.Load(files, file) }, old, next)
				got, gotErr := compareFiles(t, folder.Load, old, next)
				if !reflect.DeepEqual(got, want) || gotErr != wantErr {
					t.Errorf("%s: %s to %s: got %+v %s, want %+v %s", name, old, next, got, gotErr, want, wantErr)
				}
			}
		}
	}
}

func compareFiles(t *testing.T, load func(string) (*compat.Schema, error), old, next string) (r compat.Result, problem string) {
	t.Helper()
	was, err := load(old)
	if err != nil {
		return r, err.Error()
	}
	is, err := load(next)
	if err != nil {
		return r, err.Error()
	}
	return compat.Compare(t.Context(), was, is, compat.Options{Direction: compat.Full}), ""
}
