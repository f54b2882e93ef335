// Package host is what a service of the platform is given to live on: its
// database, the brokers, the contracts, and where it reports.
//
// It builds the relay and the consumers of a service in one way, so that a
// service lists only what is its own: groups, topics, handlers.
package host

import (
	"context"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/migrate"
	"factline.dev/outbox"
	"factline.dev/platform/internal/database"
)

// Host carries a service. Pool, Brokers and Contracts are required.
type Host struct {
	// Pool reaches the service's own database.
	Pool *pgxpool.Pool
	// Brokers are the host:port addresses to start from.
	Brokers []string
	// Contracts is the catalogue of the platform.
	Contracts *contract.Catalogue
	// Logger and Registerer may be nil.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Hooks are passed to the relay and to every consumer.
	Hooks any
	// Now is the clock of business times. Default time.Now.
	Now func() time.Time
	// Relay and Consumer preset what is not the service's own: chunk sizes,
	// intervals, client options.
	Relay    outbox.RelayConfig
	Consumer consumer.Config
}

// WithDefaults returns h with every unset field at its default.
func (h Host) WithDefaults() Host {
	if h.Logger == nil {
		h.Logger = slog.New(slog.DiscardHandler)
	}
	if h.Now == nil {
		h.Now = time.Now
	}
	return h
}

// Migrate brings the library's tables and the service's own schema up to date.
func (h Host) Migrate(ctx context.Context, schema string, files fs.FS) error {
	if err := migrate.Up(ctx, h.Pool, migrate.Config{}); err != nil {
		return err
	}
	return database.Migrate(ctx, h.Pool, schema, files)
}

// Outbox returns the outbox of the service.
func (h Host) Outbox(service string) (*outbox.Outbox, error) {
	return outbox.New(outbox.Config{Contracts: h.Contracts, Producer: service, Now: h.Now, Registerer: h.labelled(service)})
}

// Work is one part of a service that runs until its context ends.
type Work func(ctx context.Context) error

// RelayWork returns the relay of the service.
func (h Host) RelayWork(service string, ob *outbox.Outbox) (Work, error) {
	cfg := h.Relay
	cfg.Pool, cfg.Brokers, cfg.Outbox, cfg.Hooks = h.Pool, h.Brokers, ob, h.Hooks
	cfg.Logger = h.Logger.With("service", service)
	cfg.Registerer = h.labelled(service)
	relay, err := outbox.NewRelay(cfg)
	if err != nil {
		return nil, err
	}
	return relay.Run, nil
}

// background is the linger of groups that nobody waits for.
const background = 50 * time.Millisecond

// BackgroundWork is [Host.ConsumerWork] for a group that nobody waits for: what
// comes within a moment shares a transaction.
func (h Host) BackgroundWork(service, group string, ob *outbox.Outbox, subscriptions ...consumer.Subscription) (Work, error) {
	if h.Consumer.Linger == 0 {
		h.Consumer.Linger = background
	}
	return h.ConsumerWork(service, group, ob, subscriptions...)
}

// ConsumerWork returns a consumer group of the service.
func (h Host) ConsumerWork(service, group string, ob *outbox.Outbox, subscriptions ...consumer.Subscription) (Work, error) {
	cfg := h.Consumer
	cfg.Group, cfg.Service, cfg.Pool, cfg.Brokers, cfg.Outbox = group, service, h.Pool, h.Brokers, ob
	cfg.Contracts, cfg.Subscriptions, cfg.Hooks = h.Contracts, subscriptions, h.Hooks
	cfg.Logger = h.Logger.With("service", service)
	cfg.Registerer = h.Registerer
	cfg.Tenants = ownTenants(h.Consumer.Tenants)
	if cfg.SecurityAlert == nil {
		cfg.SecurityAlert = h.raiseAlert(ob)
	}
	runner, err := consumer.New(cfg)
	if err != nil {
		return nil, err
	}
	return runner.Run, nil
}

// ownTenants refuses events in the name of [database.Platform]: their handlers
// would see the rows of every tenant.
func ownTenants(preset func(string) bool) func(string) bool {
	return func(tenant string) bool {
		return tenant != database.Platform && (preset == nil || preset(tenant))
	}
}

func (h Host) labelled(service string) prometheus.Registerer {
	if h.Registerer == nil {
		return nil
	}
	return prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, h.Registerer)
}

// RunAll runs every part until ctx ends, or until one fails, which ends all.
func RunAll(ctx context.Context, works ...Work) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, work := range works {
		group.Go(func() error { return work(ctx) })
	}
	return group.Wait()
}
