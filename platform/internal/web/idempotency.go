package web

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/platform/internal/database"
)

var (
	//go:embed sql/lock_key.sql
	lockKeySQL string
	//go:embed sql/find_key.sql
	findKeySQL string
	//go:embed sql/save_key.sql
	saveKeySQL string
	//go:embed sql/sweep_keys.sql
	sweepKeysSQL string
)

// keepKeys is how long a key answers with the first response that had an effect.
const keepKeys = 7 * 24 * time.Hour

// command is one idempotent request: its scope and what was asked.
type command struct {
	tenant, principal, route, key, hash string
	now                                 time.Time
}

// hashOf covers the address too: one key on two quotes is two commands.
func hashOf(path string, body []byte) string {
	sum := sha256.New()
	sum.Write([]byte(path))
	sum.Write([]byte{0})
	sum.Write(body)
	return hex.EncodeToString(sum.Sum(nil))
}

func (s *Service) in(statement string) string {
	return strings.ReplaceAll(statement, "service_schema", pgx.Identifier{s.Schema}.Sanitize())
}

// begin claims the key for this transaction and returns the response that an
// earlier one stored. The lock is a try: a parallel request with the same key is
// told so at once instead of waiting for the first.
func (s *Service) begin(ctx context.Context, tx pgx.Tx, c command) (*response, *Problem, error) {
	var locked bool
	var setting, hash string
	var stored []byte
	scope := strings.Join([]string{s.Schema, c.tenant, c.principal, c.route, c.key}, "\x1f")
	batch := &pgx.Batch{}
	batch.Queue(lockKeySQL, scope, c.tenant).QueryRow(func(row pgx.Row) error {
		return row.Scan(&locked, &setting)
	})
	// A statement of its own: its snapshot must be taken under the lock.
	batch.Queue(s.in(findKeySQL), c.tenant, c.principal, c.route, c.key, c.now).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&hash, &stored); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, nil, fmt.Errorf("web: look up idempotency key: %w", err)
	}
	switch {
	case !locked:
		p := Refuse(http.StatusConflict, "idempotency.in-progress", "A request with this key is still running. Send it again later.")
		p.Retryable, p.RetryAfter = true, time.Second
		return nil, p, nil
	case stored == nil:
		return nil, nil, nil
	case hash != c.hash:
		return nil, Refuse(http.StatusUnprocessableEntity, "idempotency.key-reused", "This key was used for another request. Use a new one."), nil
	}
	return s.stored(stored)
}

func (s *Service) stored(text []byte) (*response, *Problem, error) {
	var r response
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, nil, fmt.Errorf("web: read stored response: %w", err)
	}
	r.Header[HeaderReplayed] = "true"
	return &r, nil, nil
}

func (s *Service) finish(ctx context.Context, tx pgx.Tx, c command, r response) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("web: encode response: %w", err)
	}
	_, err = tx.Exec(ctx, s.in(saveKeySQL), c.tenant, c.principal, c.route, c.key, c.hash, r.Status, text, c.now.Add(keepKeys))
	if err != nil {
		return fmt.Errorf("web: store idempotency key: %w", err)
	}
	return nil
}

// SweepKeys deletes expired keys every hour until ctx ends.
func (s *Service) SweepKeys(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		err := database.InTenant(ctx, s.Pool, database.Platform, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, s.in(sweepKeysSQL), s.Now())
			return err
		})
		if err != nil && ctx.Err() == nil {
			s.Logger.Warn("expired idempotency keys stay for now", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
