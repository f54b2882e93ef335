// Package contracts holds the reference platform's contracts as data: its
// services, topics, events, schemas and examples. Read them with
// factline.dev/contract.
//
// It is data only. To change an event, change the files here and nothing else;
// topics, keys, validation and documents follow from them.
package contracts

import (
	"embed"
	"io/fs"
)

//go:embed *.yaml *.schema.json events
var files embed.FS

// FS returns the contracts folder.
func FS() fs.FS { return files }
