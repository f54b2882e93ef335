package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	catalogue "factline.dev/contract/render"
	"factline.dev/internal/generated"
	"factline.dev/platform"
)

const catalogueFolder = "docs/catalogue"

// renderCatalogue also lists the pages of events that are no more.
func renderCatalogue(root string) ([]generated.File, error) {
	contracts, err := platform.Catalogue()
	if err != nil {
		return nil, fmt.Errorf("docgen: load the catalogue: %w", err)
	}
	info := catalogue.Info{Version: "1"}
	files, err := catalogue.Markdown(contracts, info)
	if err != nil {
		return nil, fmt.Errorf("docgen: %w", err)
	}
	if files["asyncapi.json"], err = catalogue.AsyncAPI(contracts, info); err != nil {
		return nil, fmt.Errorf("docgen: %w", err)
	}
	var guides []generated.File
	for _, file := range slices.Sorted(maps.Keys(files)) {
		guides = append(guides, generated.File{Path: filepath.Join(catalogueFolder, filepath.FromSlash(file)), Text: files[file]})
	}
	left, err := leftovers(root, files)
	return append(guides, left...), err
}

func leftovers(root string, files map[string][]byte) ([]generated.File, error) {
	var left []generated.File
	folder := os.DirFS(filepath.Join(root, catalogueFolder))
	err := fs.WalkDir(folder, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err):
			return nil
		case err == nil && !entry.IsDir() && files[file] == nil:
			left = append(left, generated.File{Path: filepath.Join(catalogueFolder, filepath.FromSlash(file))})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("docgen: list %s: %w", catalogueFolder, err)
	}
	return left, nil
}
