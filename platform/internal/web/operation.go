package web

import (
	"fmt"
	"maps"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// commandRefusals and queryRefusals are what every route may answer.
func (rt Route) refusals() map[int][]string {
	all := map[int][]string{
		http.StatusBadRequest:          {"request.malformed", "tenant.missing"},
		http.StatusForbidden:           {"tenant.mismatch"},
		http.StatusInternalServerError: {"internal.error"},
		http.StatusServiceUnavailable:  {"dependency.unavailable"},
	}
	add := func(status int, codes ...string) { all[status] = append(all[status], codes...) }
	if strings.Contains(rt.spec.Path, "{id}") {
		add(http.StatusNotFound, "resource.not-found")
	}
	if rt.in != nil {
		add(http.StatusBadRequest, "idempotency.key-missing")
		add(http.StatusConflict, "idempotency.in-progress")
		add(http.StatusRequestEntityTooLarge, "request.too-large")
		add(http.StatusUnsupportedMediaType, "request.unsupported-media-type")
		add(http.StatusUnprocessableEntity, "request.invalid", "idempotency.key-reused")
	}
	if rt.spec.UserCommand {
		add(http.StatusPreconditionFailed, "concurrency.version-conflict")
		add(http.StatusPreconditionRequired, "concurrency.precondition-required")
	}
	for status, codes := range rt.spec.Refusals {
		add(status, codes...)
	}
	return all
}

func (rt Route) operation(registry huma.Registry) huma.Operation {
	op := huma.Operation{
		Method: rt.spec.Method, Path: rt.spec.Path, OperationID: rt.spec.ID,
		Summary: rt.spec.Summary, Description: rt.spec.Description,
		Tags: []string{rt.service.Name}, Parameters: rt.parameters(),
		Responses: map[string]*huma.Response{},
	}
	if rt.in != nil {
		op.RequestBody = &huma.RequestBody{
			Required: rt.in.NumField() > 0,
			Content:  map[string]*huma.MediaType{"application/json": {Schema: schemaOf(registry, rt.in, rt.spec.ID+"Request")}},
		}
	}
	status := rt.spec.Status
	if status == 0 {
		status = http.StatusOK
	}
	op.Responses[strconv.Itoa(status)] = &huma.Response{
		Description: http.StatusText(status),
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schemaOf(registry, rt.out, rt.spec.ID+"Response")}},
	}
	problem := schemaOf(registry, reflect.TypeFor[Problem](), "Problem")
	refusals := rt.refusals()
	for _, status := range slices.Sorted(maps.Keys(refusals)) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: strings.Join(refusals[status], ", "),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: problem}},
		}
	}
	return op
}

// schemaName keeps services apart that name a type alike: quote.view and
// order.view are QuoteView and OrderView.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	pkg := path.Base(t.PkgPath())
	if t.Name() == "" || pkg == "web" && !strings.Contains(t.Name(), "[") {
		return name
	}
	if pkg == "web" {
		// Page[...]: the item's package stands inside the brackets.
		_, inner, _ := strings.Cut(t.Name(), "[")
		pkg, _, _ = strings.Cut(path.Base(inner), ".")
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

func schemaOf(registry huma.Registry, t reflect.Type, hint string) *huma.Schema {
	return registry.Schema(t, true, hint)
}

func (rt Route) parameters() []*huma.Param {
	text := &huma.Schema{Type: huma.TypeString}
	param := func(in, name, doc string, required bool) *huma.Param {
		return &huma.Param{In: in, Name: name, Description: doc, Required: required, Schema: text}
	}
	all := []*huma.Param{param("header", HeaderTenant, "Your tenant.", true)}
	if strings.Contains(rt.spec.Path, "{id}") {
		all = append(all, param("path", "id", "Identifier.", true))
	}
	if rt.in != nil {
		all = append(all,
			param("header", HeaderIdempotencyKey, "New for each command, the same when you send it again: 1 to 128 printable ASCII characters, kept 7 days.", true),
			param("header", HeaderActor, "Who acts. Default "+AnonymousActor+".", false))
	}
	if rt.spec.UserCommand {
		all = append(all, param("header", "If-Match", "ETag of the version you decided on.", true))
	}
	if rt.spec.Lists {
		all = append(all,
			&huma.Param{In: "query", Name: "limit", Description: fmt.Sprintf("Items a page, 1 to %d, default %d.", maxLimit, defaultLimit), Schema: &huma.Schema{Type: huma.TypeInteger}},
			param("query", "cursor", "nextCursor of the page before.", false))
	}
	for _, f := range rt.spec.Filters {
		all = append(all, param("query", f.Name, f.Doc, false))
	}
	return append(all,
		param("header", HeaderCorrelation, "Follows one business request from end to end. Made where it is missing, returned always.", false),
		param("header", "traceparent", "W3C trace context.", false))
}
