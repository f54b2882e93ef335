package history

import (
	"context"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/outbox"
)

//go:embed sql/*.sql
var statements embed.FS

func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("history: unknown statement " + name)
	}
	return string(text)
}

// The services whose databases are read.
const (
	Quotes      = "quote-service"
	Orders      = "order-service"
	Projections = "projection-service"
)

// Recorder reads databases and log from outside. Make one with [NewRecorder];
// close it. Not safe for concurrent use.
type Recorder struct {
	pools   map[string]*pgxpool.Pool
	log     *logReader
	brokers []string
}

// NewRecorder connects to the services' databases, by name, and the brokers.
// topics are those whose records it reads.
func NewRecorder(ctx context.Context, databases map[string]string, brokers, topics []string) (*Recorder, error) {
	r := &Recorder{pools: make(map[string]*pgxpool.Pool), brokers: brokers}
	for _, name := range slices.Sorted(maps.Keys(databases)) {
		pool, err := open(ctx, databases[name])
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("history: connect to the database of %s: %w", name, err)
		}
		r.pools[name] = pool
	}
	log, err := newLogReader(ctx, brokers, topics)
	if err != nil {
		r.Close()
		return nil, err
	}
	r.log = log
	return r, nil
}

// open makes every session see all tenants and write times in one way.
func open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 4
	cfg.ConnConfig.RuntimeParams["application_name"] = "factline-prove"
	cfg.ConnConfig.RuntimeParams["factline.tenant"] = "platform"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
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

// Close ends all connections.
func (r *Recorder) Close() {
	for _, pool := range r.pools {
		pool.Close()
	}
	if r.log != nil {
		r.log.close()
	}
}

// Pool reaches the database of a service.
func (r *Recorder) Pool(service string) *pgxpool.Pool { return r.pools[service] }

func (r *Recorder) services() []string { return slices.Sorted(maps.Keys(r.pools)) }

func collect[T any](ctx context.Context, pool *pgxpool.Pool, name string, scan func(pgx.CollectableRow) (T, error), args ...any) ([]T, error) {
	rows, err := pool.Query(ctx, statement(name), args...)
	if err != nil {
		return nil, fmt.Errorf("history: read %s: %w", name, err)
	}
	found, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("history: read %s: %w", name, err)
	}
	return found, nil
}

// Committed returns every row of every outbox.
func (r *Recorder) Committed(ctx context.Context) (all []Event, err error) {
	for _, service := range r.services() {
		found, err := collect(ctx, r.pools[service], "committed", func(row pgx.CollectableRow) (e Event, err error) {
			e.Service = service
			err = row.Scan(&e.EventID, &e.EventType, &e.Tenant, &e.AggregateType, &e.AggregateID, &e.Version, &e.Topic, &e.At, &e.Key, &e.Value, &e.Stamped)
			return e, err
		})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// Inboxes returns what every consumer has settled.
func (r *Recorder) Inboxes(ctx context.Context) (all []Settled, err error) {
	for _, service := range r.services() {
		found, err := collect(ctx, r.pools[service], "inbox", func(row pgx.CollectableRow) (s Settled, err error) {
			s.Service = service
			err = row.Scan(&s.Group, &s.EventID, &s.State, &s.Attempts, &s.Topic, &s.Partition, &s.Offset, &s.At)
			return s, err
		})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// Accepted returns the quotes that were accepted, as the database knows it.
func (r *Recorder) Accepted(ctx context.Context) ([]AcceptedQuote, error) {
	return collect(ctx, r.pools[Quotes], "accepted", func(row pgx.CollectableRow) (q AcceptedQuote, err error) {
		err = row.Scan(&q.Tenant, &q.QuoteID, &q.State, &q.OrderID)
		return q, err
	})
}

// Orders returns all orders.
func (r *Recorder) Orders(ctx context.Context) ([]Order, error) {
	return collect(ctx, r.pools[Orders], "orders", func(row pgx.CollectableRow) (o Order, err error) {
		err = row.Scan(&o.Tenant, &o.OrderID, &o.QuoteID, &o.State, &o.Version, &o.Lines, &o.Transitions)
		return o, err
	})
}

// Summaries returns the read model.
func (r *Recorder) Summaries(ctx context.Context) ([]Summary, error) {
	return collect(ctx, r.pools[Projections], "summaries", func(row pgx.CollectableRow) (s Summary, err error) {
		err = row.Scan(&s.Tenant, &s.OrderID, &s.State, &s.Version, &s.Lines)
		return s, err
	})
}

// Waiting returns what each service holds back.
func (r *Recorder) Waiting(ctx context.Context) (all []Waiting, err error) {
	for _, service := range r.services() {
		w := Waiting{Service: service}
		if err := r.pools[service].QueryRow(ctx, statement("waiting")).Scan(&w.Held, &w.Blocked, &w.DeadLetters, &w.Parked); err != nil {
			return nil, fmt.Errorf("history: read what waits in %s: %w", service, err)
		}
		status, err := outbox.Status(ctx, r.pools[service])
		if err != nil {
			return nil, err
		}
		w.Unpublished = status.Pending()
		all = append(all, w)
	}
	return all, nil
}

// Place is a partition of a topic.
type Place struct {
	Topic     string
	Partition int32
}

// NextOffsets returns how far the effects of every group reach.
func (r *Recorder) NextOffsets(ctx context.Context) (map[string]map[Place]int64, error) {
	all := make(map[string]map[Place]int64)
	for _, service := range r.services() {
		rows, err := r.pools[service].Query(ctx, statement("offsets"))
		if err != nil {
			return nil, fmt.Errorf("history: read offsets of %s: %w", service, err)
		}
		var group string
		var at Place
		var next int64
		_, err = pgx.ForEachRow(rows, []any{&group, &at.Topic, &at.Partition, &next}, func() error {
			if all[group] == nil {
				all[group] = make(map[Place]int64)
			}
			all[group][at] = next
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("history: read offsets of %s: %w", service, err)
		}
	}
	return all, nil
}

// HasReceipt reports whether a relay recorded that it published an event.
func (r *Recorder) HasReceipt(ctx context.Context, service, eventID string) (recorded bool, err error) {
	if err := r.pools[service].QueryRow(ctx, statement("receipt"), eventID).Scan(&recorded); err != nil {
		return false, fmt.Errorf("history: read receipt of %s: %w", eventID, err)
	}
	return recorded, nil
}

// businessSchemas and libraryTables are what state is.
func businessSchemas() []string { return []string{"quote", "orders", "projection"} }

func libraryTables() []string {
	return []string{
		"outbox_stream", "outbox_event", "outbox_parked", "inbox", "gate", "held_event", "blocked_key", "dead_letter", "operator_action",
	}
}

// Tables hashes every column of every table that holds state, in all databases.
func (r *Recorder) Tables(ctx context.Context) (all []Table, err error) {
	for _, service := range r.services() {
		type named struct {
			schema, table string
			columns       []string
		}
		tables, err := collect(ctx, r.pools[service], "tables", func(row pgx.CollectableRow) (t named, err error) {
			err = row.Scan(&t.schema, &t.table, &t.columns)
			return t, err
		}, businessSchemas(), libraryTables())
		if err != nil {
			return nil, err
		}
		for _, t := range tables {
			content, err := r.hash(ctx, service, pgx.Identifier{t.schema, t.table}, t.columns)
			if err != nil {
				return nil, err
			}
			all = append(all, content)
		}
	}
	return all, nil
}

func (r *Recorder) hash(ctx context.Context, service string, table pgx.Identifier, columns []string) (Table, error) {
	sql := strings.NewReplacer("{columns}", strings.Join(columns, ", "), "{table}", table.Sanitize()).Replace(statement("hash"))
	content := Table{Database: service, Name: strings.Join(table, ".")}
	if err := r.pools[service].QueryRow(ctx, sql).Scan(&content.Rows, &content.Hash); err != nil {
		return Table{}, fmt.Errorf("history: hash %s: %w", content.Name, err)
	}
	return content, nil
}

// Actions returns the audited acts of operators on a target.
func (r *Recorder) Actions(ctx context.Context, service, target string) ([]string, error) {
	return collect(ctx, r.pools[service], "actions", pgx.RowTo[string], target)
}

// HashTable hashes one table of a service.
func (r *Recorder) HashTable(ctx context.Context, service string, table pgx.Identifier) (Table, error) {
	columns, err := collect(ctx, r.pools[service], "columns", pgx.RowTo[string], table.Sanitize())
	if err != nil {
		return Table{}, err
	}
	return r.hash(ctx, service, table, columns)
}
