package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Kind says how a key differs between two tables.
type Kind string

const (
	// Missing is a row of the live table that the rebuilt one has not.
	Missing Kind = "MISSING"
	// Extra is a row of the rebuilt table that the live one has not.
	Extra Kind = "EXTRA"
	// Changed is a row with the same key and other content.
	Changed Kind = "CHANGED"
)

// Difference is one key whose rows differ.
type Difference struct {
	// Key is the primary key as PostgreSQL writes a row: (acme,ord_1).
	Key  string `json:"key"`
	Kind Kind   `json:"kind"`
	// Columns are those that differ in a changed row. Their content is not
	// shown.
	Columns []string `json:"columns,omitempty"`
}

// Content is what a table holds, in short.
type Content struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	// Checksum is a SHA-256 over every column of every row, in an order that
	// does not depend on how the rows came to be.
	Checksum string `json:"checksum"`
}

// Comparison is the judgement over two tables.
type Comparison struct {
	Live    Content `json:"live"`
	Rebuilt Content `json:"rebuilt"`
	// Equal reports whether both have the same columns and rows.
	Equal bool `json:"equal"`
	// Columns that only one of the tables has, or has with another type.
	Columns []string `json:"columns,omitempty"`
	// Differences are the first differing keys, DifferingKeys how many there
	// are in all.
	Differences   []Difference `json:"differences,omitempty"`
	DifferingKeys int64        `json:"differingKeys"`
}

// column is one column of a table, its key columns first.
type column struct {
	Name  string
	Type  string
	IsKey bool
}

func readColumns(ctx context.Context, tx pgx.Tx, table pgx.Identifier) ([]column, error) {
	rows, err := tx.Query(ctx, statement("columns"), table.Sanitize())
	if err != nil {
		return nil, fmt.Errorf("replay: read columns of %s: %w", table.Sanitize(), err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByName[column])
	if err != nil {
		return nil, fmt.Errorf("replay: read columns of %s: %w", table.Sanitize(), err)
	}
	return columns, nil
}

// side is one table of a comparison within its snapshot.
type side struct {
	tx      pgx.Tx
	table   pgx.Identifier
	columns []column
	buckets map[string]bucket
}

type bucket struct {
	rows   int64
	digest string
}

// openSide fixes what a row's text depends on. Both sides must see alike.
func openSide(ctx context.Context, tx pgx.Tx, table pgx.Identifier, seeAll func(context.Context, pgx.Tx) error) (*side, error) {
	const session = `SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true),
		set_config('IntervalStyle', 'postgres', true), set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true)`
	if _, err := tx.Exec(ctx, session); err != nil {
		return nil, fmt.Errorf("replay: prepare comparison of %s: %w", table.Sanitize(), err)
	}
	if seeAll != nil {
		if err := seeAll(ctx, tx); err != nil {
			return nil, fmt.Errorf("replay: see all rows of %s: %w", table.Sanitize(), err)
		}
	}
	columns, err := readColumns(ctx, tx, table)
	if err != nil {
		return nil, err
	}
	return &side{tx: tx, table: table, columns: columns}, nil
}

func (s *side) readBuckets(ctx context.Context) error {
	rows, err := s.tx.Query(ctx, s.fill(statement("buckets")))
	if err != nil {
		return fmt.Errorf("replay: hash %s: %w", s.table.Sanitize(), err)
	}
	s.buckets = make(map[string]bucket)
	var name string
	var b bucket
	_, err = pgx.ForEachRow(rows, []any{&name, &b.rows, &b.digest}, func() error {
		s.buckets[name] = b
		return nil
	})
	if err != nil {
		return fmt.Errorf("replay: hash %s: %w", s.table.Sanitize(), err)
	}
	return nil
}

func (s *side) fill(sql string) string {
	var key, all, digests []string
	for _, c := range s.columns {
		name := pgx.Identifier{c.Name}.Sanitize()
		all = append(all, name)
		digests = append(digests, "coalesce(md5("+name+"::text), '')")
		if c.IsKey {
			key = append(key, name)
		}
	}
	return strings.NewReplacer("{table}", s.table.Sanitize(), "{key}", strings.Join(key, ", "),
		"{columns}", strings.Join(all, ", "), "{digests}", strings.Join(digests, ", ")).Replace(sql)
}

func (s *side) content() Content {
	c := Content{Table: strings.Join(s.table, ".")}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		b := s.buckets[name]
		c.Rows += b.rows
		_, _ = fmt.Fprintf(sum, "%s %d %s\n", name, b.rows, b.digest)
	}
	c.Checksum = hex.EncodeToString(sum.Sum(nil))
	return c
}

// compareTables judges live against rebuilt. Only buckets that differ are read
// row by row.
func compareTables(ctx context.Context, live, rebuilt *side, most int) (Comparison, error) {
	for _, s := range []*side{live, rebuilt} {
		if err := s.readBuckets(ctx); err != nil {
			return Comparison{}, err
		}
	}
	c := Comparison{Live: live.content(), Rebuilt: rebuilt.content(), Columns: differingColumns(live.columns, rebuilt.columns)}
	if len(c.Columns) > 0 {
		return c, nil
	}
	suspects := differingBuckets(live.buckets, rebuilt.buckets)
	if len(suspects) == 0 {
		c.Equal = true
		return c, nil
	}
	return c, c.list(ctx, live, rebuilt, suspects, most)
}

// bucketsAtOnce bounds how many rows are in memory while differences are
// listed, to about one in a hundred of a table.
const bucketsAtOnce = 40

func (c *Comparison) list(ctx context.Context, live, rebuilt *side, suspects []string, most int) error {
	for some := range slices.Chunk(suspects, bucketsAtOnce) {
		a, err := live.readRows(ctx, some)
		if err != nil {
			return err
		}
		b, err := rebuilt.readRows(ctx, some)
		if err != nil {
			return err
		}
		for _, d := range differingRows(a, b, live.columns) {
			c.DifferingKeys++
			if len(c.Differences) < most {
				c.Differences = append(c.Differences, d)
			}
		}
	}
	return nil
}

func (s *side) readRows(ctx context.Context, buckets []string) (map[string][]string, error) {
	rows, err := s.tx.Query(ctx, s.fill(statement("rows")), buckets)
	if err != nil {
		return nil, fmt.Errorf("replay: read rows of %s: %w", s.table.Sanitize(), err)
	}
	found := make(map[string][]string)
	for rows.Next() {
		var key string
		var digests []string
		if err := rows.Scan(&key, &digests); err != nil {
			rows.Close()
			return nil, fmt.Errorf("replay: read rows of %s: %w", s.table.Sanitize(), err)
		}
		found[key] = digests
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("replay: read rows of %s: %w", s.table.Sanitize(), err)
	}
	return found, nil
}

func differingBuckets(a, b map[string]bucket) []string {
	names := maps.Clone(a)
	maps.Copy(names, b)
	var found []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a[name] != b[name] {
			found = append(found, name)
		}
	}
	return found
}

func differingColumns(live, rebuilt []column) []string {
	var found []string
	for _, c := range live {
		if !slices.Contains(rebuilt, c) {
			found = append(found, "live "+c.Name+" "+c.Type)
		}
	}
	for _, c := range rebuilt {
		if !slices.Contains(live, c) {
			found = append(found, "rebuilt "+c.Name+" "+c.Type)
		}
	}
	return found
}

func differingRows(live, rebuilt map[string][]string, columns []column) []Difference {
	keys := maps.Clone(live)
	maps.Copy(keys, rebuilt)
	var found []Difference
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		a, inLive := live[key]
		b, inRebuilt := rebuilt[key]
		switch {
		case !inRebuilt:
			found = append(found, Difference{Key: key, Kind: Missing})
		case !inLive:
			found = append(found, Difference{Key: key, Kind: Extra})
		case !slices.Equal(a, b):
			found = append(found, Difference{Key: key, Kind: Changed, Columns: changedColumns(a, b, columns)})
		}
	}
	return found
}

func changedColumns(a, b []string, columns []column) []string {
	var names []string
	for i, c := range columns {
		if a[i] != b[i] {
			names = append(names, c.Name)
		}
	}
	return names
}
