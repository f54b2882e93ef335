package web

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/envelope"
	"factline.dev/platform/internal/database"
)

// Service is what the routes of one service share. All fields are required.
type Service struct {
	// Name groups the routes in the documentation, such as "quote-service".
	Name string
	// Schema holds the service's table idempotency.
	Schema string
	// Pool reaches the service's database.
	Pool *pgxpool.Pool
	// Wake is called after every commit of a command, to publish at once.
	Wake func()
	// Now is the clock of commands.
	Now func() time.Time
	// Logger receives failures.
	Logger *slog.Logger
}

// Spec describes a route to callers and to the mux.
type Spec struct {
	// Method and Path as http.ServeMux writes them, such as POST, /quotes/{id}.
	Method, Path string
	// ID names the operation, Summary says what it does in one line.
	ID, Summary string
	// Description is for the documentation page; may be empty.
	Description string
	// Status of success. Default 200.
	Status int
	// UserCommand says that the route acts on an existing aggregate on behalf
	// of a person, who must send If-Match.
	UserCommand bool
	// Lists says that the route takes limit and cursor.
	Lists bool
	// Filters are query parameters beside limit and cursor: name to meaning.
	Filters []Filter
	// Refusals are the problem codes of this route beside those all share.
	Refusals map[int][]string
}

// Filter is one optional query parameter.
type Filter struct{ Name, Doc string }

// Route is a route before it stands on a server.
type Route struct {
	spec    Spec
	service *Service
	in, out reflect.Type
	serve   func(s *Server, schema *huma.Schema, w http.ResponseWriter, r *http.Request) (response, error)
}

// Call is one request to a command.
type Call[In any] struct {
	// Tenant, Actor and Key are from the request; CommandID is new.
	Tenant, Actor, Key, CommandID string
	// ID is the path's {id}, empty where it has none.
	ID string
	// Body is what was sent, already checked against its schema.
	Body In
	// Now is the time of the command, UTC, milliseconds.
	Now time.Time

	match   *int64
	require bool
}

// Precondition compares If-Match with the current version. Call it after the
// state guard and before business rules. Machine commands always pass.
func (c Call[In]) Precondition(current int64) error {
	var p *Problem
	switch {
	case !c.require:
		return nil
	case c.match == nil:
		p = Refuse(http.StatusPreconditionRequired, "concurrency.precondition-required", "Send If-Match with the ETag of the version you decided on.")
	case *c.match != current:
		p = Refuse(http.StatusPreconditionFailed, "concurrency.version-conflict", "It changed since you looked. Read it again and decide anew.")
	default:
		return nil
	}
	p.Version = &current
	return p
}

// Reply is the answer to a command or query.
type Reply[Out any] struct {
	// Status, where it differs from the route's.
	Status int
	// Location of what was created.
	Location string
	// Version becomes the ETag; 0 for none.
	Version int64
	// Body is sent as JSON.
	Body Out
	// Problem, when set, is sent instead of Body, and what the handler wrote is
	// committed all the same.
	Problem *Problem
}

// CommandFunc decides and writes within tx.
type CommandFunc[In, Out any] func(ctx context.Context, tx pgx.Tx, c Call[In]) (Reply[Out], error)

// Command is a route that changes something, once per idempotency key.
func Command[In, Out any](service *Service, spec Spec, do CommandFunc[In, Out]) Route {
	return Route{
		spec: spec, service: service, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](),
		serve: func(s *Server, schema *huma.Schema, w http.ResponseWriter, r *http.Request) (response, error) {
			c, cmd, err := readCommand[In](s, service, spec, schema, w, r)
			if err != nil {
				return response{}, err
			}
			return run(r.Context(), service, spec, cmd, c, do)
		},
	}
}

func readCommand[In any](s *Server, service *Service, spec Spec, schema *huma.Schema, w http.ResponseWriter, r *http.Request) (Call[In], command, error) {
	c := Call[In]{CommandID: "cmd_" + envelope.NewID(), Now: service.Now().UTC().Truncate(time.Millisecond), require: spec.UserCommand}
	var p *Problem
	var body []byte
	if c.Tenant, p = tenantOf(r); p != nil {
		return c, command{}, p
	}
	if c.Actor, p = actorOf(r); p != nil {
		return c, command{}, p
	}
	if body, p = readBody(w, r); p != nil {
		return c, command{}, p
	}
	if p = decodeBody(s.api.OpenAPI().Components.Schemas, schema, body, &c.Body); p != nil {
		return c, command{}, p
	}
	if c.match, p = ifMatch(r); p != nil {
		return c, command{}, p
	}
	if c.Key, p = keyOf(r); p != nil {
		return c, command{}, p
	}
	if c.ID = r.PathValue("id"); c.ID != "" && !ValidID(c.ID) {
		return c, command{}, NotFound()
	}
	return c, command{
		tenant: c.Tenant, principal: c.Actor, route: spec.Method + " " + spec.Path, key: c.Key,
		hash: hashOf(r.URL.Path, body), now: c.Now,
	}, nil
}

func run[In, Out any](ctx context.Context, service *Service, spec Spec, cmd command, c Call[In], do CommandFunc[In, Out]) (response, error) {
	ctx = envelope.WithCause(ctx, causeOf(envelope.CauseFrom(ctx), c))
	var answer response
	err := database.Retrying(ctx, func() error {
		return pgx.BeginFunc(ctx, service.Pool, func(tx pgx.Tx) error {
			repeated, problem, err := service.begin(ctx, tx, cmd)
			switch {
			case err != nil:
				return err
			case problem != nil:
				return problem
			case repeated != nil:
				answer = *repeated
				return nil
			}
			answer, err = execute(ctx, tx, service, spec, cmd, c, do)
			return err
		})
	})
	if err == nil {
		service.Wake()
	}
	return answer, err
}

func causeOf[In any](base envelope.Cause, c Call[In]) envelope.Cause {
	base.TenantID, base.CausationID = c.Tenant, c.CommandID
	base.Metadata = map[string]string{
		"sourceCommandId": c.CommandID, "idempotencyKey": c.Key, "actorType": "USER", "actorId": c.Actor,
	}
	if strings.HasPrefix(c.Actor, "svc_") {
		base.Metadata["actorType"] = "SERVICE"
	}
	return base
}

// execute runs the handler and stores the answer that goes with what it wrote.
// A refusal that wrote nothing is not stored: the state that made it may change,
// and to decide again costs nothing.
func execute[In, Out any](ctx context.Context, tx pgx.Tx, service *Service, spec Spec, cmd command, c Call[In], do CommandFunc[In, Out]) (response, error) {
	reply, err := do(ctx, tx, c)
	if err != nil {
		return response{}, err
	}
	answer, err := reply.response(spec)
	if reply.Problem != nil {
		answer, err = reply.Problem.finish(correlationOf(ctx)).response(), nil
	}
	if err != nil {
		return response{}, err
	}
	return answer, service.finish(ctx, tx, cmd, answer)
}

func (r Reply[Out]) response(spec Spec) (response, error) {
	body, err := json.Marshal(r.Body)
	if err != nil {
		return response{}, fmt.Errorf("web: encode answer of %s: %w", spec.ID, err)
	}
	answer := response{Status: http.StatusOK, Header: map[string]string{"Content-Type": "application/json"}, Body: body}
	if spec.Status != 0 {
		answer.Status = spec.Status
	}
	if r.Status != 0 {
		answer.Status = r.Status
	}
	if r.Location != "" {
		answer.Header["Location"] = r.Location
	}
	if r.Version > 0 {
		answer.Header["ETag"] = etag(r.Version)
	}
	return answer, nil
}

func (rt Route) mount(s *Server) {
	op := rt.operation(s.api.OpenAPI().Components.Schemas)
	var schema *huma.Schema
	if op.RequestBody != nil {
		schema = op.RequestBody.Content["application/json"].Schema
	}
	s.api.OpenAPI().AddOperation(&op)
	s.api.Adapter().Handle(&op, func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		answer, err := rt.serve(s, schema, w, r)
		if err != nil {
			answer = s.failure(r.Context(), rt.spec, err)
		}
		answer.write(w)
	})
}
