package platform

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"factline.dev/contract"
	"factline.dev/platform/contracts"
	"factline.dev/platform/internal/host"
	"factline.dev/platform/internal/operations"
	"factline.dev/platform/internal/order"
	"factline.dev/platform/internal/projection"
	"factline.dev/platform/internal/quote"
	"factline.dev/platform/internal/seed"
	"factline.dev/platform/internal/web"
)

// service is what every service of the platform is to Run.
type service interface {
	Migrate(ctx context.Context) error
	Run(ctx context.Context) error
	Routes() []web.Route
}

// seeded is a service that starts with content.
type seeded interface {
	Seed(ctx context.Context, tenants []seed.Tenant) error
}

// Services are the names of all services, in the order they start.
func Services() []string { return []string{quote.Name, order.Name, projection.Name, operations.Name} }

// OperationsService is the service whose database holds all dead letters.
const OperationsService = operations.Name

// Catalogue loads the platform's own contracts.
func Catalogue() (*contract.Catalogue, error) { return contract.Load(contracts.FS()) }

// Run runs the services of cfg until ctx is cancelled; then it lets open
// requests and transactions end and returns nil. It returns an error when it
// cannot start, or when a part cannot go on.
func Run(ctx context.Context, cfg Config) error {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return fmt.Errorf("platform: check configuration: %w", err)
	}
	if cfg.Contracts == nil {
		var err error
		if cfg.Contracts, err = Catalogue(); err != nil {
			return fmt.Errorf("platform: load contracts: %w", err)
		}
	}
	p := &running{cfg: cfg}
	defer p.close()
	if err := p.prepare(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	return p.run(ctx)
}

// running is a platform between its start and its end.
type running struct {
	cfg      Config
	pools    []*pgxpool.Pool
	services []service
	server   *web.Server
	listener net.Listener
}

func (p *running) close() {
	if p.listener != nil {
		_ = p.listener.Close()
	}
	for _, pool := range p.pools {
		pool.Close()
	}
}

func (p *running) prepare(ctx context.Context) error {
	p.server = web.New(web.Config{Title: "factline reference platform", Version: "1", Logger: p.cfg.Logger, Registerer: p.cfg.Registerer})
	// Listening comes first: a port in use should not cost a migration.
	if err := p.listen(ctx); err != nil {
		return err
	}
	for _, name := range p.cfg.Services {
		s, err := p.build(ctx, name)
		if err != nil {
			return err
		}
		if err := p.fill(ctx, name, s); err != nil {
			return err
		}
		p.services = append(p.services, s)
		p.server.Mount(s.Routes()...)
	}
	p.mountPages()
	return nil
}

func (p *running) listen(ctx context.Context) error {
	p.listener = p.cfg.Listener
	if p.listener != nil {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.cfg.Listen)
	if err != nil {
		return fmt.Errorf("platform: listen on %s: %w; stop what uses the port or choose another", p.cfg.Listen, err)
	}
	p.listener = l
	return nil
}

func (p *running) build(ctx context.Context, name string) (service, error) {
	pool, err := p.open(ctx, name)
	if err != nil {
		return nil, err
	}
	h := host.Host{
		Pool: pool, Brokers: p.cfg.Brokers, Contracts: p.cfg.Contracts, Logger: p.cfg.Logger, Registerer: p.cfg.Registerer,
		Hooks: p.cfg.Hooks, Now: p.cfg.Now, Relay: p.cfg.Relay, Consumer: p.cfg.Consumer,
	}
	switch name {
	case quote.Name:
		return asService(quote.New(h))
	case order.Name:
		return asService(order.New(h, order.Delayed{Delay: p.cfg.LineDelay}))
	case projection.Name:
		return asService(projection.New(h))
	default:
		return asService(operations.New(h))
	}
}

func asService[S service](s S, err error) (service, error) {
	if err != nil {
		return nil, fmt.Errorf("platform: %w", err)
	}
	return s, nil
}

func (p *running) open(ctx context.Context, name string) (*pgxpool.Pool, error) {
	pool, err := openPool(ctx, p.cfg.Databases[name], p.cfg.MaxConns)
	if err != nil {
		return nil, fmt.Errorf("platform: open the database of %s: %w; check its URL and that the server runs", name, err)
	}
	p.pools = append(p.pools, pool)
	return pool, nil
}

func openPool(ctx context.Context, url string, maxConns int) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = int32(min(maxConns, 10_000))
	for setting, value := range planSettings() {
		if _, set := cfg.ConnConfig.RuntimeParams[setting]; !set {
			cfg.ConnConfig.RuntimeParams[setting] = value
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// planSettings are of every connection, where its URL says nothing else. A plan
// that was cached while a table was tiny reads it whole for minutes after it has
// grown, and one that is made anew for each call takes longer than the call. What
// a service asks often has an index to go by. Compiling such plans never pays.
func planSettings() map[string]string {
	return map[string]string{"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan", "jit": "off"}
}

func (p *running) fill(ctx context.Context, name string, s service) error {
	if err := s.Migrate(ctx); err != nil {
		return fmt.Errorf("platform: migrate %s: %w", name, err)
	}
	if with, ok := s.(seeded); ok && !p.cfg.SkipSeed {
		if err := with.Seed(ctx, seed.Tenants()); err != nil {
			return fmt.Errorf("platform: seed %s: %w", name, err)
		}
	}
	return nil
}

func (p *running) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range p.services {
		group.Go(func() error { return s.Run(ctx) })
	}
	group.Go(func() error { return p.serve(ctx) })
	if err := group.Wait(); err != nil {
		return fmt.Errorf("platform: run: %w", err)
	}
	return nil
}

func (p *running) serve(ctx context.Context) error {
	server := &http.Server{
		Handler: p.server, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(p.listener) }()
	if p.cfg.Ready != nil {
		p.cfg.Ready(p.listener.Addr().String())
	}
	select {
	case err := <-done:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.DrainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		// Ends the contexts of requests that are still open: each may hold a
		// connection that closing its pool waits for.
		err = server.Close()
	}
	if err != nil {
		return fmt.Errorf("stop HTTP: %w", err)
	}
	return nil
}
