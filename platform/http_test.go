package platform_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"factline.dev/platform"
)

// evil must never come back, whatever is wrong with the request that holds it.
const evil = "evil-input-7f3a"

// route is one operation of the interface, as openapi.json lists it.
type route struct{ method, path string }

func routes(t *testing.T, s *stack) []route {
	t.Helper()
	a := s.do(t, request{method: "GET", path: "/openapi.json"}).want(t, 200, "")
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal([]byte(a.text), &doc); err != nil {
		t.Fatal(err)
	}
	var all []route
	for path, methods := range doc.Paths {
		for method := range methods {
			all = append(all, route{strings.ToUpper(method), strings.ReplaceAll(path, "{id}", "x_1")})
		}
	}
	if len(all) != 13 {
		t.Errorf("openapi.json lists %d routes, want 13: %v", len(all), all)
	}
	return all
}

// checkProblem: every refusal is a problem of the one form and repeats nothing.
func checkProblem(t *testing.T, what string, a answer, status int, code string) {
	t.Helper()
	if a.status != status || a.get("code") != code {
		t.Errorf("%s: got %d %q, want %d %q: %s", what, a.status, a.get("code"), status, code, a.text)
		return
	}
	if a.header.Get("Content-Type") != "application/problem+json" || a.get("type") != "https://factline.dev/problems/"+code {
		t.Errorf("%s: type %s, %s", what, a.header.Get("Content-Type"), a.get("type"))
	}
	for _, member := range []string{"title", "detail", "instance", "correlationId"} {
		if a.get(member) == "" {
			t.Errorf("%s: no %s in %s", what, member, a.text)
		}
	}
	if a.header.Get("X-Correlation-Id") != a.get("correlationId") {
		t.Errorf("%s: correlation %q in the header, %q in the body", what, a.header.Get("X-Correlation-Id"), a.get("correlationId"))
	}
	if strings.Contains(a.text, evil) || strings.Contains(fmt.Sprint(a.header), evil) {
		t.Errorf("%s repeats what was sent: %v %s", what, a.header, a.text)
	}
}

func TestEveryRouteRefusesInOneForm(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for _, r := range routes(t, s) {
		what := r.method + " " + r.path
		send := func(body string, header map[string]string) answer {
			return s.do(t, request{method: r.method, path: r.path, body: body, header: header})
		}
		checkProblem(t, what+" without tenant", send("", map[string]string{"X-Tenant-Id": ""}), 400, "tenant.missing")
		checkProblem(t, what+" with a tenant of no form", send("", map[string]string{"X-Tenant-Id": evil + " <x>"}), 400, "tenant.missing")
		checkProblem(t, what+" with the platform's tenant", send("", map[string]string{"X-Tenant-Id": "platform"}), 403, "tenant.mismatch")
		wrong := s.do(t, request{method: http.MethodPatch, path: r.path, body: evil})
		checkProblem(t, what+" with another method", wrong, 405, "request.method-not-allowed")
		if !strings.Contains(wrong.header.Get("Allow"), r.method) {
			t.Errorf("%s: Allow is %q", what, wrong.header.Get("Allow"))
		}
		checkProblem(t, what+" below itself", s.do(t, request{method: r.method, path: r.path + "/a/b/" + evil}), 404, "resource.not-found")
		checkProblem(t, what+" on an unclean path", s.do(t, request{method: r.method, path: "/" + evil + "/.." + r.path}), 404, "resource.not-found")
		if r.method == http.MethodPost {
			checkPost(t, what, send)
		} else {
			checkProblem(t, what+" with a malformed query", s.do(t, request{method: r.method, path: r.path + "?limit=" + evil + "&cursor=%zz" + evil}), 400, "request.malformed")
		}
	}
}

func checkPost(t *testing.T, what string, send func(body string, header map[string]string) answer) {
	t.Helper()
	checkProblem(t, what+" with malformed JSON", send(`{"`+evil+`":`, nil), 400, "request.malformed")
	checkProblem(t, what+" with two JSON values", send(`{} {"a":"`+evil+`"}`, nil), 400, "request.malformed")
	checkProblem(t, what+" with a NUL", send(`{"a":"`+evil+`\u0000"}`, nil), 400, "request.malformed")
	checkProblem(t, what+" nested too deep", send(strings.Repeat("[", 100)+strings.Repeat("]", 100), nil), 400, "request.malformed")
	checkProblem(t, what+" of another type", send("<x>"+evil+"</x>", map[string]string{"Content-Type": "application/xml"}), 415, "request.unsupported-media-type")
	checkProblem(t, what+" too large", send(`{"a":"`+strings.Repeat("x", 1<<20)+evil+`"}`, nil), 413, "request.too-large")
	checkProblem(t, what+" with an array", send(`["`+evil+`"]`, nil), 422, "request.invalid")
	if !strings.Contains(what, "captures") { // an event's payload may have more members than its reader knows
		a := send(`{"`+evil+`":"`+evil+`"}`, nil)
		checkProblem(t, what+" with an unknown member", a, 422, "request.invalid")
		if violations, _ := a.body["violations"].([]any); len(violations) == 0 {
			t.Errorf("%s: no violations in %s", what, a.text)
		}
	}
	checkProblem(t, what+" with an actor of no form", send("", map[string]string{"X-Actor-Id": evil + "!"}), 400, "request.malformed")
	valid := map[bool]string{true: draftBody, false: "{}"}[strings.HasSuffix(what, "/quotes")]
	if strings.Contains(what, "acceptance") || strings.Contains(what, "cancellation") || strings.Contains(what, "captures") {
		return // their bodies are never empty; TestQuoteCommandsCheckInOrder has them
	}
	checkProblem(t, what+" without key", send(valid, map[string]string{"Idempotency-Key": ""}), 400, "idempotency.key-missing")
	checkProblem(t, what+" with a key too long", send(valid, map[string]string{"Idempotency-Key": strings.Repeat("k", 129)}), 400, "idempotency.key-missing")
	checkProblem(t, what+" with If-Match of no form", send(valid, map[string]string{"If-Match": evil}), 400, "request.malformed")
}

func TestQuoteCommandsCheckInOrder(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *platform.Config) { c.Services = []string{"quote-service"} })
	draft := s.do(t, request{method: "POST", path: "/quotes", body: draftBody}).want(t, 201, "")
	at := "/quotes/" + draft.get("quoteId")
	if draft.header.Get("Location") != at || draft.header.Get("ETag") != `"2"` || draft.get("state") != "PRICED" {
		t.Errorf("draft: %v %s", draft.header, draft.text)
	}
	accept := acceptBody(answer{body: map[string]any{"commercialSnapshotHash": "sha256:0"}})
	post := func(path, body string, header map[string]string) answer {
		return s.do(t, request{method: "POST", path: path, body: body, header: header})
	}
	for _, c := range []struct {
		name, path, body string
		header           map[string]string
		status           int
		code             string
	}{
		{"an id that does not exist", "/quotes/q_0/submission", "", nil, 404, "resource.not-found"},
		{"an id of no form", "/quotes/" + evil + "%20x/submission", "", nil, 404, "resource.not-found"},
		{"an id of another tenant", at + "/submission", "", map[string]string{"X-Tenant-Id": "tenant_002", "If-Match": `"2"`}, 404, "resource.not-found"},
		{"the state comes before If-Match", at + "/acceptance", accept, nil, 409, "quote.not-approved"},
		{"If-Match is required", at + "/submission", "", nil, 428, "concurrency.precondition-required"},
		{"If-Match is stale", at + "/submission", "", map[string]string{"If-Match": `"1"`}, 412, "concurrency.version-conflict"},
		{"If-Match is weak", at + "/submission", "", map[string]string{"If-Match": `W/"2"`}, 412, "concurrency.version-conflict"},
		{"If-Match names another kind of tag", at + "/submission", "", map[string]string{"If-Match": `"abc"`}, 412, "concurrency.version-conflict"},
		{"the body comes before the key", at + "/acceptance", `{}`, map[string]string{"Idempotency-Key": ""}, 422, "request.invalid"},
		{"the key comes before existence", "/quotes/q_0/submission", "", map[string]string{"Idempotency-Key": ""}, 400, "idempotency.key-missing"},
		{"an unknown configuration", "/quotes", strings.Replace(draftBody, "cfg_tenant_001_1_4", "cfg_"+evil, 1), nil, 409, "quote.configuration-unknown"},
		{"a configuration of another customer", "/quotes", strings.Replace(draftBody, "cfg_tenant_001_1_4", "cfg_tenant_001_2_4", 1), nil, 409, "quote.configuration-unknown"},
		{"another currency", "/quotes", strings.Replace(draftBody, "EUR", "GBP", 1), nil, 422, "quote.currency-mismatch"},
		{"a customer of another tenant", "/quotes", draftBody, map[string]string{"X-Tenant-Id": "tenant_002"}, 409, "quote.configuration-unknown"},
		{"a discount of no form", "/quotes", strings.Replace(draftBody, `"ADD"`, `"ADD","manualDiscountPercent":"`+evil+`"`, 1), nil, 422, "request.invalid"},
		{"a channel that does not exist", "/quotes", strings.Replace(draftBody, "WEB", evil, 1), nil, 422, "request.invalid"},
		{"no lines", "/quotes", `{"customerId":"cust_tenant_001_1","currency":"EUR","salesChannel":"WEB","lines":[]}`, nil, 422, "request.invalid"},
		{"too many lines", "/quotes", `{"customerId":"cust_tenant_001_1","currency":"EUR","salesChannel":"WEB","lines":[` + strings.Repeat(`{"configurationId":"cfg_tenant_001_1_4","action":"ADD"},`, 99) + `{"configurationId":"cfg_tenant_001_1_4","action":"ADD"}]}`, nil, 422, "quote.too-many-lines"},
	} {
		checkProblem(t, c.name, post(c.path, c.body, c.header), c.status, c.code)
	}

	stale := post(at+"/submission", "", map[string]string{"If-Match": `"1"`})
	if stale.body["currentVersion"] != 2.0 {
		t.Errorf("412 says currentVersion %v", stale.body["currentVersion"])
	}
	submitted := post(at+"/submission", "", ifMatch(draft)).want(t, 200, "")
	checkProblem(t, "a changed snapshot", post(at+"/acceptance", accept, ifMatch(submitted)), 409, "quote.snapshot-changed")
	first := post(at+"/acceptance", acceptBody(submitted), ifMatch(submitted)).want(t, 200, "")
	second := post(at+"/acceptance", acceptBody(submitted), ifMatch(submitted))
	checkProblem(t, "a second acceptance", second, 409, "quote.already-accepted")
	if second.get("acceptedBy") != "cust_tenant_001_1" || second.get("acceptedAt") != first.get("acceptedAt") {
		t.Errorf("the second acceptance is told %s %s", second.get("acceptedBy"), second.get("acceptedAt"))
	}
	checkProblem(t, "a cancellation after acceptance", post(at+"/cancellation", `{"reasonCode":"NO_BUDGET"}`, ifMatch(first)), 409, "quote.already-accepted")
	if n := s.count(t, "quote-service", "SELECT count(*) FROM factline.outbox_event WHERE event_type = 'QuoteAccepted'"); n != 1 {
		t.Errorf("%d QuoteAccepted", n)
	}
}

func TestAKeyIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *platform.Config) { c.Services = []string{"quote-service"} })
	key := func(k string) map[string]string { return map[string]string{"Idempotency-Key": k} }
	draft := func(body string, header map[string]string) answer {
		return s.do(t, request{method: "POST", path: "/quotes", body: body, header: header})
	}
	first := draft(draftBody, key("k1")).want(t, 201, "")
	again := draft(draftBody, key("k1")).want(t, 201, "")
	if again.text != first.text || again.header.Get("Idempotency-Replayed") != "true" || again.header.Get("Location") != first.header.Get("Location") || again.header.Get("ETag") != first.header.Get("ETag") {
		t.Errorf("the repetition differs: %v %s", again.header, again.text)
	}
	if first.header.Get("Idempotency-Replayed") != "" {
		t.Error("the first answer calls itself a repetition")
	}
	checkProblem(t, "a key with another body", draft(strings.Replace(draftBody, "WEB", "DIRECT_SALES", 1), key("k1")), 422, "idempotency.key-reused")
	other := draft(draftBody, map[string]string{"Idempotency-Key": "k1", "X-Actor-Id": "user_2"}).want(t, 201, "")
	if other.get("quoteId") == first.get("quoteId") {
		t.Error("another principal's key is answered with the first one's quote")
	}

	// The same key and body on two quotes are two commands.
	sub := func(a answer) answer {
		return s.do(t, request{method: "POST", path: "/quotes/" + a.get("quoteId") + "/submission", header: map[string]string{"Idempotency-Key": "k2", "If-Match": `"2"`}})
	}
	sub(first).want(t, 200, "")
	checkProblem(t, "a key on another quote", sub(other), 422, "idempotency.key-reused")

	// A refusal without effect leaves the key free.
	draft(strings.Replace(draftBody, "EUR", "GBP", 1), key("k3")).want(t, 422, "quote.currency-mismatch")
	draft(draftBody, key("k3")).want(t, 201, "")
	unknown := strings.Replace(draftBody, "cfg_tenant_001_1_4", "cfg_new", 1)
	a := draft(unknown, key("k4")).want(t, 409, "quote.configuration-unknown")
	if a.body["retryable"] != true {
		t.Errorf("not retryable: %s", a.text)
	}
	_, err := s.db(t, "quote-service").Exec(t.Context(), "INSERT INTO quote.mirror_configuration SELECT tenant_id, 'cfg_new', version, jsonb_set(body, '{configurationId}', '\"cfg_new\"') FROM quote.mirror_configuration WHERE configuration_id = 'cfg_tenant_001_1_4'")
	if err != nil {
		t.Fatal(err)
	}
	draft(unknown, key("k4")).want(t, 201, "")
}

// Refusals used to be stored for a week, so that a client that read again and
// sent the same command was still told what had been wrong with the first.
func TestARefusedCommandMaySucceedUnderItsKey(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *platform.Config) { c.Services = []string{"quote-service"} })
	draft := s.do(t, request{method: "POST", path: "/quotes", body: draftBody}).want(t, 201, "")
	at := "/quotes/" + draft.get("quoteId")
	post := func(command, body, key, match string) answer {
		header := map[string]string{"Idempotency-Key": key}
		if match != "" {
			header["If-Match"] = match
		}
		return s.do(t, request{method: "POST", path: at + command, body: body, header: header})
	}
	read := func() answer { return s.do(t, request{method: "GET", path: at}).want(t, 200, "") }
	accept := acceptBody(answer{body: map[string]any{"commercialSnapshotHash": "sha256:0"}})

	post("/acceptance", accept, "accept", "").want(t, 409, "quote.not-approved")
	post("/submission", "", "submit", "").want(t, 428, "concurrency.precondition-required")
	post("/submission", "", "submit", `"1"`).want(t, 412, "concurrency.version-conflict")
	submitted := post("/submission", "", "submit", read().header.Get("ETag")).want(t, 200, "")
	if submitted.header.Get("Idempotency-Replayed") != "" {
		t.Error("the submission is answered with a refusal's repetition")
	}
	if again := post("/submission", "", "submit", ""); again.text != submitted.text || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the success is not repeated: %d %s", again.status, again.text)
	}
	post("/acceptance", acceptBody(submitted), "accept", read().header.Get("ETag")).want(t, 200, "")
	if n := s.count(t, "quote-service", "SELECT count(*) FROM quote.idempotency WHERE status >= 400"); n != 0 {
		t.Errorf("%d refusals without effect are stored", n)
	}
}

func TestParallelRequestsWithOneKeyHaveOneEffect(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *platform.Config) { c.Services = []string{"quote-service"} })
	const n = 40
	answers := make([]answer, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			var err error
			if answers[i], err = s.try(t.Context(), request{method: "POST", path: "/quotes", body: draftBody, header: map[string]string{"Idempotency-Key": "one"}}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	ids := map[string]bool{}
	for _, a := range answers {
		switch {
		case a.status == 201:
			ids[a.get("quoteId")] = true
		case a.get("code") != "idempotency.in-progress" || a.header.Get("Retry-After") != "1":
			t.Errorf("got %d %s", a.status, a.text)
		}
	}
	if count := s.count(t, "quote-service", "SELECT count(*) FROM quote.quote"); len(ids) != 1 || count != 1 {
		t.Errorf("%d ids answered, %d quotes stored", len(ids), count)
	}
}

func TestListsArePaged(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *platform.Config) { c.Services = []string{"quote-service"} })
	for range 5 {
		s.do(t, request{method: "POST", path: "/quotes", body: draftBody}).want(t, 201, "")
	}
	seen := map[string]bool{}
	pages := 0
	for cursor := ""; ; pages++ {
		a := s.do(t, request{method: "GET", path: "/quotes?limit=2&cursor=" + cursor}).want(t, 200, "")
		items, _ := a.body["items"].([]any)
		for _, item := range items {
			seen[item.(map[string]any)["quoteId"].(string)] = true
		}
		if cursor = a.get("nextCursor"); cursor == "" {
			break
		}
	}
	if len(seen) != 5 || pages != 2 {
		t.Errorf("%d quotes on %d pages after the first", len(seen), pages)
	}
	foreign := s.do(t, request{method: "GET", path: "/quotes", header: map[string]string{"X-Tenant-Id": "tenant_002"}}).want(t, 200, "")
	if items, _ := foreign.body["items"].([]any); len(items) != 0 {
		t.Errorf("another tenant sees %d quotes", len(items))
	}
}

func TestCorrelationAndTraceAreTakenOver(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *platform.Config) { c.Services = []string{"quote-service"} })
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	a := s.do(t, request{method: "POST", path: "/quotes", body: draftBody, header: map[string]string{
		"X-Correlation-Id": "corr_mine", "traceparent": "00-" + trace + "-00f067aa0ba902b7-01", "X-Actor-Id": "user_7", "Idempotency-Key": "k",
	}}).want(t, 201, "")
	if a.header.Get("X-Correlation-Id") != "corr_mine" {
		t.Errorf("correlation is %q", a.header.Get("X-Correlation-Id"))
	}
	for _, e := range s.events(t, quoteTopic, 2, a.get("quoteId")) {
		if e.CorrelationID != "corr_mine" || e.TraceID != trace || e.Metadata["actorId"] != "user_7" || e.Metadata["idempotencyKey"] != "k" || e.CausationID != e.Metadata["sourceCommandId"] {
			t.Errorf("%s: correlation %s, trace %s, causation %s, metadata %v", e.EventType, e.CorrelationID, e.TraceID, e.CausationID, e.Metadata)
		}
	}
	made := s.do(t, request{method: "GET", path: "/quotes", header: map[string]string{"X-Correlation-Id": evil + "\t<x>"}})
	if got := made.header.Get("X-Correlation-Id"); !strings.HasPrefix(got, "corr_") || strings.Contains(got, evil) {
		t.Errorf("a correlation id of no form becomes %q", got)
	}
}

func TestTheCatalogueIsServedAsARegistryAndAsPages(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *platform.Config) { c.Services = []string{"quote-service"} })
	latest := s.do(t, request{method: "GET", path: "/registry/subjects/cpq.quote.events.v1-QuoteAccepted/versions/latest"}).want(t, 200, "")
	if latest.get("schemaType") != "JSON" || !strings.Contains(latest.get("schema"), "QuoteAccepted") {
		t.Errorf("latest: %s", latest.text)
	}
	ref := s.do(t, request{method: "GET", path: "/registry/refs/cpq.quote.events/QuoteAccepted/1"}).want(t, 200, "")
	if ref.text != latest.get("schema") {
		t.Errorf("schema://cpq.quote.events/QuoteAccepted/1 is another schema: %.200s", ref.text)
	}
	page := s.do(t, request{method: "GET", path: "/catalogue/events/QuoteAccepted.html"}).want(t, 200, "")
	if page.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(page.text, "<h1>QuoteAccepted</h1>") {
		t.Errorf("its page: %v %.300s", page.header, page.text)
	}
	for _, path := range []string{"/catalogue/", "/catalogue/index.html"} {
		if index := s.do(t, request{method: "GET", path: path}).want(t, 200, ""); !strings.Contains(index.text, "<h1>factline reference platform</h1>") {
			t.Errorf("%s: %.300s", path, index.text)
		}
	}
	if page.header.Get("Content-Security-Policy") == "" {
		t.Error("a page of the catalogue lets everything in")
	}
	checkProblem(t, "a page that is not there", s.do(t, request{method: "GET", path: "/catalogue/events/" + evil}), 404, "resource.not-found")
	refused := s.do(t, request{method: "DELETE", path: "/registry/subjects/cpq.quote.events.v1-QuoteAccepted"})
	if refused.status != 422 || refused.get("message") == "" {
		t.Errorf("a deletion: %d %s", refused.status, refused.text)
	}
}
