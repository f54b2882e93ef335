package benchmark

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestMedianAndPercentile(t *testing.T) {
	t.Parallel()
	if got := median([]float64{5, 1, 9}); got != 5 {
		t.Errorf("median of three is %v, want the middle one", got)
	}
	if got := median([]float64{4, 1, 9, 2}); got != 3 {
		t.Errorf("median of four is %v, want 3", got)
	}
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for p, want := range map[int]int{50: 50, 99: 99, 100: 100} {
		if got := percentile(hundred, p); got != want {
			t.Errorf("percentile %d is %d, want %d", p, got, want)
		}
	}
	if got := percentile([]int{7}, 99); got != 7 {
		t.Errorf("percentile of one is %d", got)
	}
}

func TestRatiosAreTakenWithinARun(t *testing.T) {
	t.Parallel()
	c := &collector{benchmark: "relay"}
	for _, run := range []map[string]float64{{"a": 10, "b": 5}, {"a": 9, "b": 1}, {"a": 8, "b": 4}} {
		for _, m := range ratio(run, "a", "b") {
			c.add(m)
		}
	}
	got := c.finish(Conditions{})
	if len(got) != 1 || got[0].Subject != "a/b" || got[0].Median != 2 || got[0].Max != 9 || got[0].Runs != 3 {
		t.Errorf("got %+v, want a/b with median 2 and maximum 9 of 3 runs", got)
	}
	if got := ratio(map[string]float64{"a": 1}, "a", "b"); got != nil {
		t.Errorf("got %v for a subject that did not run", got)
	}
}

func results() []Result {
	return []Result{{
		Benchmark: "relay", Subject: "ours", Unit: "events/s", Median: 120345.6, Min: 99, Max: 1.5, Runs: 3, Values: []float64{1.5, 99, 120345.6},
		Events: 300_000, About: "drains", Detail: map[string]float64{"aggregates_out_of_order": 1200},
		Conditions: Conditions{At: time.Date(2026, 7, 2, 8, 0, 0, 0, time.UTC), Postgres: "18", Settings: map[string]string{"fsync": "on"}, Kafka: "Apache Kafka 4.1.0"},
	}}
}

func TestJSONLinesComeBack(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := WriteJSON(&b, append(results(), results()...)); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(b.String(), "\n"); lines != 2 {
		t.Errorf("%d lines, want one a result", lines)
	}
	got, err := ReadJSON(&b)
	if err != nil || !reflect.DeepEqual(got, append(results(), results()...)) {
		t.Errorf("got %+v (%v)", got, err)
	}
	if _, err := ReadJSON(strings.NewReader(`{"benchmark":1}`)); err == nil || !strings.Contains(err.Error(), "read result 1") {
		t.Errorf("got %v, want an error that names the result", err)
	}
}

func TestRenderReplacesWhatStandsBetweenTheMarkers(t *testing.T) {
	t.Parallel()
	document := []byte("# Title\n" + BeginMarker + "\nold\n" + EndMarker + "\nrest\n")
	got, err := Render(document, results())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Title\n", "120,346", "99.0", "1.50", "fsync=on", "1,200 aggregates out of order", EndMarker + "\nrest\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "old") {
		t.Error("the old tables are still there")
	}
	again, err := Render(got, results())
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("rendering twice changes the document (%v)", err)
	}
	if _, err := Render([]byte("no markers"), results()); err == nil {
		t.Error("a document without markers was accepted")
	}
}

func TestSubjectsChangePlacesAndKeepTheirOrder(t *testing.T) {
	t.Parallel()
	var ran []string
	var subjects []subject
	for _, name := range []string{"a", "b", "c"} {
		subjects = append(subjects, subject{name, func(context.Context, int) ([]measure, error) {
			ran = append(ran, name)
			return []measure{{subject: name, value: 1}}, nil
		}})
	}
	b := &Bench{cfg: Config{}.WithDefaults()}
	measures, err := b.round(t.Context(), "x", subjects, 1, 1)
	if err != nil || strings.Join(ran, "") != "bca" {
		t.Errorf("ran %v (%v), want b, c, a in the second run", ran, err)
	}
	if measures[0].subject != "a" || measures[2].subject != "c" {
		t.Errorf("measures are in the order %v", measures)
	}
}
