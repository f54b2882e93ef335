package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/contract"
	pages "factline.dev/contract/render"
)

// documents is the flags of the commands that write for people and tools.
type documents struct {
	*app
	folder *string
	out    string
	info   pages.Info
}

func newDocuments(a *app, folder *string, use, short, out string, write func(*contract.Catalogue, pages.Info) (map[string][]byte, error)) *cobra.Command {
	d := &documents{app: a, folder: folder}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return d.run(write) },
	}
	flags := cmd.Flags()
	flags.StringVar(&d.out, "out", out, "folder to write into; made where it is missing, other files in it stay")
	flags.StringVar(&d.info.Title, "title", "", "name of what the catalogue belongs to (default the title in services.yaml, or else the folder's name)")
	flags.StringVar(&d.info.Version, "catalogue-version", "1", "version of the catalogue, shown and not interpreted")
	return cmd
}

func newGenerateAsyncAPI(a *app, folder *string) *cobra.Command {
	return newDocuments(a, folder, "asyncapi", "Write an AsyncAPI 3 document", ".",
		func(c *contract.Catalogue, info pages.Info) (map[string][]byte, error) {
			text, err := pages.AsyncAPI(c, info)
			return map[string][]byte{"asyncapi.json": text}, err
		})
}

func newGenerateMarkdown(a *app, folder *string) *cobra.Command {
	return newDocuments(a, folder, "markdown", "Write a Markdown page for each event and topic", "catalogue", pages.Markdown)
}

func newGenerateSite(a *app, folder *string) *cobra.Command {
	return newDocuments(a, folder, "site", "Write the catalogue as a static HTML site", "site", pages.Site)
}

func (d *documents) run(write func(*contract.Catalogue, pages.Info) (map[string][]byte, error)) error {
	catalogue, err := loadContracts(*d.folder)
	if err != nil {
		return err
	}
	if d.info.Title, err = titleOf(catalogue, *d.folder, d.info.Title); err != nil {
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
		_, err := fmt.Fprintf(w, "%s written to %s, beginning with %s\n", render.Count(len(written), "file"), d.out, filepath.Join(d.out, written[0]))
		return err
	})
}

// titleOf is the title that was typed, the catalogue's own, or its folder's name.
func titleOf(c *contract.Catalogue, folder, typed string) (string, error) {
	if title := cmp.Or(typed, c.Title()); title != "" {
		return title, nil
	}
	whole, err := filepath.Abs(folder)
	return filepath.Base(whole), err
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
