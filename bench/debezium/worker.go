package debezium

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"factline.dev/bench/jvm"
	"factline.dev/bench/running"
	"factline.dev/internal/benchmark"
)

const connector = "outbox"

// worker is Kafka Connect in standalone mode with one connector.
type worker struct {
	addr string
	// files hold the worker's configuration and the connector's.
	files []string
}

// newWorker writes the configuration, which only this user may read: it holds
// the database's password.
func (c setup) newWorker(s *benchmark.Site, dir string) (*worker, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	connection, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("bench: read the database's URL: %w", err)
	}
	w := &worker{addr: addr}
	for name, settings := range map[string]map[string]string{
		"1-worker.properties":    workerSettings(s.Brokers, addr, dir),
		"2-connector.properties": c.connectorSettings(connection),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, properties(settings), 0o600); err != nil {
			return nil, fmt.Errorf("bench: write the configuration of Kafka Connect: %w", err)
		}
		w.files = append(w.files, path)
	}
	slices.Sort(w.files)
	return w, nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("bench: find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

func properties(settings map[string]string) []byte {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s=%s\n", key, strings.ReplaceAll(settings[key], `\`, `\\`))
	}
	return []byte(b.String())
}

func workerSettings(brokers []string, addr, dir string) map[string]string {
	return map[string]string{
		"bootstrap.servers":            strings.Join(brokers, ","),
		"listeners":                    "http://" + addr,
		"offset.storage.file.filename": filepath.Join(dir, "offsets"),
		"key.converter":                "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":              "org.apache.kafka.connect.storage.StringConverter",
		"plugin.discovery":             "service_load",
	}
}

// connectorSettings follow Debezium's documentation of the outbox event router.
// The header eventId is what the check of the log looks for; the router's own is
// called id.
func (c setup) connectorSettings(database *url.URL) map[string]string {
	password, _ := database.User.Password()
	settings := map[string]string{
		"name":               connector,
		"connector.class":    "io.debezium.connector.postgresql.PostgresConnector",
		"tasks.max":          "1",
		"plugin.name":        "pgoutput",
		"slot.name":          slotName,
		"database.hostname":  database.Hostname(),
		"database.port":      database.Port(),
		"database.user":      database.User.Username(),
		"database.password":  password,
		"database.dbname":    strings.TrimPrefix(database.Path, "/"),
		"topic.prefix":       "bench",
		"table.include.list": "public.outbox",
		// Debezium asks for the least that it needs.
		"publication.autocreate.mode":                         "filtered",
		"tombstones.on.delete":                                "false",
		"transforms":                                          "outbox",
		"transforms.outbox.type":                              "io.debezium.transforms.outbox.EventRouter",
		"transforms.outbox.route.topic.replacement":           "${routedByValue}",
		"transforms.outbox.table.fields.additional.placement": "id:header:eventId,type:header:eventType",
	}
	if c.tuned {
		maps.Copy(settings, map[string]string{
			"max.batch.size":                                          "8192",
			"max.queue.size":                                          "32768",
			"poll.interval.ms":                                        "10",
			"producer.override.linger.ms":                             "5",
			"producer.override.batch.size":                            "524288",
			"producer.override.buffer.memory":                         "134217728",
			"producer.override.compression.type":                      "zstd",
			"producer.override.compression.zstd.level":                "1",
			"producer.override.max.in.flight.requests.per.connection": "5",
		})
	}
	return settings
}

func (w *worker) program(jars string) jvm.Program {
	return jvm.Program{
		Jars: jars, Main: "org.apache.kafka.connect.cli.ConnectStandalone", Args: w.files,
		// The heap is that of Kafka Connect's own start script.
		Flags: []string{"-Xms256m", "-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"},
	}
}

// put gives the connector an order: stop or resume.
func (w *worker) put(ctx context.Context, order string) error {
	answer, err := w.ask(ctx, http.MethodPut, order)
	if err != nil {
		return fmt.Errorf("tell Kafka Connect to %s: %w", order, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("tell Kafka Connect to %s: it answers %s", order, answer.Status)
	}
	return nil
}

// await waits for a state of the connector and its task.
func (w *worker) await(ctx context.Context, state string) error {
	return running.Poll(ctx, func() (bool, error) {
		answer, err := w.ask(ctx, http.MethodGet, "status")
		if err != nil {
			return false, ctx.Err() // it does not listen yet
		}
		defer func() { _ = answer.Body.Close() }()
		var is status
		if answer.StatusCode != http.StatusOK || json.NewDecoder(answer.Body).Decode(&is) != nil {
			return false, nil
		}
		return is.reached(state)
	})
}

type status struct {
	Connector taskStatus
	Tasks     []taskStatus
}

type taskStatus struct{ State, Trace string }

func (s status) reached(state string) (bool, error) {
	for _, t := range append(s.Tasks, s.Connector) {
		if t.State == "FAILED" {
			return false, fmt.Errorf("the connector failed: %s", t.Trace)
		}
		if t.State != state {
			return false, nil
		}
	}
	return state == "STOPPED" || len(s.Tasks) > 0, nil
}

func (w *worker) ask(ctx context.Context, method, what string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+w.addr+"/connectors/"+connector+"/"+what, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}
