package registry_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"factline.dev/contract"
	"factline.dev/contract/registry"
	"factline.dev/platform/contracts"
)

const (
	captured = "oms.order.events.v1-OrderCaptured"
	paid     = "shop.basket.events.v1-BasketPaid"
)

func load(t *testing.T) *contract.Catalogue {
	t.Helper()
	return loadFrom(t, contracts.FS())
}

// loadShop loads a catalogue of a few events.
func loadShop(t *testing.T) *contract.Catalogue {
	t.Helper()
	return loadFrom(t, os.DirFS("../lint/testdata/shop"))
}

func loadFrom(t *testing.T, files fs.FS) *contract.Catalogue {
	t.Helper()
	c, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve mounts the registry below a path, as a program with other pages does.
func serve(t *testing.T, c *contract.Catalogue) *sr.Client {
	t.Helper()
	h, err := registry.Handler(c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.StripPrefix("/registry", h))
	t.Cleanup(server.Close)
	return client(t, server.URL+"/registry")
}

func client(t *testing.T, url string) *sr.Client {
	t.Helper()
	cl, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

func TestAConfluentClientReadsTheCatalogue(t *testing.T) {
	t.Parallel()
	c := load(t)
	cl := serve(t, c)
	subjects, err := cl.Subjects(t.Context())
	if err != nil || !slices.Contains(subjects, captured) {
		t.Fatalf("subjects %v, %v", subjects, err)
	}
	for _, e := range c.Events() {
		subject := registry.Subject(e)
		got, err := cl.SchemaByVersion(t.Context(), subject, e.Version)
		if err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		byID, err := cl.SchemaByID(t.Context(), got.ID)
		if err != nil || byID.Schema != got.Schema.Schema || byID.Type != sr.TypeJSON || got.Type != sr.TypeJSON {
			t.Errorf("%s: the id %d answers another schema (%v)", subject, got.ID, err)
		}
		found, err := cl.LookupSchema(t.Context(), subject, got.Schema)
		if err != nil || found.Version != e.Version || found.ID != got.ID {
			t.Errorf("%s: looked up by its text it is %+v, %v", subject, found, err)
		}
		validatesExamples(t, e, got.Schema.Schema)
	}
	all, err := cl.AllSchemas(t.Context())
	if err != nil || len(all) != len(c.Events()) {
		t.Errorf("%d schemas, %v; want %d", len(all), err, len(c.Events()))
	}
}

// validatesExamples shows that a schema needs nothing outside its own text.
func validatesExamples(t *testing.T, e *contract.Event, schema string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.UseLoader(jsonschema.SchemeURLLoader{}) // loads nothing
	if err := compiler.AddResource("mem:schema", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("mem:schema")
	if err != nil {
		t.Fatalf("%s does not stand alone: %v", e.Type, err)
	}
	for _, x := range e.Examples {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(x.Value)))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(value); err != nil {
			t.Errorf("%s: the bundled schema refuses %s: %v", e.Type, x.File, err)
		}
		delete(value.(map[string]any), "eventId") // required by the envelope, a file of its own
		if compiled.Validate(value) == nil {
			t.Errorf("%s: the bundled schema lost the envelope", e.Type)
		}
	}
}

func TestIDsAreOfTheTextAlone(t *testing.T) {
	t.Parallel()
	one, two := serve(t, load(t)), serve(t, load(t))
	a, errA := one.SchemaByVersion(t.Context(), captured, -1)
	b, errB := two.SchemaByVersion(t.Context(), captured, 1)
	if errA != nil || errB != nil || a.ID != b.ID || a.ID < 1 {
		t.Errorf("ids %d and %d, %v, %v", a.ID, b.ID, errA, errB)
	}
	usages, err := one.SchemaVersionsByID(t.Context(), a.ID)
	if err != nil || len(usages) != 1 || usages[0].Subject != captured {
		t.Errorf("versions of the id: %+v, %v", usages, err)
	}
	if names, err := one.SubjectsByID(t.Context(), a.ID); err != nil || !slices.Equal(names, []string{captured}) {
		t.Errorf("subjects of the id: %v, %v", names, err)
	}
}

// text is a schema that is registered.
func text(t *testing.T, cl *sr.Client) string {
	t.Helper()
	schema, err := cl.SchemaTextByVersion(t.Context(), captured, 1)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestWhatIsNotThereIsRefusedAsTheRegistryDoes(t *testing.T) {
	t.Parallel()
	cl := serve(t, load(t))
	lookup := func(schema string) error {
		_, err := cl.LookupSchema(t.Context(), captured, sr.Schema{Schema: schema, Type: sr.TypeJSON})
		return err
	}
	second := func(_ any, err error) error { return err }
	for what, tt := range map[string]struct {
		err  error
		code int
	}{
		"a subject":        {second(cl.SchemaByVersion(t.Context(), "no-such", 1)), 40401},
		"a version":        {second(cl.SchemaByVersion(t.Context(), captured, 99)), 40402},
		"no version":       {second(cl.SchemaByVersion(t.Context(), captured, -7)), 42202},
		"an id":            {second(cl.SchemaByID(t.Context(), 7)), 40403},
		"a schema":         {lookup(`{"type":"string"}`), 40403},
		"no schema":        {lookup(`{`), 40403},
		"more than one":    {lookup(text(t, cl) + " garbage"), 40403},
		"a registration":   {second(cl.CreateSchema(t.Context(), captured, sr.Schema{Schema: `{}`, Type: sr.TypeJSON})), 42205},
		"a deletion":       {second(cl.DeleteSubject(t.Context(), captured, sr.SoftDelete)), 42205},
		"another location": {second(cl.Contexts(t.Context())), 40400},
	} {
		answer, ok := errors.AsType[*sr.ResponseError](tt.err)
		if !ok || answer.ErrorCode != tt.code || answer.StatusCode != tt.code/100 {
			t.Errorf("%s: %v, want code %d", what, tt.err, tt.code)
		}
	}
}

func TestASchemaRefIsResolvedOverHTTP(t *testing.T) {
	t.Parallel()
	h, err := registry.Handler(load(t))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/refs/oms.order.events/OrderCaptured/1": http.StatusOK,
		"/refs/oms.order.events/OrderCaptured/9": http.StatusNotFound,
		"/refs/%2e%2e/etc/passwd":                http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		body, _ := io.ReadAll(w.Body)
		if w.Code != want || !json.Valid(body) || strings.Contains(string(body), "passwd") {
			t.Errorf("%s: %d %.80s, want %d", path, w.Code, body, want)
		}
	}
}

func TestAPushRegistersWhatIsMissingOnce(t *testing.T) {
	t.Parallel()
	c, fake := loadShop(t), srfake.New()
	t.Cleanup(fake.Close)
	cl := client(t, fake.URL())
	outcomes := func(dryRun bool) map[registry.Outcome]int {
		t.Helper()
		report, err := registry.Push(t.Context(), cl, c, dryRun)
		if err != nil {
			t.Fatal(err)
		}
		counts := map[registry.Outcome]int{}
		for _, p := range report {
			counts[p.Outcome]++
		}
		return counts
	}
	all := len(c.Events())
	if got := outcomes(true); got[registry.Missing] != all || fake.SubjectExists(paid) {
		t.Errorf("a dry run says %v", got)
	}
	if got := outcomes(false); got[registry.Registered] != all || !fake.SubjectExists(paid) {
		t.Errorf("the first push says %v", got)
	}
	if got := outcomes(false); got[registry.Present] != all {
		t.Errorf("the second push says %v", got)
	}
	held, err := cl.SchemaByVersion(t.Context(), paid, 1)
	e, _ := c.Event("BasketPaid", 1)
	if err != nil {
		t.Fatal(err)
	}
	validatesExamples(t, e, held.Schema.Schema)
}

func TestADryRunSaysWhichVersionARegistryWouldGive(t *testing.T) {
	t.Parallel()
	c, fake := loadShop(t), srfake.New()
	t.Cleanup(fake.Close)
	cl := client(t, fake.URL())
	dryRun := func() registry.Pushed {
		t.Helper()
		report, err := registry.Push(t.Context(), cl, c, true)
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(report, func(p registry.Pushed) bool { return p.Subject == paid })
		return report[at]
	}
	if got := dryRun(); got.Version != 1 || got.ID != 0 || got.Outcome != registry.Missing {
		t.Errorf("in an empty registry it would be %+v", got)
	}
	for _, schema := range []string{`{"type":"object"}`, `{"type":"object","title":"another"}`} {
		if _, err := cl.CreateSchema(t.Context(), paid, sr.Schema{Schema: schema, Type: sr.TypeJSON}); err != nil {
			t.Fatal(err)
		}
	}
	would := dryRun()
	report, err := registry.Push(t.Context(), cl, c, false)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(report, func(p registry.Pushed) bool { return p.Subject == paid })
	if would.Version != 3 || report[at].Version != would.Version {
		t.Errorf("behind two others it would be %+v and is %+v", would, report[at])
	}
}

func TestAPushGoesOnAfterARefusalAndStopsWithoutARegistry(t *testing.T) {
	t.Parallel()
	c, fake := loadShop(t), srfake.New()
	t.Cleanup(fake.Close)
	fake.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, paid+"/versions") {
			return false
		}
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"error_code":409,"message":"it is incompatible"}`)
		return true
	})
	report, err := registry.Push(t.Context(), client(t, fake.URL()), c, false)
	refused, ok := errors.AsType[*registry.PushError](err)
	if !ok || refused.Subject != paid || len(report) != len(c.Events()) {
		t.Errorf("%d of %d in the report, %v", len(report), len(c.Events()), err)
	}
	for _, p := range report {
		if (p.Outcome == registry.Refused) != (p.Subject == paid) {
			t.Errorf("%s is %s", p.Subject, p.Outcome)
		}
	}
	fake.Intercept(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusUnauthorized); return true })
	if report, err := registry.Push(t.Context(), client(t, fake.URL()), c, false); err == nil || len(report) != 0 {
		t.Errorf("a registry that refuses us: %d in the report, %v", len(report), err)
	}
}
