package review

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"

	"factline.dev/contract"
)

// Changes are the subjects that a change of the folder touches.
type Changes struct {
	// Topics and Events are of the new catalogue, the newest version of each
	// event, in its order.
	Topics []*contract.Topic
	Events []*contract.Event
}

// Changed compares a contracts folder with an older state of it. An event
// counts as changed when a file of its own, a shared schema that it refers to,
// or a service that produces or reads it differs; a topic when its record, its
// owner or a group on it does. old may lack files; c is the catalogue of now.
// What is only in old has nothing to review.
func Changed(old, now fs.FS, c *contract.Catalogue) (Changes, error) {
	files, err := differing(old, now)
	if err != nil {
		return Changes{}, err
	}
	services := changedServices(old, c, files)
	folders := map[string]bool{}
	for file := range files {
		for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	var changes Changes
	for _, t := range c.Topics() {
		touched := slices.ContainsFunc(c.Services(), func(s *contract.Service) bool {
			return services[s.Name] && (s.Name == t.Owner || s.Name == t.DeadLetter.Owner || s.MayRead(t.Name))
		})
		if touched || files[t.File()] {
			changes.Topics = append(changes.Topics, t)
		}
	}
	for _, e := range c.Current() {
		touched := services[e.OwnerService] || slices.ContainsFunc(e.Consumers, func(r contract.Consumer) bool { return services[r.Service] })
		touched = touched || slices.ContainsFunc(e.SchemaFiles(), func(file string) bool { return files[file] })
		if touched || folders[path.Dir(e.File())] {
			changes.Events = append(changes.Events, e)
		}
	}
	return changes, nil
}

// differing are the files that are new, gone or not the same.
func differing(old, now fs.FS) (map[string]bool, error) {
	before, err := contents(old)
	if err != nil {
		return nil, fmt.Errorf("review: read the older contracts: %w", err)
	}
	after, err := contents(now)
	if err != nil {
		return nil, fmt.Errorf("review: read the contracts: %w", err)
	}
	files := map[string]bool{}
	for file, text := range after {
		if other, ok := before[file]; !ok || !bytes.Equal(text, other) {
			files[file] = true
		}
		delete(before, file)
	}
	for file := range before {
		files[file] = true
	}
	return files, nil
}

func contents(fsys fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(fsys, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !entry.Type().IsRegular() {
			return err
		}
		files[file], err = fs.ReadFile(fsys, file)
		return err
	})
	return files, err
}

const servicesFile = "services.yaml"

// changedServices are the names of services whose records differ.
func changedServices(old fs.FS, c *contract.Catalogue, files map[string]bool) map[string]bool {
	changed := map[string]bool{}
	if !files[servicesFile] {
		return changed
	}
	before := map[string]*contract.Service{}
	if catalogue, err := contract.Load(old); err == nil {
		for _, s := range catalogue.Services() {
			before[s.Name] = s
		}
	} // an older folder that cannot be read tells nothing: all services count as changed
	for _, s := range c.Services() {
		if b := before[s.Name]; b == nil || !same(b, s) {
			changed[s.Name] = true
		}
	}
	return changed
}

func same(a, b *contract.Service) bool {
	return a.Trust == b.Trust && a.Runbook == b.Runbook && a.Description == b.Description && a.Team == b.Team &&
		slices.Equal(a.Tenants, b.Tenants) && reflect.DeepEqual(a.Groups, b.Groups)
}
