//go:build realprometheus

package prometheus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"factline.dev/factlinetest"
)

// programVar names the prometheus to run instead of that on PATH; promtool is
// looked for beside it first.
const programVar = "FACTLINE_PROMETHEUS"

func program(t *testing.T) string {
	t.Helper()
	name := os.Getenv(programVar)
	if name == "" {
		name = "prometheus"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("find prometheus: %v; install it (on Debian: apt-get install prometheus), or name the program in %s", err, programVar)
	}
	return path
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	path := filepath.Join(filepath.Dir(program(t)), "promtool")
	if _, err := os.Stat(path); err != nil {
		if path, err = exec.LookPath("promtool"); err != nil {
			t.Fatalf("find promtool: %v; it belongs to Prometheus and stands neither beside the program nor on PATH", err)
		}
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// server is a Prometheus that runs until the test ends.
type server struct {
	t    *testing.T
	base string
}

const configuration = `
global: {scrape_interval: 200ms, evaluation_interval: 200ms, scrape_timeout: 200ms}
rule_files: [%q]
scrape_configs:
  - job_name: factline
    static_configs: [{targets: [%q]}]
`

// startServer runs a Prometheus that scrapes target.
func startServer(t *testing.T, target string) *server {
	t.Helper()
	alerts, err := filepath.Abs("rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, configuration, alerts, target), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	var said strings.Builder
	cmd := exec.Command(program(t), "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil || t.Failed() {
			t.Logf("prometheus ended with %v and said:\n%s", err, said.String())
		}
	})
	s := &server{t: t, base: "http://" + addr}
	factlinetest.Eventually(t, 20*time.Second, "a Prometheus that is ready", func() (bool, error) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("prometheus ended before it was ready: %v", err)
		default:
		}
		return true, s.get("/-/ready", nil, nil)
	})
	return s
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get asks the HTTP API and decodes the data of its answer into into.
func (s *server) get(path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if into == nil {
		if res.StatusCode != http.StatusOK {
			return errors.New(res.Status)
		}
		return nil
	}
	answer := struct {
		Status, Error string
		Data          any
	}{Data: into}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", res.Status, err)
	}
	if answer.Status != "success" {
		return errors.New(answer.Error)
	}
	return nil
}

// sum is the sum of what a query finds, and how many series it found.
func (s *server) sum(query string) (sum float64, series int, err error) {
	var found struct {
		Result []struct{ Value [2]any }
	}
	if err := s.get("/api/v1/query", url.Values{"query": {query}}, &found); err != nil {
		return 0, 0, fmt.Errorf("query %s: %w", query, err)
	}
	for _, r := range found.Result {
		n, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			return 0, 0, err
		}
		sum += n
	}
	return sum, len(found.Result), nil
}

// await waits until a query, which compares, finds something.
func (s *server) await(what, query string) {
	s.t.Helper()
	factlinetest.Eventually(s.t, time.Minute, what, func() (bool, error) {
		_, n, err := s.sum(query)
		if err == nil && n == 0 {
			err = fmt.Errorf("%s finds nothing; what it asks of is %s", query, s.values(query))
		}
		return n > 0, err
	})
}

// values are those of the metrics that a query names, for a failure.
func (s *server) values(query string) string {
	var seen []string
	for _, name := range regexp.MustCompile(`factline_[a-z_]+`).FindAllString(query, -1) {
		var found struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
		err := s.get("/api/v1/query", url.Values{"query": {name}}, &found)
		seen = append(seen, fmt.Sprint(found.Result, err))
	}
	return strings.Join(seen, "; ")
}

// series are the labels of every series that matches now.
func (s *server) series(match string) []map[string]string {
	s.t.Helper()
	var all []map[string]string
	if err := s.get("/api/v1/series", url.Values{"match[]": {match}}, &all); err != nil {
		s.t.Fatal(err)
	}
	return all
}
