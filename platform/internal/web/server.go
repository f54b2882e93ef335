package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"factline.dev/envelope"
	"factline.dev/platform/internal/database"
)

// Config is what [New] needs. Its zero value is usable.
type Config struct {
	// Title and Version head the documentation.
	Title, Version string
	// Logger receives failures and, at debug level, every request. Nil discards.
	Logger *slog.Logger
	// Registerer takes the request metrics. Nil registers none.
	Registerer prometheus.Registerer
}

// Server serves the routes of all services on one mux.
type Server struct {
	cfg     Config
	mux     *http.ServeMux
	api     huma.API
	seconds *prometheus.HistogramVec
}

// New returns a server without routes. It answers /openapi.json, /openapi.yaml
// and /docs itself.
func New(cfg Config) *Server {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, mux: http.NewServeMux()}
	config := huma.DefaultConfig(cfg.Title, cfg.Version)
	// Huma would write its cached document from several requests at once.
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	// The default hook adds $schema members and Link headers to every answer.
	config.CreateHooks = nil
	config.Components = &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName)}
	s.api = humago.New(s.mux, config)
	s.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "factline_platform_http_request_seconds", Help: "Time to answer a request, by route and status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"route", "status"})
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(s.seconds)
	}
	s.mux.HandleFunc("GET /docs", s.serveDocs)
	s.mux.HandleFunc("GET /openapi.json", s.serveDocument("application/json", func() ([]byte, error) { return json.Marshal(s.api.OpenAPI()) }))
	s.mux.HandleFunc("GET /openapi.yaml", s.serveDocument("application/yaml", func() ([]byte, error) { return s.api.OpenAPI().YAML() }))
	return s
}

// Mount adds routes.
func (s *Server) Mount(routes ...Route) {
	for _, r := range routes {
		r.mount(s)
	}
}

// Handle adds something that is no API route, such as /metrics.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// ServeHTTP answers any request, also what no route matches and what panics.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = withCause(r)
	w.Header().Set(HeaderCorrelation, correlationOf(r.Context()))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	recorder := &statusWriter{ResponseWriter: w}
	started := time.Now()
	pattern := ""
	defer func() {
		if v := recover(); v != nil {
			s.panicked(recorder, r, v)
		}
		s.observe(r, pattern, recorder.status, time.Since(started))
	}()
	var h http.Handler
	h, pattern = s.mux.Handler(r)
	// The mux would answer an unclean path with a redirect that repeats it.
	if pattern == "" || !clean(r.URL.Path) {
		s.unmatched(recorder, r, h)
		return
	}
	s.mux.ServeHTTP(recorder, r)
}

// clean takes the path of a page and that of a folder.
func clean(p string) bool {
	c := path.Clean(p)
	return p == c || c != "/" && p == c+"/"
}

func (s *Server) unmatched(w http.ResponseWriter, r *http.Request, h http.Handler) {
	probe := &statusWriter{ResponseWriter: discard{http.Header{}}}
	if clean(r.URL.Path) {
		h.ServeHTTP(probe, r)
	}
	p := Refuse(http.StatusNotFound, "resource.not-found", "There is nothing under this address; /docs lists what there is.")
	if probe.status == http.StatusMethodNotAllowed {
		p = Refuse(http.StatusMethodNotAllowed, "request.method-not-allowed", "This address does not take this method; see the header Allow.")
		p.allow = probe.Header().Get("Allow")
	}
	p.finish(correlationOf(r.Context())).response().write(w)
}

func (s *Server) panicked(w *statusWriter, r *http.Request, v any) {
	p := Refuse(http.StatusInternalServerError, "internal.error", "The request failed inside the server. The log has it under instance.").finish(correlationOf(r.Context()))
	s.cfg.Logger.Error("request panicked", "problem", p.Instance, "correlation_id", p.CorrelationID, "panic", v, "stack", string(debug.Stack()))
	if w.status == 0 {
		p.response().write(w)
	}
}

// failure turns what a route returned as an error into its answer.
func (s *Server) failure(ctx context.Context, spec Spec, err error) response {
	correlation := envelope.CauseFrom(ctx).CorrelationID
	var p *Problem
	if errors.As(err, &p) {
		return p.finish(correlation).response()
	}
	if database.IsUnavailable(err) || ctx.Err() != nil {
		p = Refuse(http.StatusServiceUnavailable, "dependency.unavailable", "The database cannot be reached now. Send the request again later.")
		p.Retryable, p.RetryAfter = true, 2*time.Second
	} else {
		p = Refuse(http.StatusInternalServerError, "internal.error", "The request failed inside the server. The log has it under instance.")
	}
	p = p.finish(correlation)
	s.cfg.Logger.Error("request failed", "operation", spec.ID, "problem", p.Instance, "correlation_id", correlation, "error", err)
	return p.response()
}

func (s *Server) observe(r *http.Request, pattern string, status int, took time.Duration) {
	if pattern == "" {
		pattern = "none" // never the path itself: a scanner would make a series of each
	}
	s.seconds.WithLabelValues(pattern, strconv.Itoa(status)).Observe(took.Seconds())
	cause := envelope.CauseFrom(r.Context())
	s.cfg.Logger.Debug("request", "route", pattern, "status", status, "seconds", took.Seconds(),
		"correlation_id", cause.CorrelationID, "trace_id", cause.TraceID())
}

// statusWriter remembers what was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// Fail answers a request that is no route of a service with err as a problem.
func (s *Server) Fail(w http.ResponseWriter, r *http.Request, err error) {
	s.failure(r.Context(), Spec{ID: r.Pattern}, err).write(w)
}
