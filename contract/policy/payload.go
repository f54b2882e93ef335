package policy

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path"
	"time"

	"factline.dev/contract"
)

// payloadFile is the name of a schema of the payload alone. It stands in no
// folder: versions of an event are compared without the envelope, in which their
// numbers must differ.
func payloadFile(e *contract.Event) string {
	return path.Join(path.Dir(e.File()), path.Base(e.SchemaFile())+".payload.schema.json")
}

// payloadOf is the folder with the schema of the event's payload in it.
func payloadOf(folder fs.FS, e *contract.Event) fs.FS {
	file, pointer := e.PayloadLocation()
	text, _ := json.Marshal(map[string]string{ // strings always encode
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"$id":     e.SchemaBase() + payloadFile(e),
		"$ref":    e.SchemaBase() + file + "#" + pointer,
	})
	return overlay{folder, payloadFile(e), text}
}

// overlay is a folder with one file more.
type overlay struct {
	fs.FS
	name string
	text []byte
}

// Open implements fs.FS.
func (o overlay) Open(name string) (fs.File, error) {
	if name == o.name {
		return &memoryFile{bytes.NewReader(o.text), o}, nil
	}
	return o.FS.Open(name)
}

type memoryFile struct {
	*bytes.Reader
	of overlay
}

func (f *memoryFile) Stat() (fs.FileInfo, error) { return fileInfo{f.of}, nil }
func (f *memoryFile) Close() error               { return nil }

type fileInfo struct{ of overlay }

func (i fileInfo) Name() string       { return path.Base(i.of.name) }
func (i fileInfo) Size() int64        { return int64(len(i.of.text)) }
func (i fileInfo) Mode() fs.FileMode  { return 0o444 }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }
