package deadletter

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/internal/named"
)

// Reference names a letter as every database knows it.
type Reference struct {
	ConsumerGroup, Topic string
	Partition            int32
	Offset               int64
}

// Standing is what the database of a group says of one of its letters.
type Standing struct {
	// Reachable is false where that database is not at hand, Found where it has no
	// such letter. Nothing else is set then.
	Reachable, Found bool
	// ID and State are the group's own.
	ID, State string
	// Redrives are the ids of all redrives that the group took, each once.
	Redrives []string
	// Blocks says that later events of its key wait. BlockedBy is then the letter
	// they wait for, the lowest open version, or an event that is being retried.
	Blocks    bool
	BlockedBy string
	// Version is the event's, 0 where it counts none. Applied is the last version
	// of its aggregate that had its effect, nil where none had.
	Version int64
	Applied *int64
}

// took reports whether the group took a redrive.
func (s Standing) took(redriveID string) bool { return slices.Contains(s.Redrives, redriveID) }

// Outcomes tells how letters stand in the databases of their groups. Rules:
// Look returns one standing for each reference, in order; it says Reachable
// false instead of failing for a group whose database it does not have; it is
// safe for concurrent use. [Pools] is one.
type Outcomes interface {
	Look(ctx context.Context, letters []Reference) ([]Standing, error)
}

// Pools are the databases of the services by service name, which begins the
// names of its groups.
type Pools map[string]*pgxpool.Pool

// Look asks each database once.
func (p Pools) Look(ctx context.Context, letters []Reference) ([]Standing, error) {
	standings := make([]Standing, len(letters))
	byService := map[string][]int{}
	for i, l := range letters {
		service, _, _ := strings.Cut(l.ConsumerGroup, ".")
		if p[service] != nil {
			byService[service] = append(byService[service], i)
			standings[i].Reachable = true
		}
	}
	for service, indexes := range byService {
		if err := look(ctx, p[service], letters, indexes, standings); err != nil {
			return nil, fmt.Errorf("deadletter: look into the database of %s: %w; check that it runs", service, err)
		}
	}
	return standings, nil
}

func look(ctx context.Context, pool *pgxpool.Pool, letters []Reference, indexes []int, into []Standing) error {
	rows, err := pool.Query(ctx, statement("standings"), named.Args{
		"consumers":  columnOf(letters, indexes, func(l Reference) string { return l.ConsumerGroup }),
		"topics":     columnOf(letters, indexes, func(l Reference) string { return l.Topic }),
		"partitions": columnOf(letters, indexes, func(l Reference) int32 { return l.Partition }),
		"offsets":    columnOf(letters, indexes, func(l Reference) int64 { return l.Offset }),
	})
	if err != nil {
		return err
	}
	var ordinal int64
	s := Standing{Reachable: true, Found: true}
	_, err = pgx.ForEachRow(rows, []any{&ordinal, &s.ID, &s.State, &s.Redrives, &s.Blocks, &s.BlockedBy, &s.Version, &s.Applied}, func() error {
		into[indexes[ordinal-1]] = s
		s.Applied, s.Redrives = nil, nil
		return nil
	})
	return err
}

func columnOf[T any](letters []Reference, indexes []int, field func(Reference) T) []T {
	values := make([]T, len(indexes))
	for i, index := range indexes {
		values[i] = field(letters[index])
	}
	return values
}
