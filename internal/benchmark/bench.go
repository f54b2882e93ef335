package benchmark

import (
	"context"
	"fmt"
	"slices"

	"factline.dev/runbook"
)

// Bench measures on one pair of servers. Make one with [Open] and release it
// with [Bench.Close]. Not safe for concurrent use: two measurements at once
// would measure each other.
type Bench struct {
	cfg   Config
	stack *stack
	// suffix keeps databases and topics of several Benches on given servers apart.
	suffix string
	made   int
	// platform is the address of the reference platform, once it runs, services
	// are its databases, and accepts is how often it was measured.
	platform string
	services []runbook.Service
	accepts  int
	// grown are the outboxes with published rows, by how many.
	grown map[int]*filler
}

// subject is something that can be measured. run takes one measurement with
// events as the size of the fastest subjects; the first measure is the main one.
type subject struct {
	name string
	run  func(ctx context.Context, events int) ([]measure, error)
}

// Names of the benchmarks, in the order in which [Bench.Run] is best called.
func Names() []string {
	return []string{"relay", "consumer", "latency", "append", "contract", "growth", "failure", "isolation", "memory", "start"}
}

// Run measures one benchmark of [Names] and returns a result per subject. An
// error means that a subject did not do its work: nothing of it counts.
func (b *Bench) Run(ctx context.Context, name string) ([]Result, error) {
	subjects, derive := b.benchmark(name)
	if subjects == nil {
		return nil, fmt.Errorf("benchmark: run %s: there is no such benchmark; use one of %v", name, Names())
	}
	subjects, err := b.chosen(name, append(subjects, b.peerSubjects(name)...))
	if err != nil {
		return nil, err
	}
	c := &collector{benchmark: name}
	if b.cfg.WarmupEvents > 0 && needsWarmup(name) {
		if _, err := b.round(ctx, name, subjects, 0, b.cfg.WarmupEvents); err != nil {
			return nil, err
		}
	}
	for run := range b.cfg.Runs {
		measures, err := b.round(ctx, name, subjects, run, b.cfg.Events)
		if err != nil {
			return nil, err
		}
		values := map[string]float64{}
		for _, m := range measures {
			values[m.subject] = m.value
		}
		for _, m := range slices.Concat(measures, derive(values), b.peerRatios(name, values)) {
			c.add(m)
		}
	}
	conditions, err := b.stack.conditions(ctx)
	if err != nil {
		return nil, err
	}
	return c.finish(conditions), nil
}

// needsWarmup says whether what comes first is at a disadvantage: not where the
// subjects run at once or in short turns, and not where no time is measured.
func needsWarmup(name string) bool {
	return !slices.Contains([]string{"growth", "isolation", "memory"}, name)
}

// chosen are the subjects of Config.Only.
func (b *Bench) chosen(benchmark string, subjects []subject) ([]subject, error) {
	if len(b.cfg.Only) == 0 {
		return subjects, nil
	}
	var names []string
	var chosen []subject
	for _, s := range subjects {
		names = append(names, s.name)
		if slices.Contains(b.cfg.Only, s.name) {
			chosen = append(chosen, s)
		}
	}
	for _, wanted := range b.cfg.Only {
		if !slices.Contains(names, wanted) {
			return nil, fmt.Errorf("benchmark: run %s: it has no subject %q; it has %v", benchmark, wanted, names)
		}
	}
	return chosen, nil
}

func (b *Bench) benchmark(name string) ([]subject, func(map[string]float64) []measure) {
	switch name {
	case "relay":
		return b.relaySubjects(), relayRatios
	case "consumer":
		return b.consumerSubjects(), consumerRatios
	case "latency":
		return b.latencySubjects(), noRatios
	case "contract":
		return b.contractSubjects(), noRatios
	case "start":
		return b.startSubjects(), noRatios
	case "failure":
		return b.failureSubjects(), noRatios
	case "append":
		return b.appendSubjects(), appendRatios
	case "memory":
		return b.memorySubjects(), memoryRatios
	case "isolation":
		return b.isolationSubjects(), isolationRatios
	case "growth":
		return b.growthSubjects(), b.growthRatios
	}
	return nil, nil
}

func noRatios(map[string]float64) []measure { return nil }

// round measures every subject once. Subjects change places from round to
// round, so that none always comes after the same one; the measures are in the
// subjects' own order.
func (b *Bench) round(ctx context.Context, name string, subjects []subject, run, events int) ([]measure, error) {
	found := make([][]measure, len(subjects))
	for i := range subjects {
		at := (i + run) % len(subjects)
		s := subjects[at]
		measures, err := s.run(ctx, events)
		if err != nil {
			return nil, fmt.Errorf("benchmark: measure %s %s: %w", name, s.name, err)
		}
		for _, m := range measures {
			b.cfg.Logger.Info("measured", "benchmark", name, "run", run+1, "subject", m.subject, "value", m.value, "unit", m.unit, "events", m.events)
		}
		found[at] = measures
	}
	return slices.Concat(found...), nil
}
