package prove

import (
	"context"

	"factline.dev/prove/check"
	"factline.dev/prove/history"
)

// readMetrics asks the endpoint until it agrees with databases and log: gauges
// follow what they measure with a delay.
func (s *slice) readMetrics(ctx context.Context, out *outcome) error {
	h, err := s.record(ctx)
	if err != nil {
		return err
	}
	seen := check.Seen{Groups: make(map[string]int64)}
	for _, r := range readings() {
		seen.Groups[r.group] = 0
	}
	for _, i := range h.Inboxes {
		if i.State == "DONE" {
			seen.Groups[i.Group]++
		}
	}
	for _, r := range h.Log {
		if !r.Injected && r.EventID != "" {
			seen.Published++
		}
	}
	var last check.Result
	err = s.await(ctx, "the metrics agree with the databases", func(ctx context.Context) ([]string, error) {
		samples, err := history.Scrape(ctx, s.base()+"/metrics")
		if err != nil {
			return nil, err
		}
		seen.SinceStart = s.child.Age().Seconds()
		last = check.MetricsPlausible(samples, seen)
		return last.Problems, nil
	})
	if err != nil && last.OK() {
		return err
	}
	out.check(last)
	return nil
}
