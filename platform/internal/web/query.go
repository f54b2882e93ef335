package web

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/platform/internal/database"
)

// Ask is one request to a query.
type Ask struct {
	// Tenant is from the request.
	Tenant string
	// ID is the path's {id}, empty where it has none.
	ID string
	// Limit and After page a list: at most Limit items, those after the id After.
	Limit int
	After string
	// Filter holds the given query parameters of Spec.Filters.
	Filter map[string]string
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T `json:"items"`
	// Next is the cursor of the next page, absent on the last.
	Next string `json:"nextCursor,omitempty"`
}

// PageOf cuts rows, of which one more than the limit was read, into a page.
func PageOf[T any](rows []T, limit int, id func(T) string) Page[T] {
	p := Page[T]{Items: rows}
	if p.Items == nil {
		p.Items = []T{}
	}
	if len(rows) > limit {
		p.Items = rows[:limit]
		p.Next = base64.RawURLEncoding.EncodeToString([]byte(id(rows[limit-1])))
	}
	return p
}

// QueryFunc reads within tx.
type QueryFunc[Out any] func(ctx context.Context, tx pgx.Tx, a Ask) (Reply[Out], error)

// Query is a route that changes nothing.
func Query[Out any](service *Service, spec Spec, do QueryFunc[Out]) Route {
	return Route{
		spec: spec, service: service, out: reflect.TypeFor[Out](),
		serve: func(_ *Server, _ *huma.Schema, _ http.ResponseWriter, r *http.Request) (response, error) {
			ask, p := readAsk(spec, r)
			if p != nil {
				return response{}, p
			}
			cause := envelope.CauseFrom(r.Context())
			cause.TenantID = ask.Tenant
			ctx := envelope.WithCause(r.Context(), cause)
			var reply Reply[Out]
			err := database.InTenant(ctx, service.Pool, ask.Tenant, func(tx pgx.Tx) (err error) {
				reply, err = do(ctx, tx, ask)
				return err
			})
			if err != nil {
				return response{}, err
			}
			return reply.response(spec)
		},
	}
}

const (
	defaultLimit = 50
	maxLimit     = 200
)

func readAsk(spec Spec, r *http.Request) (Ask, *Problem) {
	ask := Ask{ID: r.PathValue("id"), Limit: defaultLimit, Filter: map[string]string{}}
	var p *Problem
	if ask.Tenant, p = tenantOf(r); p != nil {
		return ask, p
	}
	if ask.ID != "" && !ValidID(ask.ID) {
		return ask, NotFound()
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return ask, malformed("The query is not well formed.")
	}
	for _, f := range spec.Filters {
		if !query.Has(f.Name) {
			continue
		}
		if ask.Filter[f.Name] = query.Get(f.Name); !ValidID(ask.Filter[f.Name]) {
			return ask, malformed("The query parameter " + f.Name + " is no identifier.")
		}
	}
	if spec.Lists {
		return ask, ask.readPage(query)
	}
	return ask, nil
}

func (a *Ask) readPage(query url.Values) *Problem {
	if query.Has("limit") {
		limit, err := strconv.Atoi(query.Get("limit"))
		if err != nil || limit < 1 || limit > maxLimit {
			return malformed("The query parameter limit must be 1 to 200.")
		}
		a.Limit = limit
	}
	after, err := base64.RawURLEncoding.DecodeString(query.Get("cursor"))
	if err != nil || len(after) > 0 && !ValidID(string(after)) {
		return malformed("The query parameter cursor must be nextCursor of an earlier page.")
	}
	a.After = string(after)
	return nil
}
