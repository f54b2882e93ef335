package platform

import (
	"bytes"
	"cmp"
	"net/http"
	"strings"
	"sync"
	"time"

	"factline.dev/contract"
	"factline.dev/contract/registry"
	"factline.dev/contract/render"
	"factline.dev/platform/internal/web"
)

// cataloguePath is where the pages about topics and events are served.
const cataloguePath = "/catalogue/"

// catalogueSite serves the pages about the catalogue, written when the first of
// them is asked for.
func (p *running) catalogueSite(c *contract.Catalogue) http.Handler {
	site := sync.OnceValues(func() (map[string][]byte, error) {
		return render.Site(c, render.Info{Version: "1"})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		files, err := site()
		if err != nil {
			p.server.Fail(w, r, err)
			return
		}
		file := cmp.Or(strings.TrimPrefix(r.URL.Path, cataloguePath), "index.html")
		text, ok := files[file]
		if !ok {
			p.server.Fail(w, r, web.Refuse(http.StatusNotFound, "resource.not-found", "There is no such page; "+cataloguePath+" lists all."))
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'")
		http.ServeContent(w, r, file, time.Time{}, bytes.NewReader(text))
	})
}

// schemas serves the schemas of the catalogue, put together when the first of them
// is asked for.
func (p *running) schemas(c *contract.Catalogue) http.Handler {
	handler := sync.OnceValues(func() (http.Handler, error) { return registry.Handler(c) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		schemas, err := handler()
		if err != nil {
			p.server.Fail(w, r, err)
			return
		}
		schemas.ServeHTTP(w, r)
	})
}
