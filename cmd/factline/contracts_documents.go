package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"factline.dev/contract"
	"factline.dev/contract/render"
)

// documents is the flags of the commands that write for people and tools.
type documents struct {
	*app
	folder *string
	out    string
	info   render.Info
}

func newDocuments(a *app, folder *string, use, short, out string, write func(*contract.Catalogue, render.Info) (map[string][]byte, error)) *cobra.Command {
	d := &documents{app: a, folder: folder}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return d.run(write) },
	}
	flags := cmd.Flags()
	flags.StringVar(&d.out, "out", out, "folder to write into; made where it is missing, other files in it stay")
	flags.StringVar(&d.info.Title, "title", "factline reference platform", "name of what the catalogue belongs to")
	flags.StringVar(&d.info.Version, "catalogue-version", "1", "version of the catalogue, shown and not interpreted")
	return cmd
}

func newGenerateAsyncAPI(a *app, folder *string) *cobra.Command {
	return newDocuments(a, folder, "asyncapi", "Write an AsyncAPI 3 document", ".",
		func(c *contract.Catalogue, info render.Info) (map[string][]byte, error) {
			text, err := render.AsyncAPI(c, info)
			return map[string][]byte{"asyncapi.json": text}, err
		})
}

func newGenerateMarkdown(a *app, folder *string) *cobra.Command {
	return newDocuments(a, folder, "markdown", "Write a Markdown page for each event and topic", "catalogue", render.Markdown)
}

func newGenerateSite(a *app, folder *string) *cobra.Command {
	return newDocuments(a, folder, "site", "Write the catalogue as a static HTML site", "site", render.Site)
}

func (d *documents) run(write func(*contract.Catalogue, render.Info) (map[string][]byte, error)) error {
	catalogue, err := loadContracts(*d.folder)
	if err != nil {
		return err
	}
	files, err := write(catalogue, d.info)
	if err != nil {
		return err
	}
	written := slices.Sorted(maps.Keys(files))
	for _, file := range written {
		if err := writeBelow(d.out, file, files[file]); err != nil {
			return err
		}
	}
	return d.print(written, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%d files written to %s, beginning with %s\n", len(written), d.out, filepath.Join(d.out, written[0]))
		return err
	})
}

func writeBelow(folder, file string, text []byte) error {
	path := filepath.Join(folder, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("contracts: make the folder of %s: %w; choose another with --out", path, err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("contracts: write %s: %w; choose another folder with --out", path, err)
	}
	return nil
}
