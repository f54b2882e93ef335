package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"factline.dev/internal/generated"
)

func TestGuidesAreUpToDate(t *testing.T) {
	t.Parallel()
	if err := generate(t.Context(), true); err != nil {
		t.Error(err)
	}
}

func TestEveryPartOfTheSystemListsItsMetrics(t *testing.T) {
	t.Parallel()
	text, err := renderMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"| `factline_outbox_published_total` | counter | `topic`, `event_type` | Events acknowledged by the broker; event_type is other for forwarded records, such as dead letters. |",
		"| `factline_consumer_lag_records` | gauge | `group`, `topic`, `partition` |",
		"| `factline_platform_http_request_seconds` | histogram | `route`, `status` |",
	} {
		if !bytes.Contains(text, []byte(row)) {
			t.Errorf("no row %s in\n%s", row, text)
		}
	}
}

func TestDescribeTellsKindLabelsAndHelp(t *testing.T) {
	t.Parallel()
	metrics, err := describe([]prometheus.Collector{
		prometheus.NewSummary(prometheus.SummaryOpts{Name: "e", Help: "Five."}),
		prometheus.NewHistogram(prometheus.HistogramOpts{Name: "d", Help: "Four."}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "c", Help: "Three."}, func() float64 { return 1 }),
		prometheus.NewCounterVec(prometheus.CounterOpts{Name: "b", Help: `Two "quoted", {braced}.`}, []string{"x", "y"}),
		prometheus.NewGauge(prometheus.GaugeOpts{Name: "a", Help: "One.", ConstLabels: prometheus.Labels{"k": "v"}}),
		prometheus.NewGauge(prometheus.GaugeOpts{Name: "a", Help: "One."}),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []metric{
		{name: "a", kind: "gauge", help: "One."},
		{name: "b", kind: "counter", help: `Two "quoted", {braced}.`, labels: []string{"x", "y"}},
		{name: "c", kind: "gauge", help: "Three."},
		{name: "d", kind: "histogram", help: "Four."},
		{name: "e", kind: "summary", help: "Five."},
	}
	if len(metrics) != len(want) {
		t.Fatalf("described %d metrics, want %d: %+v", len(metrics), len(want), metrics)
	}
	for i, m := range metrics {
		if m.name != want[i].name || m.kind != want[i].kind || m.help != want[i].help || strings.Join(m.labels, " ") != strings.Join(want[i].labels, " ") {
			t.Errorf("metric %d is %+v, want %+v", i, m, want[i])
		}
	}
}

func TestDescribeRefusesACollectorItCannotName(t *testing.T) {
	t.Parallel()
	if _, err := describe([]prometheus.Collector{prometheus.NewRegistry()}); err == nil {
		t.Error("a registry has no kind and was described")
	}
}

const planted = `package shop

import ("errors"; "fmt")

// ErrClosed says that the shop is closed.
var ErrClosed = errors.New("shop: enter: it is closed; come back tomorrow")

// A group.
var (
	// ErrEmpty says a shelf is empty,
	// see [ErrClosed].
	ErrEmpty = errors.New("shop: " + "empty")
	ErrBare  = fmt.Errorf("shop: %w of %d", ErrEmpty, 3)
	errOwn   = errors.New("shop: own")
)

// PriceError says a | is no price.
type PriceError struct{ Item string }

func (e *PriceError) Error() string {
	if e.Item == "" {
		return "shop: no item"
	}
	return fmt.Sprintf("shop: price %q: %s", e.Item, "x") + e.Item
}

// Shelf is no error.
type Shelf struct{}

// IsClosed reports whether the shop is closed.
func IsClosed(err error) bool { return errors.Is(err, ErrClosed) }

// IsOdd is no predicate of errors.
func IsOdd(n int) bool { return n%2 == 1 }

// Class of a failure.
type Class string

const (
	// Broken is beyond repair.
	Broken Class = "BROKEN"
)
`

func TestErrorsAreReadFromSource(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "outbox", "shop")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"shop.go":      planted,
		"shop_test.go": "package shop\n\n// ErrTest is not listed.\nvar ErrTest = errors.New(`test`)\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := renderErrors(root)
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(text), "\n## ")
	const want = "outbox/shop\n\n" +
		"| error | message | what it means |\n| --- | --- | --- |\n" +
		"| `shop.ErrBare` | shop: … of … | A group. |\n" +
		"| `shop.ErrClosed` | shop: enter: it is closed; come back tomorrow | ErrClosed says that the shop is closed. |\n" +
		"| `shop.ErrEmpty` | shop: empty | ErrEmpty says a shelf is empty, see ErrClosed. |\n\n" +
		"| typed error | message | what it means |\n| --- | --- | --- |\n" +
		"| `*shop.PriceError` | shop: no item<br>shop: price …: …… | PriceError says a \\| is no price. |\n\n" +
		"| predicate | what it means |\n| --- | --- |\n" +
		"| `shop.IsClosed` | IsClosed reports whether the shop is closed. |\n\n" +
		"| class of a dead letter | what it means |\n| --- | --- |\n" +
		"| `BROKEN` | Broken is beyond repair. |\n"
	if got != want {
		t.Errorf("errors are\n%s\nwant\n%s", got, want)
	}
}

func TestASourceThatDoesNotParseIsAnError(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "inbox"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "inbox", "a.go"), []byte("package"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := renderErrors(root); err == nil {
		t.Error("a broken file was read")
	}
}

func TestUnknownFlagsAreRefused(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	if err := run(t.Context(), []string{"-chekc"}, &said); err == nil || errors.Is(err, generated.ErrOutdated) {
		t.Errorf("run = %v, want a refusal of the flag", err)
	}
}
