package platform

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"factline.dev/platform/internal/seed"
)

// LoadConfig is what [Load] needs. Zero fields take their defaults.
type LoadConfig struct {
	// BaseURL is where the platform answers, such as http://127.0.0.1:8080.
	// Required.
	BaseURL string
	// Rate is the average number of quotes begun in a second. They arrive
	// independently of each other and of how fast the platform answers, so that
	// a slow one builds lag instead of slowing the load. Default 2.
	Rate float64
	// Duration is how long quotes are begun. Zero goes on until the context
	// ends, or until Count.
	Duration time.Duration
	// Count is how many quotes are begun at most. Zero sets no limit.
	Count int
	// AcceptOnly drafts and submits Count quotes before anything is counted, as
	// fast as the platform takes them. Rate is then the rate of acceptances, and
	// a quote has reached its end when its order is captured.
	AcceptOnly bool
	// Prepared is called between that preparation and the first acceptance, such
	// as to wait until its events have had their effects. An error ends the load.
	// Default does nothing.
	Prepared func(ctx context.Context) error
	// Seed decides tenants, customers and configurations. Default 1.
	Seed uint64
	// StepTimeout is how long one step of a quote is tried again while the
	// platform is away or busy. Default 30s.
	StepTimeout time.Duration
	// Settle is how long, after the last quote was begun, orders may take to
	// reach their end. Default 60s.
	Settle time.Duration
	// OnProgress is told the counts once a second, never concurrently. Nil is
	// told nothing.
	OnProgress func(LoadReport)
	// Client sends the requests. Default one of its own.
	Client *http.Client
}

// WithDefaults returns c with every unset field at its default.
func (c LoadConfig) WithDefaults() LoadConfig {
	if c.Rate == 0 {
		c.Rate = 2
	}
	if c.Seed == 0 {
		c.Seed = 1
	}
	if c.StepTimeout == 0 {
		c.StepTimeout = 30 * time.Second
	}
	if c.Settle == 0 {
		c.Settle = time.Minute
	}
	if c.OnProgress == nil {
		c.OnProgress = func(LoadReport) {}
	}
	if c.Prepared == nil {
		c.Prepared = func(context.Context) error { return nil }
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	return c
}

func (c LoadConfig) validate() error {
	var problems []error
	if c.BaseURL == "" {
		problems = append(problems, errors.New("platform.LoadConfig.BaseURL: it is empty; pass the address that the platform printed"))
	}
	if c.Rate < 0 || c.Rate > 10_000 {
		problems = append(problems, fmt.Errorf("platform.LoadConfig.Rate: %g is outside 0 to 10000", c.Rate))
	}
	if c.AcceptOnly && c.Count < 1 {
		problems = append(problems, fmt.Errorf("platform.LoadConfig.Count: %d with AcceptOnly; say how many quotes to prepare", c.Count))
	}
	return errors.Join(problems...)
}

// LoadReport is what became of the quotes.
type LoadReport struct {
	// Started were begun, Accepted by their customer, Completed to the last
	// line, or to the capture with AcceptOnly. Failed came to another end, or to none in time.
	Started, Accepted, Completed, Failed int
	// Failures counts the failed by reason.
	Failures map[string]int `json:",omitempty"`
	// CapturedP50 and CapturedP99 are the time from acceptance to capture, as
	// the services' own times say it: capturedAt − acceptedAt.
	CapturedP50, CapturedP99 time.Duration
	// CompletedP50 and CompletedP99 are the time from acceptance to completion.
	CompletedP50, CompletedP99 time.Duration
	// Elapsed is the time from the first quote to the last order's end.
	Elapsed time.Duration
}

// Whole reports whether every quote begun reached a completed order.
func (r LoadReport) Whole() bool { return r.Failed == 0 && r.Completed == r.Started }

// String is one line for people.
func (r LoadReport) String() string {
	var line strings.Builder
	fmt.Fprintf(&line, "%d quotes, %d accepted, %d orders completed, %d failed in %s; accepted to captured p50 %s p99 %s",
		r.Started, r.Accepted, r.Completed, r.Failed, r.Elapsed.Round(time.Millisecond), r.CapturedP50, r.CapturedP99)
	for _, reason := range slices.Sorted(maps.Keys(r.Failures)) {
		fmt.Fprintf(&line, "; %d × %s", r.Failures[reason], reason)
	}
	return line.String()
}

// Load drives quotes through a running platform over HTTP: draft, submit,
// accept, then wait for the order's end in the read model. Each step is sent
// again with the same key while the platform is away. When ctx ends no further
// quote is begun and those under way have Settle to end; an error means that the
// configuration is wrong, or is that of Prepared.
func Load(ctx context.Context, cfg LoadConfig) (LoadReport, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return LoadReport{}, fmt.Errorf("platform: check load: %w", err)
	}
	l := &loader{
		cfg: cfg, random: rand.New(rand.NewPCG(cfg.Seed, 0)), tenants: seed.Tenants(), //nolint:gosec // a load, no secret
		started: time.Now(), failures: map[string]int{},
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	reported := make(chan struct{})
	stop := make(chan struct{})
	go l.report(stop, reported)
	failed := l.prepare(ctx)
	if failed == nil {
		l.countFromNow()
		l.arrive(ctx, work)
	}
	settled := time.AfterFunc(cfg.Settle, cancel)
	l.running.Wait()
	settled.Stop()
	close(stop)
	<-reported
	cfg.Client.CloseIdleConnections()
	return l.snapshot(), failed
}

// loader is one run of Load.
type loader struct {
	cfg     LoadConfig
	random  *rand.Rand
	tenants []seed.Tenant
	started time.Time
	running sync.WaitGroup
	// prepared are the quotes that only have to be accepted.
	prepared []*loadedQuote

	mu                   sync.Mutex
	begun, accepted      int
	failed               int
	failures             map[string]int
	captured, completion []time.Duration
}

// arrive begins quotes, exponentially spaced, until it is time to stop.
func (l *loader) arrive(ctx, work context.Context) {
	var end <-chan time.Time
	if l.cfg.Duration > 0 {
		timer := time.NewTimer(l.cfg.Duration)
		defer timer.Stop()
		end = timer.C
	}
	due := time.Now()
	for n := 0; l.cfg.Count == 0 || n < l.cfg.Count; n++ {
		wait := time.NewTimer(time.Until(due))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-end:
			wait.Stop()
			return
		case <-wait.C:
		}
		l.begin(work, n)
		due = due.Add(time.Duration(l.random.ExpFloat64() / l.cfg.Rate * float64(time.Second)))
	}
}

// preparers is how many quotes are drafted and submitted at once.
const preparers = 4

// prepare drafts and submits what AcceptOnly will accept.
func (l *loader) prepare(ctx context.Context) error {
	if !l.cfg.AcceptOnly {
		return nil
	}
	group, drafting := errgroup.WithContext(ctx)
	group.SetLimit(preparers)
	for n := range l.cfg.Count {
		q := l.choose(n)
		l.prepared = append(l.prepared, q)
		group.Go(func() error { q.refused = q.submit(drafting); return nil })
	}
	_ = group.Wait() // a refusal is the quote's, and is counted with it
	return l.cfg.Prepared(ctx)
}

func (l *loader) next(n int) *loadedQuote {
	if n < len(l.prepared) {
		return l.prepared[n]
	}
	return l.choose(n)
}

func (l *loader) begin(ctx context.Context, n int) {
	q := l.next(n)
	l.mu.Lock()
	l.begun++
	l.mu.Unlock()
	l.running.Go(func() {
		if err := q.run(ctx); err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.failed++
			l.failures[err.Error()]++
		}
	})
}

// choose draws a customer and what it wants: by the tenants' weights, and three
// of ten as SD-WAN bundles.
func (l *loader) choose(n int) *loadedQuote {
	tenant := l.tenants[0]
	for draw, i := l.random.IntN(100), 0; i < len(l.tenants); i++ {
		if tenant = l.tenants[i]; draw < tenant.Weight {
			break
		}
		draw -= tenant.Weight
	}
	customer := tenant.Customers[l.random.IntN(len(tenant.Customers))]
	if customer.Entitlement.CreditStatus != "OK" {
		customer = tenant.Customers[0]
	}
	last := len(customer.Configurations) - 1
	configuration := customer.Configurations[last]
	if l.random.IntN(10) >= 3 {
		configuration = customer.Configurations[l.random.IntN(last)]
	}
	return &loadedQuote{
		loader: l, tenant: tenant.ID, customer: customer.Entitlement.CustomerID, currency: tenant.Currency, channel: tenant.SalesChannel,
		configuration: configuration.ConfigurationID, key: fmt.Sprintf("load-%d-%d-%d", l.cfg.Seed, l.started.UnixNano(), n),
	}
}

// countFromNow leaves the preparation out of the time.
func (l *loader) countFromNow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = time.Now()
}

func (l *loader) report(stop <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			l.cfg.OnProgress(l.snapshot())
		}
	}
}

func (l *loader) snapshot() LoadReport {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := LoadReport{
		Started: l.begun, Accepted: l.accepted, Completed: len(l.completion), Failed: l.failed, Failures: maps.Clone(l.failures),
		Elapsed: time.Since(l.started),
	}
	r.CapturedP50, r.CapturedP99 = percentiles(l.captured)
	r.CompletedP50, r.CompletedP99 = percentiles(l.completion)
	return r
}

func percentiles(all []time.Duration) (p50, p99 time.Duration) {
	if len(all) == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)-1)/2], sorted[(len(sorted)-1)*99/100]
}
