package platform

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"factline.dev/platform/internal/web"
)

//go:embed index.html
var indexHTML string

// mountPages adds what is no API of a service: the index, metrics, health and the
// schemas of the catalogue.
func (p *running) mountPages() {
	p.server.Handle("/registry/", http.StripPrefix("/registry", p.schemas(p.cfg.Contracts)))
	p.server.Handle("GET "+strings.TrimSuffix(cataloguePath, "/"), http.RedirectHandler(cataloguePath, http.StatusFound))
	p.server.Handle("GET "+cataloguePath, p.catalogueSite(p.cfg.Contracts))
	p.server.Handle("GET /metrics", promhttp.HandlerFor(p.cfg.Gatherer, promhttp.HandlerOpts{}))
	p.server.Handle("GET /healthz", http.HandlerFunc(p.health))
	p.server.Handle("GET /{$}", http.HandlerFunc(p.index))
}

func (p *running) index(w http.ResponseWriter, r *http.Request) {
	page, err := template.New("index").Parse(indexHTML)
	var text bytes.Buffer
	if err == nil {
		err = page.Execute(&text, map[string]any{"Services": p.cfg.Services, "Brokers": p.cfg.Brokers, "Host": p.listener.Addr().String()})
	}
	if err != nil {
		p.server.Fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = w.Write(text.Bytes())
}

// health answers 200 while every database can be reached.
func (p *running) health(w http.ResponseWriter, r *http.Request) {
	for _, pool := range p.pools {
		if err := pool.Ping(r.Context()); err != nil {
			p.server.Fail(w, r, web.Refuse(http.StatusServiceUnavailable, "dependency.unavailable", "A database cannot be reached."))
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"status":"ok"}`))
}
