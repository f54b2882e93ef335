// Package operations is platform-operations: the owner of dead letters.
//
// It collects the dead-letter topics of the whole platform into its database, so
// that an operator sees what was given up and why, and redrives leave through
// its outbox. Commands do the rest: see package deadletter.
package operations

import (
	"context"
	"fmt"

	"factline.dev/deadletter"
	"factline.dev/migrate"
	"factline.dev/outbox"
	"factline.dev/platform/internal/host"
	"factline.dev/platform/internal/web"
)

// Names of the service and its group on the log.
const (
	Name            = "platform-operations"
	DeadLetterGroup = "platform-operations.dead-letters.consumer"
)

// Service is platform-operations. Its methods are safe for concurrent use.
type Service struct {
	host   host.Host
	outbox *outbox.Outbox
}

// New returns the service. It touches neither database nor broker.
func New(h host.Host) (*Service, error) {
	h = h.WithDefaults()
	ob, err := h.Outbox(Name)
	if err != nil {
		return nil, fmt.Errorf("operations: %w", err)
	}
	return &Service{host: h, outbox: ob}, nil
}

// Migrate brings the service's database up to date.
func (s *Service) Migrate(ctx context.Context) error {
	if err := migrate.Up(ctx, s.host.Pool, migrate.Config{}); err != nil {
		return err
	}
	return migrate.UpDeadLetters(ctx, s.host.Pool)
}

// Routes are none: operators use commands.
func (s *Service) Routes() []web.Route { return nil }

// Run relays redrives and collects dead letters until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	relay, err := s.host.RelayWork(Name, s.outbox)
	if err != nil {
		return err
	}
	collector, err := deadletter.NewCollector(deadletter.CollectorConfig{
		Group: DeadLetterGroup, Pool: s.host.Pool, Brokers: s.host.Brokers, Topics: deadletter.Topics(s.host.Contracts),
		Now: s.host.Now, Logger: s.host.Logger.With("service", Name), ClientOptions: s.host.Consumer.ClientOptions,
	})
	if err != nil {
		return err
	}
	return host.RunAll(ctx, relay, collector.Run)
}
