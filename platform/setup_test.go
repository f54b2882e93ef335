package platform_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/contract"
	"factline.dev/factlinetest"
	"factline.dev/internal/devstack"
	"factline.dev/platform"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

// stack is a platform that runs for one test.
type stack struct {
	base    string
	urls    map[string]string
	cluster *factlinetest.Cluster
	client  *http.Client
	stop    func() error
	cfg     platform.Config
}

func start(t *testing.T, change func(*platform.Config)) *stack {
	t.Helper()
	s := &stack{cluster: brokers(t), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}}}
	s.urls = provision(t)
	s.cfg = platform.Config{Databases: s.urls, Brokers: s.cluster.Addrs(), Contracts: catalogue(t), LineDelay: 20 * time.Millisecond, Logger: logger(t)}
	if change != nil {
		change(&s.cfg)
	}
	s.run(t)
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

// logger is silent unless FACTLINE_TEST_LOG is set: a failing test that needs
// it is run again with it.
func logger(t *testing.T) *slog.Logger {
	t.Helper()
	if os.Getenv("FACTLINE_TEST_LOG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// run starts the platform on the stack's databases and brokers.
func (s *stack) run(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.cfg
	cfg.Listener, s.base = listener, "http://"+listener.Addr().String()
	ready := make(chan struct{})
	cfg.Ready = func(string) { close(ready) }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- platform.Run(ctx, cfg) }()
	stopped := false
	s.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	stop := s.stop
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("platform ended with: %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		stopped = true
		t.Fatalf("platform did not start: %v", err)
	case <-t.Context().Done():
		t.Fatal("platform did not start in time")
	}
}

var loadCatalogue = sync.OnceValues(platform.Catalogue)

// catalogue is loaded once: it is large, and nobody can change it.
func catalogue(t *testing.T) *contract.Catalogue {
	t.Helper()
	c, err := loadCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func brokers(t *testing.T) *factlinetest.Cluster {
	t.Helper()
	cluster := factlinetest.FakeKafka(t)
	var specs []devstack.TopicSpec
	for _, topic := range platform.Topics(catalogue(t), true) {
		specs = append(specs, devstack.TopicSpec(topic))
	}
	if err := devstack.EnsureTopics(t.Context(), cluster.Addrs(), specs); err != nil {
		t.Fatal(err)
	}
	return cluster
}

func provision(t *testing.T) map[string]string {
	t.Helper()
	admin := factlinetest.Postgres(t)
	prefix := "p" + strings.ToLower(rand.Text()[:8]) + "_"
	urls, err := platform.Provision(t.Context(), platform.ProvisionConfig{AdminURL: factlinetest.DSN(admin), Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dropProvisioned(t, factlinetest.DSN(admin), prefix) })
	return urls
}

func dropProvisioned(t *testing.T, url, prefix string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Errorf("drop what was provisioned: %v", err)
		return
	}
	defer conn.Close(ctx)
	for _, name := range []string{"quote", "order", "projection"} {
		id := pgx.Identifier{prefix + name}.Sanitize()
		for _, sql := range []string{"DROP DATABASE IF EXISTS " + id + " WITH (FORCE)", "DROP ROLE IF EXISTS " + id} {
			if _, err := conn.Exec(ctx, sql); err != nil {
				t.Errorf("drop what was provisioned: %v", err)
			}
		}
	}
}

// db returns a pool on a service's database, which sees every tenant.
func (s *stack) db(t *testing.T, service string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(s.urls[service])
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.RuntimeParams["factline.tenant"] = "platform"
	cfg.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (s *stack) count(t *testing.T, service, sql string, args ...any) (n int64) {
	t.Helper()
	if err := s.db(t, service).QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// request is one HTTP request of a test; headers of "" are left out.
type request struct {
	method, path, body string
	header             map[string]string
}

type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (s *stack) do(t testing.TB, r request) answer {
	t.Helper()
	a, err := s.try(t.Context(), r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	return a
}

func (s *stack) try(ctx context.Context, r request) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, s.base+r.path, bytes.NewReader([]byte(r.body)))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("X-Tenant-Id", "tenant_001")
	if r.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", rand.Text())
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: res.StatusCode, header: res.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.body)
	return a, nil
}

func (a answer) get(name string) string {
	v, _ := a.body[name].(string)
	return v
}

// want fails the test unless the answer has this status and, of a problem, code.
func (a answer) want(t testing.TB, status int, code string) answer {
	t.Helper()
	if a.status != status || a.get("code") != code {
		t.Fatalf("got %d %s, want %d %s: %s", a.status, a.get("code"), status, code, a.text)
	}
	return a
}

const draftBody = `{"customerId":"cust_tenant_001_1","currency":"EUR","salesChannel":"WEB","lines":[{"configurationId":"cfg_tenant_001_1_4","action":"ADD"}]}`

// accepted drives a quote to its acceptance and returns its id.
func (s *stack) accepted(t testing.TB) string {
	t.Helper()
	draft := s.do(t, request{method: "POST", path: "/quotes", body: draftBody}).want(t, 201, "")
	id := draft.get("quoteId")
	submitted := s.do(t, request{method: "POST", path: "/quotes/" + id + "/submission", header: ifMatch(draft)}).want(t, 200, "")
	s.do(t, request{method: "POST", path: "/quotes/" + id + "/acceptance", body: acceptBody(submitted), header: ifMatch(submitted)}).want(t, 200, "")
	return id
}

func ifMatch(a answer) map[string]string { return map[string]string{"If-Match": a.header.Get("ETag")} }

func acceptBody(submitted answer) string {
	return `{"commercialSnapshotHash":"` + submitted.get("commercialSnapshotHash") + `","acceptedBy":"cust_tenant_001_1","evidence":{"method":"CLICK","reference":"web"}}`
}

// order waits for the order of a quote in a state of the read model.
func (s *stack) order(t testing.TB, quoteID, state string) map[string]any {
	t.Helper()
	var found map[string]any
	factlinetest.Eventually(t, 90*time.Second, "order of "+quoteID+" in state "+state, func() (bool, error) {
		a := s.do(t, request{method: "GET", path: "/read/orders?quoteId=" + quoteID}).want(t, 200, "")
		items, _ := a.body["items"].([]any)
		if len(items) != 1 {
			return false, nil
		}
		found, _ = items[0].(map[string]any)
		return found["state"] == state, nil
	})
	return found
}
