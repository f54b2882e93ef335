package deadletter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/deadletter"
	"factline.dev/factlinetest"
)

func TestFingerprintsAreOfTheCauseAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, message, want string }{
		{"numbers and ids", "order ord_9f5c0b4a: line 17 of 20 failed", "order ? line ? of ? failed"},
		{"quoted parts", `field "customerId" is 'x y'`, "field ? is ?"},
		{"addresses and times", "dial 10.0.0.1:5432 at 2026-07-02T08:15:30.481Z: refused", "dial ? at ? refused"},
		{"a stack below", "boom\ngoroutine 7", "boom"},
		{"blanks", " a \t b ", "a b"},
		{"broken bytes", "a\xffb", "a?b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := deadletter.Pattern(tt.message); got != tt.want {
				t.Errorf("pattern of %q = %q, want %q", tt.message, got, tt.want)
			}
		})
	}
	if deadletter.Fingerprint("A", "x 1") != deadletter.Fingerprint("A", "x 2") || deadletter.Fingerprint("A", "x") == deadletter.Fingerprint("B", "x") {
		t.Error("a fingerprint must ignore numbers and tell classes apart")
	}
}

func TestTheCollectorStoresEachFailureOnceAndGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(never)
	producer := b.cluster.Client(t)
	run := func(until int) {
		collector, err := deadletter.NewCollector(deadletter.CollectorConfig{
			Group: b.cluster.Topic(t, "platform-operations.dead-letters.consumer"), Pool: b.ops, Brokers: b.cluster.Addrs(), Topics: []string{dltTopic},
		})
		if err != nil {
			t.Fatal(err)
		}
		b.background(collector.Run)
		factlinetest.Eventually(t, time.Minute, "letters being collected", func() (bool, error) {
			page, err := b.store.List(t.Context(), deadletter.Selection{})
			return len(page.Letters) == until, err
		})
	}
	first, second := b.letter(b.dead("a", 1)), b.letter(b.dead("b", 1))
	// A relay may repeat what it sent before a crash.
	if err := producer.ProduceSync(t.Context(), first, b.letter(b.dead("a", 1)), second).FirstErr(); err != nil {
		t.Fatal(err)
	}
	run(2)
	if err := producer.ProduceSync(t.Context(), b.letter(b.dead("c", 1))).FirstErr(); err != nil {
		t.Fatal(err)
	}
	run(3) // another group, so only the database knows where to go on
	l, err := b.store.Get(t.Context(), "dlt_a1")
	if err != nil || l.Failures != 1 || len(l.History) != 1 || l.State != deadletter.Open {
		t.Errorf("a1 = %+v, %v, want one failure", l, err)
	}
}

func TestALetterKeepsCoordinatesBytesAndHistory(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.dead("a", 3)
	b.collect(b.letter(d))
	again := d
	again.message, again.failedAt = "worse", d.failedAt.Add(time.Minute)
	b.collect(b.letter(again), b.letter(d)) // the older record comes once more
	l, err := b.store.Get(t.Context(), d.id)
	if err != nil {
		t.Fatal(err)
	}
	r := l.Record
	if r.SourceTopic != topic || r.SourceOffset != d.offset || r.ConsumerGroup != group || string(r.OriginalKey) != "a" ||
		string(r.OriginalValue) != string(d.value) || len(r.OriginalHeaders) != 1 || r.AttemptCount != 5 || !r.Blocks {
		t.Errorf("record = %+v", r)
	}
	if l.AggregateID != "a" || l.AggregateVersion != 3 || l.TenantID != "tenant_001" || l.Failures != 2 || r.ErrorMessage != "worse" || len(l.History) != 2 {
		t.Errorf("letter = %+v", l)
	}
	if _, err := b.store.Get(t.Context(), "dlt_none"); !errors.Is(err, deadletter.ErrNotFound) {
		t.Errorf("Get of an unknown id = %v, want ErrNotFound", err)
	}
}

// failure is a record of a letter that failed in a redrive, by the clock of its
// consumer.
func (b *bench) failure(d dead, redriveID string, at time.Time) *kgo.Record {
	b.t.Helper()
	d.failedAt, d.redriveID = at, redriveID
	return b.letter(d)
}

func TestALetterOpensAgainAlsoByAClockThatIsSlow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.dead("a", 1)
	b.give(d)
	b.redriven(d.id, "rdr_1")
	slow := b.failure(d, "rdr_1", d.failedAt.Add(-time.Hour))
	b.collect(slow)
	b.collect(slow)
	l, err := b.store.Get(t.Context(), d.id)
	if err != nil || l.State != deadletter.Open || l.Failures != 2 || len(l.History) != 3 {
		t.Errorf("letter = %+v, %v, want it open after two failures", l, err)
	}
}

func TestALateRecordOfAnEarlierRedriveOpensNothing(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{"it was applied since": "APPLIED", "it was skipped since": "SKIPPED", "it is redriven again": "REDRIVEN"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d := b.dead("a", 1)
			b.give(d)
			b.redriven(d.id, "rdr_1")
			exec(t, b.ops, `UPDATE deadletter.letter SET state = $1`, last)
			exec(t, b.ops, `INSERT INTO deadletter.history (letter_id, kind, redrive_id, at) VALUES ($1, $2, 'rdr_2', $3)`, d.id, last, b.now)
			late := b.failure(d, "rdr_1", b.now)
			b.collect(late)
			b.collect(late)
			l, err := b.store.Get(t.Context(), d.id)
			if err != nil || l.State != last || l.Failures != 1 || len(l.History) != 4 || l.History[3].Kind != "FAILED" {
				t.Errorf("letter = %+v, %v, want it %s, and the failure in its history", l, err, last)
			}
		})
	}
}

// redriven records that a letter is on its way to its group.
func (b *bench) redriven(id, redriveID string) {
	b.t.Helper()
	exec(b.t, b.ops, `UPDATE deadletter.letter SET state = 'REDRIVEN' WHERE letter_id = $1`, id)
	exec(b.t, b.ops, `INSERT INTO deadletter.history (letter_id, kind, redrive_id, at) VALUES ($1, 'REDRIVEN', $2, $3)`, id, redriveID, b.now)
}

func TestHowFarATopicIsCollectedNeverGoesBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i, offset := range []int64{7, 3} {
		record := b.letter(b.dead("a", int64(i+1)))
		record.Offset = offset
		b.collect(record)
	}
	var next int64
	if err := b.ops.QueryRow(t.Context(), `SELECT next_offset FROM deadletter.position`).Scan(&next); err != nil || next != 8 {
		t.Errorf("the next is %d, %v, want 8", next, err)
	}
}

func TestHostileRecordsAreKeptAndStopNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	hostile := b.dead("a", 1)
	hostile.message = "\x1b[2J\x00\u202e" + strings.Repeat("x", 100_000)
	thief, large := b.dead("b", 1), b.dead("c", 1)
	thief.id = hostile.id
	large.value = []byte(strings.Repeat("\xff\x00", 2<<20))
	noID := b.dead("d", 1)
	noID.id = "dlt-0011'; DROP TABLE deadletter.letter; --"
	b.collect(b.letter(hostile), b.letter(thief), b.letter(large), b.letter(noID),
		&kgo.Record{Topic: dltTopic, Partition: 2, Offset: 7, Value: []byte("\x00no JSON"), Timestamp: b.now},
		&kgo.Record{Topic: dltTopic, Partition: 2, Offset: 8, Value: []byte(`{}`), Timestamp: b.now},
		&kgo.Record{Topic: dltTopic, Partition: 2, Offset: 9, Timestamp: b.now})
	b.collect(b.letter(thief)) // read again, it finds its own row
	page, err := b.store.List(t.Context(), deadletter.Selection{})
	if err != nil || len(page.Letters) != 7 {
		t.Fatalf("%d letters, %v, want all 7", len(page.Letters), err)
	}
	l, err := b.store.Get(t.Context(), hostile.id)
	if err != nil || l.AggregateID != "a" || strings.Contains(l.Record.ErrorMessage, "\x00") || len(l.Record.ErrorMessage) > 16<<10 {
		t.Errorf("the hostile one = %d bytes of error, of %s, %v", len(l.Record.ErrorMessage), l.AggregateID, err)
	}
	groups, err := b.store.Groups(t.Context(), deadletter.Selection{Class: "UNREADABLE_DEAD_LETTER"})
	if err != nil || len(groups) != 1 || groups[0].Letters != 3 || groups[0].Topic != dltTopic {
		t.Errorf("groups = %+v, %v, want the three that are no dead letters", groups, err)
	}
	for _, letter := range page.Letters {
		if letter.ID == noID.id || letter.AggregateID == "b" && letter.ID == hostile.id {
			t.Errorf("%s took an id that it may not have", letter.ID)
		}
	}
}

func TestGroupsFiltersAndPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var records []*kgo.Record
	for i := range 25 {
		d := b.dead("a", int64(i+1))
		d.failedAt = d.failedAt.Add(time.Duration(i%5) * time.Second)
		if i < 5 {
			d.message = "other"
		}
		records = append(records, b.letter(d))
	}
	b.collect(records...)
	groups, err := b.store.Groups(t.Context(), deadletter.Selection{Group: group})
	if err != nil || len(groups) != 2 || groups[0].Letters != 20 || groups[0].Keys != 1 || groups[1].SampleMessage != "other" {
		t.Fatalf("groups = %+v, %v", groups, err)
	}
	seen, sel := map[string]bool{}, deadletter.Selection{Limit: 7}
	for {
		page, err := b.store.List(t.Context(), sel)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Letters {
			seen[l.ID] = true
		}
		if sel.After = page.Next; sel.After == "" {
			break
		}
	}
	if len(seen) != 25 {
		t.Errorf("pages hold %d letters, want 25", len(seen))
	}
	for name, tt := range map[string]struct {
		sel  deadletter.Selection
		want int
	}{
		"fingerprint": {deadletter.Selection{Fingerprint: groups[1].Fingerprint}, 5},
		"class":       {deadletter.Selection{Class: string(consumer.TenantViolation)}, 0},
		"tenant":      {deadletter.Selection{TenantID: "tenant_001"}, 25},
		"type":        {deadletter.Selection{EventType: "OrderCompleted"}, 0},
		"since":       {deadletter.Selection{Since: b.now.Add(-time.Hour + 4*time.Second)}, 5},
		"until":       {deadletter.Selection{Until: b.now.Add(-time.Hour + time.Second)}, 5},
		"state":       {deadletter.Selection{State: deadletter.Skipped}, 0},
		"id":          {deadletter.Selection{ID: "dlt_a7"}, 1},
	} {
		if page, err := b.store.List(t.Context(), tt.sel); err != nil || len(page.Letters) != tt.want {
			t.Errorf("by %s: %d letters, %v, want %d", name, len(page.Letters), err, tt.want)
		}
	}
	if _, err := b.store.List(t.Context(), deadletter.Selection{After: "x"}); err == nil {
		t.Error("a page mark that is none was taken")
	}
}

func TestWhatIsMissingInAConfigurationIsNamed(t *testing.T) {
	t.Parallel()
	_, err := deadletter.NewCollector(deadletter.CollectorConfig{MaxChunkRecords: -1})
	contains(t, err.Error(), "CollectorConfig.Group", "CollectorConfig.Pool", "CollectorConfig.Brokers", "CollectorConfig.Topics", "CollectorConfig.MaxChunkRecords")
	_, err = deadletter.NewStore(deadletter.StoreConfig{LeaseTTL: time.Millisecond})
	contains(t, err.Error(), "StoreConfig.Pool", "StoreConfig.LeaseTTL")
}
