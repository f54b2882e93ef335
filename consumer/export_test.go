package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/inbox"
)

// HandleAlone handles records of one partition as a member that believes it
// owns it, whatever the group says.
func (r *Runner) HandleAlone(ctx context.Context, topic string, id int32, records []*kgo.Record) error {
	s := r.newSession(ctx, func(error) {})
	defer s.cancel()
	start := inbox.Progress{Topic: topic, Partition: id}
	if err := inbox.StartPartition(ctx, r.cfg.Pool, r.cfg.Group, time.Now(), start); err != nil {
		return err
	}
	p := newPartition(s, r.topics[topic], id, 0, -1)
	p.queue = records
	for len(p.queue) > 0 {
		if err := p.handle(); err != nil {
			return err
		}
	}
	return nil
}

// Statements returns every embedded statement by name.
func Statements() map[string]string {
	all := make(map[string]string)
	entries, _ := statements.ReadDir("sql")
	for _, e := range entries {
		text, _ := statements.ReadFile("sql/" + e.Name())
		all[e.Name()] = string(text)
	}
	return all
}
