package consumer

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func fetchBounds(t *testing.T, cfg Config) (most, ofPartition int32, wait time.Duration) {
	t.Helper()
	r := &Runner{cfg: cfg, topics: map[string]*topicPlan{"orders": {}}}
	client, err := kgo.NewClient(r.newSession(t.Context(), nil).clientOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseAllowingRebalance()
	return client.OptValue(kgo.FetchMaxBytes).(int32), client.OptValue(kgo.FetchMaxPartitionBytes).(int32),
		client.OptValue(kgo.FetchMaxWait).(time.Duration)
}

// With the client's own bounds, 1.2 million small records that compressed well
// were one fetch and 6 GB; with its own wait, a resumed partition stood still for
// 5 s beside one that was read to its end.
func TestAFetchIsBoundedUnlessTheOptionsSayOtherwise(t *testing.T) {
	t.Parallel()
	cfg := Config{Group: "a.b.consumer", Service: "a", Brokers: []string{"127.0.0.1:1"}}
	if most, ofPartition, wait := fetchBounds(t, cfg); most != 2<<20 || ofPartition != 128<<10 || wait != 250*time.Millisecond {
		t.Errorf("a fetch may have %d bytes, %d of a partition, and wait %s; want 2 MiB, 128 KiB and 250ms", most, ofPartition, wait)
	}
	cfg.ClientOptions = []kgo.Opt{kgo.FetchMaxBytes(8 << 20), kgo.FetchMaxPartitionBytes(4 << 20), kgo.FetchMaxWait(time.Second)}
	if most, ofPartition, wait := fetchBounds(t, cfg); most != 8<<20 || ofPartition != 4<<20 || wait != time.Second {
		t.Errorf("a fetch may have %d bytes, %d of a partition, and wait %s; want what the options say", most, ofPartition, wait)
	}
}

// Each partition has its part of what the member may read ahead, and small
// records with large headers count as what they are.
func TestReadingAheadPausesAtThePartitionsPartOfTheMembersMemory(t *testing.T) {
	t.Parallel()
	fetch := &recordingFetch{pausing: func() {}}
	s := &session{
		r: &Runner{cfg: Config{MaxChunkRecords: 10, MaxQueuedRecords: 1000}}, fetching: fetch, work: t.Context(),
		owned: make(map[topicPartition]*partition),
	}
	for id := range int32(64) {
		s.owned[topicPartition{"orders", id}] = newPartition(s, &topicPlan{}, id, 0, -1)
	}
	p := s.owned[topicPartition{"orders", 0}]
	half := &kgo.Record{Headers: []kgo.RecordHeader{{Value: make([]byte, maxMemberBytes/64/2)}}}
	p.enqueue([]*kgo.Record{half}, 1, time.Time{})
	if p.paused {
		t.Error("paused at half of its part")
	}
	p.enqueue([]*kgo.Record{half}, 2, time.Time{})
	if !p.paused {
		t.Errorf("reads on with %d bytes, its part is %d", p.bytes, maxMemberBytes/64)
	}
	p.take(10)
	if p.paused || p.bytes != 0 {
		t.Errorf("paused %v with %d bytes queued after all was taken", p.paused, p.bytes)
	}
}
