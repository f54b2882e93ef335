package consumer

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordingFetch notes how the client was asked, and lets a worker in while it is.
type recordingFetch struct {
	asked   []string
	pausing func()
}

func (f *recordingFetch) PauseFetchPartitions(map[string][]int32) map[string][]int32 {
	f.pausing()
	f.asked = append(f.asked, "pause")
	return nil
}

func (f *recordingFetch) ResumeFetchPartitions(map[string][]int32) {
	f.asked = append(f.asked, "resume")
}

// A worker that emptied the queue between the decision to pause and the pause
// used to resume first, and the partition stood still for ever.
func TestAPauseIsNeverLaterThanItsResume(t *testing.T) {
	t.Parallel()
	fetch := &recordingFetch{}
	r := &Runner{cfg: Config{MaxChunkRecords: 2, MaxQueuedRecords: 2}}
	s := &session{r: r, fetching: fetch, work: t.Context()}
	p := newPartition(s, &topicPlan{}, 0, 0, -1)
	fetch.pausing = func() {
		if p.mu.TryLock() {
			p.mu.Unlock()
			t.Error("the worker can take and resume while the pause is under way")
		}
	}
	p.enqueue([]*kgo.Record{{}, {}}, 2, time.Time{})
	if taken := p.take(2); len(taken.records) != 2 {
		t.Fatalf("took %d records, want 2", len(taken.records))
	}
	if len(fetch.asked) != 2 || fetch.asked[0] != "pause" || fetch.asked[1] != "resume" || p.paused {
		t.Errorf("asked %v, paused %v; want a pause and then a resume", fetch.asked, p.paused)
	}
}
