package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"sync"
	"time"

	"factline.dev/contract"
	"factline.dev/contract/compat"
)

// State is a contracts folder at one time, with what was loaded from it.
type State struct {
	FS        fs.FS
	Catalogue *contract.Catalogue
}

// Check judges what lies between two states of a folder. What has no earlier state is
// among the changes with the verdict New; without a catalogue in old, everything is.
// Approvals are those of now, as of today. The changes are ordered by topic, subject and path; none is
// an empty slice. The only error is a schema that can no longer be read from its
// folder, or ctx ending.
func Check(ctx context.Context, old, now State, today time.Time) ([]Change, error) {
	if old.Catalogue == nil {
		old.Catalogue = &contract.Catalogue{}
	}
	c := &checker{
		ctx: ctx, old: old, now: now, oldSchemas: compat.NewFolder(old.FS), nowSchemas: compat.NewFolder(now.FS), today: today, changes: []Change{},
	}
	for _, t := range old.Catalogue.Topics() {
		c.topic(t)
	}
	for _, t := range now.Catalogue.Topics() {
		c.newTopic(t)
	}
	c.modes()
	if err := errors.Join(c.each(old.Catalogue.Events(), (*checker).event), c.each(now.Catalogue.Events(), (*checker).version)); err != nil {
		return nil, err
	}
	slices.SortFunc(c.changes, Change.compare)
	return c.changes, ctx.Err()
}

type checker struct {
	ctx      context.Context //nolint:containedctx // lives for one call of Check
	old, now State
	// oldSchemas and nowSchemas are those of the two folders.
	oldSchemas, nowSchemas *compat.Folder
	today                  time.Time
	changes                []Change
}

// each judges every event, as many at a time as there are processors: one shared
// schema can change all of them.
func (c *checker) each(events []*contract.Event, judge func(*checker, *contract.Event) error) error {
	parts := make([]checker, len(events))
	errs := make([]error, len(events))
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	var running sync.WaitGroup
	for i, e := range events {
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }()
			parts[i] = *c
			parts[i].changes = nil
			errs[i] = judge(&parts[i], e)
		})
	}
	running.Wait()
	for _, part := range parts {
		c.changes = append(c.changes, part.changes...)
	}
	return errors.Join(errs...)
}

// add settles a change of a topic or of an event on it.
func (c *checker) add(t *contract.Topic, change Change) {
	change.settle(t, c.now.Catalogue.Approvals(), c.today)
	c.changes = append(c.changes, change)
}

// topicNow is the topic of that name now, or as it was where it is gone.
func (c *checker) topicNow(name string) *contract.Topic {
	if t, ok := c.now.Catalogue.Topic(name); ok {
		return t
	}
	t, _ := c.old.Catalogue.Topic(name)
	return t
}

// stricter of the two states of a topic is the one that its readers rely on: to
// make a topic private does not free its owner at once.
func (c *checker) stricter(name string) *contract.Topic {
	before, existed := c.old.Catalogue.Topic(name)
	after, exists := c.now.Catalogue.Topic(name)
	switch {
	case !existed:
		return after
	case !exists || strictnessOf(before) < strictnessOf(after):
		return before
	}
	return after
}

// strictest is for an event that moves: its readers relied on the topic it left.
func (c *checker) strictest(from, to string) *contract.Topic {
	left, entered := c.stricter(from), c.stricter(to)
	if strictnessOf(left) < strictnessOf(entered) {
		return left
	}
	return entered
}

// promises are what compatibility may say, from the strongest on. What says nothing
// promises all.
var promises = []string{"additive", "backward", "none"}

func rank(promise string) int { return max(0, slices.Index(promises, promise)) }

// promiseOf is the strongest promise of either event: who weakens it and breaks it in
// one change has still broken it.
func promiseOf(events ...*contract.Event) string {
	strongest := len(promises) - 1
	for _, e := range events {
		strongest = min(strongest, rank(e.Compatibility))
	}
	return promises[strongest]
}

func name(e *contract.Event) string { return fmt.Sprintf("%s v%d", e.Type, e.Version) }

// event judges what became of an event that was there.
func (c *checker) event(before *contract.Event) error {
	after, ok := c.now.Catalogue.Event(before.Type, before.Version)
	if !ok {
		c.removed(before)
		return nil
	}
	c.record(before, after)
	changed, err := c.schemaDiffers(before, after)
	if err != nil || !changed {
		return err
	}
	d := &diff{before: before, after: after}
	d.fields()
	result, err := c.compare(c.oldSchemas, before.SchemaFile(), c.nowSchemas, after.SchemaFile(), compat.Full)
	if err != nil {
		return err
	}
	rest := unexplained(d, result, "/payload")
	for _, change := range append(d.changes, rest...) {
		change.promise = promiseOf(before, after)
		c.add(c.strictest(before.Topic, after.Topic), change)
	}
	return nil
}

func (c *checker) schemaDiffers(before, after *contract.Event) (bool, error) {
	files := before.SchemaFiles()
	if !slices.Equal(files, after.SchemaFiles()) {
		return true, nil
	}
	for _, file := range files {
		was, err := fs.ReadFile(c.old.FS, file)
		if err != nil {
			return false, fmt.Errorf("policy: compare %s: read the older %s: %w", name(after), file, err)
		}
		is, err := fs.ReadFile(c.now.FS, file)
		if err != nil {
			return false, fmt.Errorf("policy: compare %s: read %s: %w", name(after), file, err)
		}
		if !bytes.Equal(was, is) {
			return true, nil
		}
	}
	return false, nil
}

// compare asks the engine.
func (c *checker) compare(olds *compat.Folder, oldFile string, news *compat.Folder, newFile string, direction compat.Direction) (compat.Result, error) {
	old, err := olds.Load(oldFile)
	if err != nil {
		return compat.Result{}, fmt.Errorf("policy: compare with the older %s: %w", oldFile, err)
	}
	next, err := news.Load(newFile)
	if err != nil {
		return compat.Result{}, fmt.Errorf("policy: compare %s: %w", newFile, err)
	}
	return compat.Compare(c.ctx, old, next, compat.Options{Direction: direction, Evolvable: true}), nil
}

// groups are the consumers that either state declares.
func groups(events ...*contract.Event) []string {
	return groupsOf(func(e *contract.Event) []contract.Consumer { return e.Consumers }, events)
}

// readersOf are the groups that depend on a field in either state.
func readersOf(path string, events ...*contract.Event) []string {
	return groupsOf(func(e *contract.Event) []contract.Consumer { return e.ReadersOf(path) }, events)
}

func groupsOf(readers func(*contract.Event) []contract.Consumer, events []*contract.Event) []string {
	var found []string
	for _, e := range events {
		for _, r := range readers(e) {
			found = append(found, r.Group)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
