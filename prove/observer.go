package prove

import (
	"context"
	"time"

	"factline.dev/contract"
	"factline.dev/prove/fault"
	"factline.dev/prove/history"
)

// observer looks at a platform from outside, whatever it runs on.
type observer struct {
	catalogue *contract.Catalogue
	brokers   []string
	recorder  *history.Recorder
	child     *fault.Child
	// patience is how long the platform may take to come to rest.
	patience time.Duration
}

// topics are the main and the dead-letter topics.
func (o *observer) topics() (names []string) {
	for _, t := range o.catalogue.Topics() {
		names = append(names, t.Name, t.DeadLetterTopic())
	}
	return names
}

// read adds to a history all that databases and log hold.
func (o *observer) read(ctx context.Context, h history.History) (_ history.History, err error) {
	h.TakenAt = time.Now().UTC()
	read := func(part func() error) {
		if err == nil {
			err = part()
		}
	}
	r := o.recorder
	read(func() error { h.Accepted, err = r.Accepted(ctx); return err })
	read(func() error { h.Orders, err = r.Orders(ctx); return err })
	read(func() error { h.Summaries, err = r.Summaries(ctx); return err })
	read(func() error { h.Committed, err = r.Committed(ctx); return err })
	read(func() error { h.Log, err = r.Log(ctx); return err })
	read(func() error { h.Inboxes, err = r.Inboxes(ctx); return err })
	read(func() error { h.Tables, err = r.Tables(ctx); return err })
	read(func() error { h.Waiting, err = r.Waiting(ctx); return err })
	return h, err
}
