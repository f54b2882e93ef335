package consumer

import (
	"context"
	"errors"
	"fmt"
)

// Runner reads topics and runs handlers. Make one with [New]. Safe for
// concurrent use, but Run may be called once at a time.
type Runner struct {
	cfg Config
}

// New returns a runner. It touches neither database nor broker. The error joins
// everything that is wrong with cfg.
func New(cfg Config) (*Runner, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("consumer: check configuration of %s: %w", or(cfg.Group, "a group without name"), err)
	}
	return &Runner{cfg: cfg}, nil
}

// Run reads and handles events until ctx is cancelled; then it lets the
// transactions under way end, commits their offsets, leaves the group and
// returns nil. It returns an error only when it cannot go on.
func (r *Runner) Run(ctx context.Context) error {
	return errors.New("consumer: run: not ready")
}
