package benchmark

import (
	"cmp"
	"fmt"
	"slices"
)

// Result is what was measured of one subject.
type Result struct {
	// Benchmark is relay, consumer, latency or append.
	Benchmark string `json:"benchmark"`
	// Subject is what was measured, such as ours or textbook; "a/b" is the ratio
	// of two subjects, taken within each run.
	Subject string `json:"subject"`
	// Unit of the numbers: events/s, tx/s, ms, or ratio.
	Unit string `json:"unit"`
	// Median, Min and Max over the runs.
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	// Runs is how many were counted; Values are theirs, in order.
	Runs   int       `json:"runs"`
	Values []float64 `json:"values"`
	// Events is how many a run had. 0 in a ratio.
	Events int `json:"events,omitempty"`
	// About says in a line what the subject does.
	About string `json:"about"`
	// Detail holds what else was seen, the largest of the runs each.
	Detail map[string]float64 `json:"detail,omitempty"`
	// Conditions are the same in every result of one call.
	Conditions Conditions `json:"conditions"`
}

// measure is one number of one run.
type measure struct {
	subject, unit, about string
	value                float64
	events               int
	detail               map[string]float64
}

// collector groups measures by subject, in the order of their first appearance.
type collector struct {
	benchmark string
	results   []*Result
}

func (c *collector) add(m measure) {
	at := slices.IndexFunc(c.results, func(r *Result) bool { return r.Subject == m.subject })
	if at < 0 {
		at = len(c.results)
		c.results = append(c.results, &Result{Benchmark: c.benchmark, Subject: m.subject, Unit: m.unit, About: m.about})
	}
	r := c.results[at]
	r.Values = append(r.Values, m.value)
	r.Events = m.events
	for name, value := range m.detail {
		if r.Detail == nil {
			r.Detail = map[string]float64{}
		}
		r.Detail[name] = max(r.Detail[name], value)
	}
}

func (c *collector) finish(conditions Conditions) []Result {
	all := make([]Result, len(c.results))
	for i, r := range c.results {
		r.Runs, r.Conditions = len(r.Values), conditions
		r.Median, r.Min, r.Max = median(r.Values), slices.Min(r.Values), slices.Max(r.Values)
		all[i] = *r
	}
	return all
}

// median of an even number of values is the mean of the middle two.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile is the smallest value that at least p per cent of the sorted
// values do not exceed.
func percentile[T cmp.Ordered](sorted []T, p int) T {
	return sorted[max((len(sorted)*p+99)/100-1, 0)]
}

// ratio is how often b fits into a, both of one run.
func ratio(run map[string]float64, a, b string) []measure {
	x, y := run[a], run[b]
	if x == 0 || y == 0 {
		return nil
	}
	return []measure{{
		subject: a + "/" + b, unit: "ratio", value: x / y,
		about: fmt.Sprintf("%s over %s within each run", a, b),
	}}
}
