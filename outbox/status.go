package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/internal/named"
)

// LaneStatus is the state of one lane.
type LaneStatus struct {
	Lane int16 `json:"lane"`
	// Owner is the relay that publishes the lane, empty when none does.
	Owner string `json:"owner"`
	Epoch int64  `json:"epoch"`
	// LeaseSeconds is how long the owner's lease still lasts.
	LeaseSeconds float64 `json:"leaseSeconds"`
	// LowWater is the position up to which every row is published, parked or
	// proved never to come.
	LowWater int64 `json:"lowWater"`
	// Pending counts events that wait to be published; from
	// [MaxCountedPending] on it is an upper bound, and a lower one for what is set
	// aside.
	Pending int64 `json:"pending"`
	// OldestSeconds is the age of the oldest waiting event.
	OldestSeconds float64 `json:"oldestSeconds"`
	// SetAside counts those of Pending that wait because the broker does not accept
	// their topic or partition, up to [MaxCountedPending]: then there are at least
	// so many.
	SetAside int64 `json:"setAside"`
	// Parked counts events that wait for an operator.
	Parked int64 `json:"parked"`
}

// Blocker is the oldest transaction that still writes, anywhere in the cluster.
type Blocker struct {
	// PID is its server process, 0 for a prepared transaction.
	PID         int    `json:"pid"`
	Database    string `json:"database"`
	Application string `json:"application"`
	// Prepared is the name of a prepared transaction, else empty.
	Prepared   string  `json:"prepared"`
	AgeSeconds float64 `json:"ageSeconds"`
}

// String names it for a log or a person.
func (b Blocker) String() string {
	if b.Prepared != "" {
		return fmt.Sprintf("prepared transaction %q of database %s", b.Prepared, b.Database)
	}
	return fmt.Sprintf("process %d (%s) in database %s", b.PID, b.Application, b.Database)
}

// StatusReport is what [Status] found.
type StatusReport struct {
	Lanes []LaneStatus `json:"lanes"`
	// Blocker is nil when nobody else is writing.
	Blocker *Blocker `json:"blocker,omitempty"`
	// DefaultRows is how many events the default partition holds, counted up to
	// [MaxCountedPending]. It takes what no day's partition does: partitions are
	// not made ahead, or a clock is wrong.
	DefaultRows int64 `json:"defaultRows"`
	// SetAside counts by topic the events that wait because the broker does not
	// accept it, up to [MaxCountedPending] of each lane: from there on there are at
	// least so many. Every such topic is there.
	SetAside map[string]int64 `json:"setAside,omitempty"`
}

// MaxCountedPending is up to where [Status] counts the events of a lane. Beyond,
// it takes the distance of their positions, which rolled-back transactions make
// a little longer. Of what is set aside it says then that there is at least so
// much: it is asked every few seconds, in the middle of an outage.
const MaxCountedPending = 1000

// IsAtLeast reports whether more may be set aside, and so pending, than was
// counted.
func (l LaneStatus) IsAtLeast() bool { return l.SetAside >= MaxCountedPending }

// IsAtLeast reports whether more may be pending than was counted.
func (r StatusReport) IsAtLeast() bool { return slices.ContainsFunc(r.Lanes, LaneStatus.IsAtLeast) }

// Pending returns how many events wait to be published.
func (r StatusReport) Pending() (events int64) {
	for _, l := range r.Lanes {
		events += l.Pending
	}
	return events
}

// Parked returns how many events wait for an operator.
func (r StatusReport) Parked() (events int64) {
	for _, l := range r.Lanes {
		events += l.Parked
	}
	return events
}

// Oldest returns the age of the oldest event that waits to be published.
func (r StatusReport) Oldest() time.Duration {
	oldest := 0.0
	for _, l := range r.Lanes {
		oldest = max(oldest, l.OldestSeconds)
	}
	return time.Duration(oldest * float64(time.Second))
}

// Status reads the state of the outbox in the pool's database. It needs no
// relay and no broker. All ages are by the database's clock.
func Status(ctx context.Context, pool *pgxpool.Pool) (StatusReport, error) {
	rows, err := pool.Query(ctx, statement("status"), named.Args{"count_limit": MaxCountedPending})
	if err != nil {
		return StatusReport{}, fmt.Errorf("outbox: read status: %w", explain(err))
	}
	lanes, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[LaneStatus])
	if err != nil {
		return StatusReport{}, fmt.Errorf("outbox: read status: %w", explain(err))
	}
	report := StatusReport{Lanes: lanes}
	rows, err = pool.Query(ctx, statement("blocker"))
	if err != nil {
		return StatusReport{}, fmt.Errorf("outbox: find the oldest open transaction: %w", err)
	}
	blockers, err := pgx.CollectRows(rows, pgx.RowToStructByName[Blocker])
	if err != nil {
		return StatusReport{}, fmt.Errorf("outbox: find the oldest open transaction: %w", err)
	}
	if len(blockers) > 0 {
		report.Blocker = &blockers[0]
	}
	err = pool.QueryRow(ctx, statement("default_rows"), named.Args{"count_limit": MaxCountedPending}).Scan(&report.DefaultRows)
	if err != nil {
		return StatusReport{}, fmt.Errorf("outbox: count events in the default partition: %w", err)
	}
	report.SetAside, err = setAside(ctx, pool)
	return report, err
}

func setAside(ctx context.Context, pool *pgxpool.Pool) (map[string]int64, error) {
	rows, err := pool.Query(ctx, statement("unaccepted"), named.Args{"count_limit": MaxCountedPending})
	if err != nil {
		return nil, fmt.Errorf("outbox: count events that are set aside: %w", explain(err))
	}
	found := map[string]int64{}
	var topic string
	var events int64
	_, err = pgx.ForEachRow(rows, []any{&topic, &events}, func() error {
		found[topic] = events
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("outbox: count events that are set aside: %w", explain(err))
	}
	return found, nil
}
