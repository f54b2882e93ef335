package render

import (
	"bytes"
	"fmt"
	"html/template"
	"path"
	"strings"

	"factline.dev/contract"
)

// Site writes the catalogue as a static HTML site, by path, beginning with
// index.html. It works from a disk as from any server and path: links are
// relative, and nothing is loaded from elsewhere.
func Site(c *contract.Catalogue, info Info) (map[string][]byte, error) {
	pages, err := template.New("site").Funcs(template.FuncMap{"join": strings.Join}).ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("render: read the templates of the site: %w", err)
	}
	b := newBook(c, info)
	files, err := b.write(".html", "index", func(name string, data any) ([]byte, error) {
		var text bytes.Buffer
		up := "../"
		if name == "index.html" {
			up = ""
		}
		err := pages.ExecuteTemplate(&text, name, sitePage{Book: b, Page: data, Up: up})
		return text.Bytes(), err
	})
	if err != nil {
		return nil, err
	}
	for _, asset := range []string{"site.css", "site.js"} {
		if files[asset], err = templates.ReadFile(path.Join("templates", asset)); err != nil {
			return nil, fmt.Errorf("render: read the site's %s: %w", asset, err)
		}
	}
	return files, nil
}

// sitePage is what a template of the site sees. Up leads to the site's root.
type sitePage struct {
	Book *book
	Page any
	Up   string
}
