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
	s := &session{r: r, slots: make(chan struct{}, 1), stop: func(error) {}, owned: make(map[topicPartition]*partition)}
	s.work, s.cancel = context.WithCancel(ctx)
	defer s.cancel()
	start := inbox.Progress{Topic: topic, Partition: id}
	if err := inbox.StartPartition(ctx, r.cfg.Pool, r.cfg.Group, time.Now(), start); err != nil {
		return err
	}
	p := newPartition(s, r.topics[topic], id, 0, -1)
	for len(records) > 0 {
		n := min(len(records), r.cfg.MaxChunkRecords)
		if err := p.handle(records[:n], time.Now(), nil); err != nil {
			return err
		}
		records = records[n:]
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
