package check

import (
	"fmt"
	"slices"
	"strings"

	"factline.dev/prove/history"
)

// Sum adds the samples of a name whose labels hold all of want.
func Sum(samples []history.Sample, name string, want map[string]string) (total float64, found int) {
	for _, s := range samples {
		if s.Name != name {
			continue
		}
		matches := true
		for k, v := range want {
			matches = matches && s.Labels[k] == v
		}
		if matches {
			total += s.Value
			found++
		}
	}
	return total, found
}

// Seen is what the databases and the log say of the same moment.
type Seen struct {
	// Groups are all consumer groups, with the events that each settled.
	Groups map[string]int64
	// Published are events that stand on the log.
	Published int64
	// SinceStart is how long the process ran, in seconds.
	SinceStart float64
}

// MetricsPlausible asks that lag, processing and publishing are on the endpoint for every
// group, and agree with what databases and log say: no lag once drained, as many
// events applied as the inbox holds, times within the life of the process.
func MetricsPlausible(samples []history.Sample, seen Seen) Result {
	r := Result{Name: "lag and processing are visible on the metrics endpoint and true"}
	groups := make([]string, 0, len(seen.Groups))
	for group := range seen.Groups {
		groups = append(groups, group)
	}
	slices.Sort(groups)
	for _, group := range groups {
		r.group(samples, group, seen)
	}
	published, found := Sum(samples, "factline_outbox_published_total", nil)
	switch {
	case found == 0:
		r.problem("factline_outbox_published_total is not on the endpoint")
	case int64(published) < seen.Published:
		r.problem("factline_outbox_published_total is %.0f, the log holds %d events", published, seen.Published)
	}
	if _, found := Sum(samples, "factline_outbox_oldest_age_seconds", nil); found == 0 {
		r.problem("factline_outbox_oldest_age_seconds is not on the endpoint")
	}
	if len(groups) == 0 {
		r.problem("no group is known: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d samples, %d groups, lag 0, %.0f published; %s", len(samples), len(groups), published, r.Observed)
	r.Observed = strings.TrimSuffix(r.Observed, "; ")
	return r
}

func (r *Result) group(samples []history.Sample, group string, seen Seen) {
	label := map[string]string{"group": group}
	switch lag, found := Sum(samples, "factline_consumer_lag_records", label); {
	case found == 0:
		r.problem("factline_consumer_lag_records has no sample of %s", group)
	case lag != 0:
		r.problem("factline_consumer_lag_records of %s is %.0f although its effects reach the end of the log", group, lag)
	}
	applied, found := Sum(samples, "factline_consumer_events_total", map[string]string{"group": group, "outcome": "applied"})
	if found == 0 || int64(applied) < seen.Groups[group] {
		r.problem("factline_consumer_events_total of %s counts %.0f applied events, its inbox holds %d", group, applied, seen.Groups[group])
	}
	count, found := Sum(samples, "factline_consumer_processing_seconds_count", label)
	sum, _ := Sum(samples, "factline_consumer_processing_seconds_sum", label)
	switch {
	case found == 0 || count == 0:
		r.problem("factline_consumer_processing_seconds has no sample of %s", group)
	case sum <= 0 || sum/count > seen.SinceStart:
		r.problem("factline_consumer_processing_seconds of %s says %.3f s an event after %.1f s of life", group, sum/count, seen.SinceStart)
	default:
		r.Observed += fmt.Sprintf("%s %.0f applied, %.1f ms each; ", group, applied, 1000*sum/count)
	}
}
