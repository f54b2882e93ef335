package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/envelope"
)

// Span is what a partition of the log holds and how far the live group is.
type Span struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Start is the first offset the log holds, End the one after the last.
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// Live is the live group's next offset.
	Live int64 `json:"live"`
}

// TypeCount is how often an event version stands on the log.
type TypeCount struct {
	EventType string `json:"eventType"`
	Version   int    `json:"version"`
	Records   int64  `json:"records"`
	// Applied reports whether the projection applies the type; the others
	// advance its gate alone.
	Applied bool `json:"applied"`
}

// Preview is what a replay would read and write.
type Preview struct {
	Projection string `json:"projection"`
	Group      string `json:"group"`
	// Scope is the name under which the replay keeps its gate and inbox.
	Scope string `json:"scope"`
	// LiveTable is what is compared, NewTable what is made.
	LiveTable string      `json:"liveTable"`
	NewTable  string      `json:"newTable"`
	Spans     []Span      `json:"spans"`
	Types     []TypeCount `json:"types"`
	// Records is how many the live group has read, which is what the replay
	// reads first.
	Records int64 `json:"records"`
}

// Check plans a replay and changes nothing. It reads the log once up to the
// live group's offsets, to know every version on it. The error is a
// [*RefusedError] when a precondition does not hold.
func Check(ctx context.Context, cfg Config) (Preview, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return Preview{}, fmt.Errorf("replay: check configuration: %w", err)
	}
	p, err := preview(ctx, cfg)
	return p, err
}

func preview(ctx context.Context, cfg Config) (Preview, error) {
	p := Preview{
		Projection: cfg.Projection.Name, Group: cfg.Projection.Group, Scope: cfg.scope(),
		LiveTable: strings.Join(cfg.Projection.Live, "."), NewTable: strings.Join(cfg.table(), "."),
	}
	refused := &RefusedError{Projection: cfg.Projection.Name}
	refused.declarations(cfg)
	if err := refused.table(ctx, cfg); err != nil {
		return p, err
	}
	point, err := readPoint(ctx, cfg)
	if err != nil {
		return p, err
	}
	if p.Spans, err = readSpans(ctx, cfg, point, refused); err != nil {
		return p, err
	}
	for _, s := range p.Spans {
		p.Records += max(0, s.Live-s.Start)
	}
	if len(refused.Refusals) > 0 {
		return p, refused
	}
	if p.Types, err = scan(ctx, cfg, p, point, refused); err != nil {
		return p, err
	}
	if len(refused.Refusals) > 0 {
		return p, refused
	}
	return p, nil
}

func (e *RefusedError) add(c Condition, format string, args ...any) {
	e.Refusals = append(e.Refusals, Refusal{c, fmt.Sprintf(format, args...)})
}

// declarations checks what needs neither database nor broker.
func (e *RefusedError) declarations(cfg Config) {
	pr := cfg.Projection
	if !pr.ReplaySafe {
		e.add(NotReplaySafe, "%s is not declared replay-safe; set Projection.ReplaySafe once its handler writes nothing but its table", pr.Name)
	}
	if group, ok := cfg.Contracts.Group(pr.Group); !ok {
		e.add(GroupUnknown, "the catalogue does not know the group %s; declare it in services.yaml", pr.Group)
	} else if group.SideEffects {
		e.add(NotReplaySafe, "%s has side effects by its declaration in services.yaml; only their diff can be replayed", pr.Group)
	}
	for _, s := range pr.Sources {
		e.source(cfg, s)
	}
}

func (e *RefusedError) source(cfg Config, s Source) {
	if _, ok := cfg.Contracts.Topic(s.Topic); !ok {
		e.add(TopicUnknown, "the catalogue does not know %s", s.Topic)
	}
	if s.Mode != consumer.Ordered && s.Mode != consumer.Unordered {
		e.add(ModeUnsupported, "%s is read in mode %s; a current-state topic is rebuilt by reading it again", s.Topic, s.Mode)
	}
	for _, eventType := range s.Types {
		if event, ok := cfg.Contracts.Event(eventType, 1); ok && !event.ReplaySafe {
			e.add(NotReplaySafe, "%s is not replay-safe by its contract %s", eventType, event.File())
		}
	}
}

func (e *RefusedError) table(ctx context.Context, cfg Config) error {
	return pgx.BeginFunc(ctx, cfg.Pool, func(tx pgx.Tx) error {
		columns, err := readColumns(ctx, tx, cfg.Projection.Live)
		switch {
		case err != nil:
			return err
		case len(columns) == 0:
			e.add(TableUnusable, "%s does not exist", cfg.Projection.Live.Sanitize())
		case !slices.ContainsFunc(columns, func(c column) bool { return c.IsKey }):
			e.add(TableUnusable, "%s has no primary key to compare rows by", cfg.Projection.Live.Sanitize())
		}
		return nil
	})
}

// readSpans puts the log and the live group's progress side by side.
func readSpans(ctx context.Context, cfg Config, at point, refused *RefusedError) ([]Span, error) {
	spans, unknown, err := listSpans(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, topic := range unknown {
		refused.add(TopicUnknown, "the broker does not know %s", topic)
	}
	started := false
	for i := range spans {
		s := &spans[i]
		next, ok := at.offsets[place{s.Topic, s.Partition}]
		started = started || ok
		s.Live = max(next, s.Start)
		if s.Start > 0 {
			refused.add(HistoryCut, "partition %d of %s begins at offset %d, its first %d records are gone; restore them from the archive", s.Partition, s.Topic, s.Start, s.Start)
		}
		if s.Live > s.End {
			refused.add(HistoryCut, "partition %d of %s ends at %d and the live group has read up to %d; the topic was made anew", s.Partition, s.Topic, s.End, s.Live)
		}
	}
	if !started {
		refused.add(GroupUnknown, "%s has read nothing of %s in this database; start the service first", cfg.Projection.Group, strings.Join(cfg.topics(), ", "))
	}
	return spans, nil
}

// scan reads the log and counts what stands on it, by headers where they are
// there. A version that nobody can read is refused, unless the live group gave
// that very event up.
func scan(ctx context.Context, cfg Config, p Preview, at point, refused *RefusedError) ([]TypeCount, error) {
	reader, err := newReader(cfg, p.Spans)
	if err != nil {
		return nil, err
	}
	defer reader.close()
	type version struct {
		eventType string
		version   int
	}
	counts := make(map[version]int64)
	unreadable := make(map[version]*kgo.Record)
	applied := cfg.applied()
	pace := newPace(cfg, "plan", p.Records)
	look := func(record *kgo.Record) {
		id, eventType, number := identify(record)
		v := version{eventType, number}
		counts[v]++
		if _, known := cfg.Contracts.Event(eventType, number); !known && applied[record.Topic][eventType] && !at.gaveUp(id) && unreadable[v] == nil {
			unreadable[v] = record
		}
	}
	err = reader.readTo(ctx, at.offsets, func(batches []batch) error {
		for _, records := range batches {
			for _, record := range records {
				look(record)
			}
			pace.add(len(records))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for v, record := range unreadable {
		refused.add(VersionUnreadable, "version %d of %s, first at %s/%d/%d, is not in the catalogue; bring its schema back", v.version, v.eventType, record.Topic, record.Partition, record.Offset)
	}
	slices.SortFunc(refused.Refusals, func(a, b Refusal) int { return cmp.Compare(a.Detail, b.Detail) })
	var types []TypeCount
	for v, n := range counts {
		types = append(types, TypeCount{EventType: v.eventType, Version: v.version, Records: n, Applied: cfg.applies(v.eventType)})
	}
	slices.SortFunc(types, func(a, b TypeCount) int {
		return cmp.Or(cmp.Compare(a.EventType, b.EventType), cmp.Compare(a.Version, b.Version))
	})
	return types, nil
}

// identify reads id, type and version of a record, from its headers if it has
// them. A record that cannot be read has none.
func identify(record *kgo.Record) (id, eventType string, version int) {
	for _, h := range record.Headers {
		switch h.Key {
		case envelope.HeaderEventID:
			id = string(h.Value)
		case envelope.HeaderEventType:
			eventType = string(h.Value)
		case envelope.HeaderEventVersion:
			_, _ = fmt.Sscanf(string(h.Value), "%d", &version)
		}
	}
	if id != "" && eventType != "" && version > 0 {
		return id, eventType, version
	}
	raw, err := envelope.DecodeRaw(record.Value)
	if err != nil {
		return "", "", 0
	}
	return raw.EventID, raw.EventType, raw.EventVersion
}

// applied are the types of each topic that take effect.
func (c Config) applied() map[string]map[string]bool {
	all := make(map[string]map[string]bool)
	for _, s := range c.Projection.Sources {
		all[s.Topic] = make(map[string]bool)
		for _, t := range s.Types {
			all[s.Topic][t] = true
		}
	}
	return all
}

func (c Config) applies(eventType string) bool {
	return slices.ContainsFunc(c.Projection.Sources, func(s Source) bool { return slices.Contains(s.Types, eventType) })
}

// pace turns counts into progress, a few times a second.
type pace struct {
	cfg     Config
	now     Progress
	started time.Time
	told    time.Time
}

func newPace(cfg Config, step string, total int64) *pace {
	return &pace{cfg: cfg, now: Progress{Step: step, Total: total}, started: time.Now()}
}

func (p *pace) add(records int) {
	p.now.Records += int64(records)
	if time.Since(p.told) < 250*time.Millisecond && p.now.Records < p.now.Total {
		return
	}
	p.told = time.Now()
	if p.now.Records > 0 {
		each := time.Since(p.started) / time.Duration(p.now.Records)
		p.now.Remaining = each * time.Duration(max(0, p.now.Total-p.now.Records))
	}
	p.cfg.OnProgress(p.now)
}
