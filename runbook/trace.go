package runbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"factline.dev/internal/named"
)

// Trace follows a quote, an order or an event from its first row to its last and
// returns every link it looked at, in order. id is the id of a row of any stage,
// of an aggregate, or of an event.
func Trace(ctx context.Context, cfg Config, id string) (Report, error) {
	w := &walk{cfg: cfg.WithDefaults(), ctx: ctx, report: Report{ID: id, Links: []Link{}}}
	root, err := w.findRoot(id)
	if err != nil {
		return Report{}, err
	}
	if root == "" {
		return w.elsewhere(id)
	}
	w.report.Root = root
	if err := w.stages(root); err != nil {
		return Report{}, err
	}
	return w.report, nil
}

// walk is one trace under way.
type walk struct {
	ctx    context.Context
	cfg    Config
	report Report
}

func (w *walk) add(l Link) { w.report.Links = append(w.report.Links, l) }

// row is what a stage's SQL returns.
type row struct {
	Root, ID, State, Note string
	Version               int64
	At                    time.Time
}

func (w *walk) row(s Stage, id string) (*row, error) {
	service, err := w.service(s.Service)
	if err != nil {
		return nil, err
	}
	sql := s.SQL
	if s.Table != "" {
		names, err := collect[struct{ Name string }](w.ctx, service.Pool, "SELECT * FROM ("+s.Table+") AS t(name)")
		if err != nil || len(names) == 0 {
			return nil, err
		}
		sql = strings.ReplaceAll(sql, "{table}", names[0].Name)
	}
	rows, err := collect[row](w.ctx, service.Pool, sql, named.Args{"id": id})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

func (w *walk) service(name string) (Service, error) {
	for _, s := range w.cfg.Services {
		if s.Name == name {
			return s, nil
		}
	}
	return Service{}, fmt.Errorf("runbook: trace %s: no database of %s was given; pass its connection", w.report.ID, name)
}

// findRoot returns the id the chain begins with, empty when id is in no stage
// and no outbox.
func (w *walk) findRoot(id string) (string, error) {
	for _, candidate := range []func(string) (string, error){w.rootOfRow, w.rootOfEvent} {
		root, err := candidate(id)
		if err != nil || root != "" {
			return root, err
		}
	}
	return "", nil
}

func (w *walk) rootOfRow(id string) (string, error) {
	for _, s := range w.cfg.Stages {
		r, err := w.row(s, id)
		if err != nil {
			return "", err
		}
		if r != nil {
			return r.Root, nil
		}
	}
	return "", nil
}

// rootOfEvent finds an event by its id, or any event of an aggregate.
func (w *walk) rootOfEvent(id string) (string, error) {
	for _, s := range w.cfg.Services {
		events, err := w.events(s, id)
		if err != nil {
			return "", err
		}
		if len(events) == 0 {
			continue
		}
		e := events[0]
		if e.EventID == id {
			w.add(Link{
				Name: "event", State: OK, At: e.CreatedAt,
				Detail: fmt.Sprintf("%s is version %d of %s %s, appended by %s", e.EventType, e.AggregateVersion, e.AggregateType, e.AggregateID, s.Name),
			})
		}
		root, err := w.rootOfRow(e.AggregateID)
		if err != nil || root != "" {
			return root, err
		}
		return e.AggregateID, nil
	}
	return "", nil
}

// stages walks the business rows in order. An aggregate that no stage knows is
// walked alone.
func (w *walk) stages(root string) error {
	var before *row
	var handed []published
	for i, s := range w.cfg.Stages {
		r, err := w.row(s, root)
		if err != nil {
			return err
		}
		if r == nil && i == 0 {
			return w.loose(root)
		}
		w.judgeRow(s, r, before, handed)
		if r == nil || slices.Contains(s.Ends, r.State) {
			return nil
		}
		if s.Aggregate != "" {
			if handed, err = w.aggregate(s, r); err != nil || handed == nil {
				return err
			}
			if err := w.readers(s, w.stageAfter(i), handed); err != nil {
				return err
			}
		}
		before = r
	}
	return nil
}

// stageAfter returns the next stage that a group writes.
func (w *walk) stageAfter(i int) *Stage {
	for j := i + 1; j < len(w.cfg.Stages); j++ {
		if w.cfg.Stages[j].Group != "" {
			return &w.cfg.Stages[j]
		}
	}
	return nil
}

func (w *walk) judgeRow(s Stage, r, before *row, handed []published) {
	switch {
	case r == nil:
		w.add(w.missingRow(s, handed))
	case s.Follows && before != nil && r.Version < before.Version:
		w.add(Link{
			Name: s.Name, State: w.lateness(before.At), At: r.At,
			Detail:   fmt.Sprintf("%s at version %d, behind version %d of the row it follows", r.State, r.Version, before.Version),
			Recovery: fmt.Sprintf("see whether %s runs and is behind; rebuild the projection if it is not", s.Group), Command: "consumers lag",
		})
	default:
		w.add(Link{Name: s.Name, State: OK, At: r.At, Detail: rowDetail(s, r)})
	}
}

func rowDetail(s Stage, r *row) string {
	text := fmt.Sprintf("%s is %s", r.ID, r.State)
	if r.Version > 0 {
		text += fmt.Sprintf(" at version %d", r.Version)
	}
	if r.Note != "" {
		text += ": " + r.Note
	}
	if slices.Contains(s.Ends, r.State) {
		text += "; the chain ends here by a business decision"
	}
	return text
}

func (w *walk) missingRow(s Stage, handed []published) Link {
	l := Link{Name: s.Name, State: Broken, Detail: "there is no row in " + s.Service}
	if last := len(handed) - 1; last >= 0 {
		l.State = w.lateness(handed[last].CreatedAt)
	}
	l.Recovery = "the event was applied and left no row: read the log of " + s.Service + " at that time, correct the handler, replay"
	if first := w.report.First(); first != nil {
		l.Recovery = "mend the link before first: " + first.Name
		l.Command = first.Command
	}
	return l
}

// lateness is Waiting for what began a moment ago.
func (w *walk) lateness(since time.Time) State {
	if time.Since(since) < w.cfg.Patience {
		return Waiting
	}
	return Broken
}

// loose walks an aggregate that belongs to no stage.
func (w *walk) loose(id string) error {
	for _, s := range w.cfg.Services {
		events, err := w.events(s, id)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			continue
		}
		stage := Stage{Name: events[0].AggregateType, Service: s.Name, Aggregate: events[0].AggregateType}
		if w.publication(stage, events) {
			return nil
		}
		w.onLog(events)
		return w.readers(stage, nil, events)
	}
	return nil
}

// elsewhere looks for an id among what consumers hold.
func (w *walk) elsewhere(id string) (Report, error) {
	var names []string
	for _, s := range w.cfg.Services {
		names = append(names, s.Name)
		found, err := collect[mention](w.ctx, s.Pool, statement("mentioned"), named.Args{"id": id})
		if err != nil {
			return Report{}, err
		}
		for _, m := range found {
			w.add(m.link(s.Name))
			w.report.Root = m.AggregateID
		}
	}
	if len(w.report.Links) == 0 {
		return Report{}, &UnknownIDError{ID: id, Services: names}
	}
	return w.report, nil
}

type mention struct {
	Consumer    string
	Topic       string
	Partition   int32
	Offset      int64
	AggregateID string
	Place       string
}

func (m mention) link(service string) Link {
	l := Link{Name: m.Consumer, State: OK, Detail: fmt.Sprintf("%s in %s, %s/%d offset %d; its outbox row is not here", m.Place, service, m.Topic, m.Partition, m.Offset)}
	if !strings.HasPrefix(m.Place, "inbox: DONE") && !strings.HasPrefix(m.Place, "inbox: REJECTED") {
		l.State, l.Recovery, l.Command = Broken, "settle what the consumer waits for", "deadletters list"
	}
	return l
}

// since is the earliest time a row about id can have, from the ULID in it, so
// that older partitions of the outbox are not read.
func since(id string) time.Time {
	text := id[strings.LastIndexByte(id, '_')+1:]
	made, err := ulid.ParseStrict(strings.ToUpper(text))
	if err != nil {
		return time.Time{}
	}
	return ulid.Time(made.Time()).Add(-time.Hour)
}

func isTimeout(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
