package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/internal/named"
)

// store is what the relay asks of the database.
type store struct {
	pool                *pgxpool.Pool
	owner               string
	maxEvents, maxBytes int
	slabs               slabs
}

type lease struct {
	lane            int16
	epoch, lowWater int64
}

func (s *store) check(ctx context.Context) error {
	var lanes int
	err := s.pool.QueryRow(ctx, "SELECT count(*), (SELECT count(*) FROM factline.outbox_relay) FROM factline.outbox_lane").Scan(&lanes, new(int))
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42P01" || err == nil && lanes == 0 {
		return fmt.Errorf("outbox: start the relay: %w", ErrWrongTransaction)
	}
	// Anything else may pass, and the loop rides it out.
	return nil
}

// lease renews what is ours, takes free lanes up to our share, and returns the
// lanes we have.
func (s *store) lease(ctx context.Context, ttl time.Duration) (found company, leases []lease, err error) {
	rows, err := s.pool.Query(ctx, statement("lease"), named.Args{"owner": s.owner, "ttl": ttl})
	if err != nil {
		return company{}, nil, err
	}
	var lane *int16
	var epoch, lowWater *int64
	_, err = pgx.ForEachRow(rows, []any{&found.relays, &found.share, &lane, &epoch, &lowWater}, func() error {
		if lane != nil {
			leases = append(leases, lease{*lane, *epoch, *lowWater})
		}
		return nil
	})
	return found, leases, err
}

// company says who lives and whether a lane is free.
func (s *store) company(ctx context.Context) (res companyResult) {
	res.err = s.pool.QueryRow(ctx, statement("company"), named.Args{"owner": s.owner}).Scan(&res.relays, &res.free)
	return res
}

func (s *store) handOver(ctx context.Context, lanes []int16) error {
	_, err := s.pool.Exec(ctx, statement("hand_over"), named.Args{"owner": s.owner, "lanes": lanes})
	return err
}

// leave signs the relay off without its lanes.
func (s *store) leave(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, statement("leave"), named.Args{"owner": s.owner})
	return err
}

func (s *store) release(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, statement("release"), named.Args{"owner": s.owner})
	return err
}

// load fills in what a new owner must know before it reads: what is published
// above the low-water mark, and which keys are fenced.
func (s *store) load(ctx context.Context, lanes []*lane) error {
	if len(lanes) == 0 {
		return nil
	}
	byID, ids := index(lanes)
	rows, err := s.pool.Query(ctx, statement("published"), named.Args{"lanes": ids})
	if err != nil {
		return err
	}
	var id int16
	var position int64
	if _, err = pgx.ForEachRow(rows, []any{&id, &position}, func() error {
		byID[id].published[position] = struct{}{}
		return nil
	}); err != nil {
		return err
	}
	return s.loadFences(ctx, lanes)
}

func (s *store) loadFences(ctx context.Context, lanes []*lane) error {
	if len(lanes) == 0 {
		return nil
	}
	byID, ids := index(lanes)
	rows, err := s.pool.Query(ctx, statement("fences"), named.Args{"lanes": ids})
	if err != nil {
		return err
	}
	found := map[int16]map[string]struct{}{}
	released := map[int16]bool{}
	for _, id := range ids {
		found[id] = map[string]struct{}{}
	}
	var id int16
	var topic string
	var key []byte
	var isReleased bool
	var culprits int64
	waiting := map[int16]int64{}
	if _, err = pgx.ForEachRow(rows, []any{&id, &topic, &key, &isReleased, &culprits}, func() error {
		found[id][fenceKey(topic, key)] = struct{}{}
		released[id] = released[id] || isReleased
		waiting[id] += culprits
		return nil
	}); err != nil {
		return err
	}
	for id, lane := range byID {
		lane.fences, lane.hasFences, lane.released = found[id], len(found[id]) > 0, released[id]
		lane.culprits = waiting[id]
	}
	return nil
}

// culprits counts what waits for a decision, by lane.
func (s *store) culprits(ctx context.Context, lanes []int16) (map[int16]int64, error) {
	rows, err := s.pool.Query(ctx, statement("culprits"), named.Args{"lanes": lanes})
	if err != nil {
		return nil, err
	}
	found := map[int16]int64{}
	var lane int16
	var events int64
	_, err = pgx.ForEachRow(rows, []any{&lane, &events}, func() error {
		found[lane] = events
		return nil
	})
	return found, err
}

func index(lanes []*lane) (map[int16]*lane, []int16) {
	byID, ids := map[int16]*lane{}, make([]int16, len(lanes))
	for i, l := range lanes {
		byID[l.id], ids[i] = l, l.id
	}
	return byID, ids
}

// settlement is what of a lane is to be recorded as done.
type settlement struct {
	lane     *lane
	receipts []receipt
	parked   []parkedRow
	aside    []asideRow
	lowWater int64
	// hasFences is set where events of the lane may be parked.
	hasFences bool
	// isRelease is set where all of it was parked before, isAside where it comes
	// from a shelf.
	isRelease, isAside bool
}

type settleResult struct {
	batch []settlement
	lost  []bool // in step with batch: the lane is no longer ours
	err   error
}

// settle records a batch in one transaction. A lane that another relay has
// taken since keeps what the new owner knows.
func (s *store) settle(ctx context.Context, batch []settlement) settleResult {
	result := settleResult{batch: batch, lost: make([]bool, len(batch))}
	// One batch is one implicit transaction and one round trip.
	var b pgx.Batch
	for i, done := range batch {
		if len(done.receipts) == 0 {
			b.Queue(statement("settle_low_water"), s.laneArgs(done)).Exec(func(tag pgconn.CommandTag) error {
				result.lost[i] = tag.RowsAffected() == 0
				return nil
			})
		}
		for _, r := range done.receipts {
			b.Queue(statement("settle"), s.receiptArgs(done, r)).QueryRow(func(row pgx.Row) error {
				var mine int
				err := row.Scan(&mine)
				result.lost[i] = mine == 0
				return err
			})
		}
		if done.isRelease {
			b.Queue(statement("unpark"), s.unparkArgs(done))
		}
		if len(done.parked) > 0 {
			b.Queue(statement(done.parkStatement()), s.parkArgs(done))
		}
		if len(done.parked) > 0 && done.isAside {
			b.Queue(statement("join_fences"), s.joinArgs(done.lane))
		}
		if len(done.aside) > 0 {
			b.Queue(statement("set_aside"), s.asideArgs(done))
		}
	}
	result.err = s.pool.SendBatch(ctx, &b).Close()
	return result
}

func (s *store) laneArgs(done settlement) named.Args {
	return named.Args{"lane": done.lane.id, "owner": s.owner, "epoch": done.lane.epoch, "low_water": done.lowWater}
}

func (s *store) receiptArgs(done settlement, r receipt) named.Args {
	args := s.laneArgs(done)
	args["topic"], args["positions"], args["partitions"], args["offsets"] = r.topic, r.positions, r.partitions, r.offsets
	args["first_position"], args["last_position"] = r.positions[0], r.positions[len(r.positions)-1]
	return args
}

// parkStatement is for rows that are parked already another one: their events
// may be gone.
func (done settlement) parkStatement() string {
	if done.isRelease {
		return "park_again"
	}
	return "park"
}

func (s *store) unparkArgs(done settlement) named.Args {
	var positions []int64
	for _, r := range done.receipts {
		positions = append(positions, r.positions...)
	}
	args := s.laneArgs(done)
	args["positions"] = positions
	return args
}

func (s *store) parkArgs(done settlement) named.Args {
	var positions []int64
	var reasons []string
	var culprits []bool
	var parkedMicros []int64
	for _, p := range done.parked {
		positions = append(positions, p.position)
		reasons = append(reasons, p.reason)
		culprits = append(culprits, p.isCulprit)
		parkedMicros = append(parkedMicros, p.parkedMicros)
	}
	args := s.laneArgs(done)
	args["positions"], args["reasons"], args["culprits"], args["parked_micros"] = positions, reasons, culprits, parkedMicros
	return args
}

// maintain makes the partitions of the days ahead, drops those older than
// retention whose every row is below its lane's low-water mark, and forgets
// receipts of the same age.
func (s *store) maintain(ctx context.Context, retention time.Duration) error {
	_, err := s.pool.Exec(ctx, statement("make_partitions"))
	if err != nil {
		err = fmt.Errorf("outbox: make partitions ahead: %w", err)
	}
	if _, forget := s.pool.Exec(ctx, statement("forget_relays")); forget != nil {
		err = errors.Join(err, fmt.Errorf("outbox: forget relays that are gone: %w", forget))
	}
	if retention >= 0 {
		err = errors.Join(err, s.dropPublished(ctx, retention))
	}
	return err
}

func (s *store) dropPublished(ctx context.Context, retention time.Duration) error {
	old := named.Args{"retention": retention}
	for _, name := range []string{"drop_receipts", "drop_default", "drop_skipped"} {
		if _, err := s.pool.Exec(ctx, statement(name), old); err != nil {
			return fmt.Errorf("outbox: %s older than %s: %w", strings.ReplaceAll(name, "_", " "), retention, err)
		}
	}
	rows, err := s.pool.Query(ctx, statement("old_partitions"), old)
	if err != nil {
		return fmt.Errorf("outbox: list partitions: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("outbox: list partitions: %w", err)
	}
	for _, name := range names {
		if err := s.dropPartition(ctx, name); err != nil {
			return fmt.Errorf("outbox: drop partition %s: %w", name, err)
		}
	}
	return nil
}

func (s *store) dropPartition(ctx context.Context, name string) error {
	table := pgx.Identifier{"factline", name}.Sanitize()
	if unsettled, err := s.unsettled(ctx, s.pool, table); err != nil || unsettled {
		return err
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// A dropped lock request costs nothing; a long one would queue every append behind it.
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '250ms'"); err != nil {
			return err
		}
		// The parent first, as every reader does, or the two would wait for each other.
		if _, err := tx.Exec(ctx, "LOCK TABLE ONLY factline.outbox_event, ONLY "+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
			return err
		}
		if unsettled, err := s.unsettled(ctx, tx, table); err != nil || unsettled {
			return err
		}
		_, err := tx.Exec(ctx, "DROP TABLE "+table)
		return err
	})
}

// querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// unsettled reports whether the partition holds a row above its lane's
// low-water mark.
func (s *store) unsettled(ctx context.Context, q querier, table string) (found bool, err error) {
	err = q.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+table+" e JOIN factline.outbox_lane l USING (lane) WHERE e.position > l.low_water)").Scan(&found)
	return found, err
}
