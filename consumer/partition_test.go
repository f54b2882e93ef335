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

// Before, an outage of minutes was followed by half a minute in which nothing was
// asked, at the start, for start offsets, and where an attempt is counted.
func TestAnOutageIsFollowedByASecondsPauseAtMost(t *testing.T) {
	t.Parallel()
	r := &Runner{cfg: Config{}.WithDefaults()}
	if d := r.outagePause(1); d < 10*time.Millisecond || d > 12*time.Millisecond {
		t.Errorf("the first pause is %s, want 10ms and up to a fifth", d)
	}
	if d := r.outagePause(1000); d < time.Second || d > 1200*time.Millisecond {
		t.Errorf("a late pause is %s, want a second and up to a fifth", d)
	}
	for _, failures := range []int{1, 1000} {
		r := &Runner{cfg: Config{BackoffMin: time.Microsecond, BackoffMax: time.Millisecond}}
		if d := r.outagePause(failures); d > 1200*time.Microsecond {
			t.Errorf("a pause of %s, want what is configured where it is shorter", d)
		}
	}
}
