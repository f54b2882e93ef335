package outbox

import (
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// shelfLoop is a loop with n lanes, each of which has events on s.
func shelfLoop(s shelf, n int) *loop {
	r := &Relay{cfg: RelayConfig{}.WithDefaults(), store: &store{}, partitions: &partitions{}}
	r.metrics, _ = newRelayMetrics(nil)
	l := &loop{relay: r, log: slog.New(slog.DiscardHandler), lanes: map[int16]*lane{}, trustedUntil: time.Now().Add(time.Hour)}
	for id := range int16(n) {
		l.lanes[id] = newLane(id, 1, 0)
		l.lanes[id].put(s)
	}
	return l
}

// readOf lets a lane read a shelf and gives the answer.
func (l *loop) readOf(lane *lane, s shelf, res readResult) {
	lane.shelves[s].isChanged = lane.shelves[s].unrecorded > 0
	lane.aside = &chunk{lane: lane, isRelease: true, shelf: s}
	res.request = readRequest{lanes: []wantedLane{{lane: lane}}}
	if res.lanes == nil {
		res.lanes = []laneRows{{}}
	}
	l.tookShelf(res)
}

// A client learns how many partitions a topic has while its events are being set
// aside: one of two of a key was set aside and the other went on.
func TestEventsOfAChunkAreSetAsideByOneCountOfPartitions(t *testing.T) {
	t.Parallel()
	const rows = 2000
	for range 200 {
		l := shelfLoop(shelf{topic: "other"}, 1)
		c := &chunk{lane: l.lanes[0], unaccepted: map[string]error{fenceKey("t", []byte("k")): errors.New("missing")}}
		for i := range rows {
			c.rows = append(c.rows, outRow{position: int64(i + 1), topic: "t", key: []byte("k")})
		}
		learned := make(chan struct{})
		go func() { l.relay.partitions.learn(map[string]int{"t": 3}); close(learned) }()
		aside := l.takeRefused(c)
		<-learned
		if len(aside) != rows || len(c.rows) != 0 {
			t.Fatalf("%d of %d events of a key are set aside and %d go on", len(aside), rows, len(c.rows))
		}
	}
}

// A database that does not answer is none of the topic's fault.
func TestAShelfThatIsNotReadIsNotRefused(t *testing.T) {
	t.Parallel()
	s := shelf{topic: "t"}
	l := shelfLoop(s, 1)
	l.lanes[0].shelves[s].isClosing = true
	l.readOf(l.lanes[0], s, readResult{err: errors.New("no connection")})
	if len(l.refusals) > 0 {
		t.Error("the broker is said to have refused the topic")
	}
	if !l.lanes[0].isOpen() {
		t.Error("the lane waits for a shelf that is not read")
	}
	if _, _, due := l.nextShelf(); !time.Now().Before(due) {
		t.Error("the shelf is read again without a pause")
	}
}

// A lane that waits for its shelf to get empty would wait as long as the broker
// refuses it, with everything else it has.
func TestAShelfThatIsRefusedClosesNoLane(t *testing.T) {
	t.Parallel()
	s := shelf{topic: "t"}
	l := shelfLoop(s, 2)
	l.lanes[0].shelves[s].isClosing = true
	l.refuse(s, errors.New("gone again")) // as lane 1 has found out
	if !l.lanes[0].isOpen() {
		t.Error("the lane is closed")
	}
}

// What is being put on a shelf is not there yet: the shelf used to be read
// without end while the database took no writes.
func TestAShelfIsNotReadWhileItsFirstEventsAreBeingRecorded(t *testing.T) {
	t.Parallel()
	s := shelf{topic: "t"}
	l := shelfLoop(s, 1)
	lane := l.lanes[0]
	rows := lane.setAside([]asideRow{{1, s}})
	l.readOf(lane, s, readResult{})
	if next, _, _ := l.nextShelf(); next != nil {
		t.Error("it is read again at once")
	}
	lane.recordedAside(rows)
	if next, _, _ := l.nextShelf(); next != lane {
		t.Error("it is not read although its events are there")
	}
}

// A lane that another relay has took its shelves along: the relay used to name
// their topics for ever.
func TestARelayReportsNoShelfOfALaneThatLeft(t *testing.T) {
	t.Parallel()
	s := shelf{topic: "t"}
	l := shelfLoop(s, 1)
	for range unacceptedRetries {
		l.refuse(s, errors.New("missing"))
	}
	l.adopt(t.Context(), nil)
	if l.reportUnaccepted(time.Now()); !l.unacceptedSaid.IsZero() || len(l.refusals) > 0 {
		t.Errorf("%v are reported", l.refusals)
	}
}

// The drain of a long shelf must not keep another one from being tried.
func TestShelvesThatFlowAndThoseThatAreRefusedTakeTurns(t *testing.T) {
	t.Parallel()
	s, refused := shelf{topic: "t"}, shelf{topic: "u"}
	l := shelfLoop(s, 2)
	l.lanes[1].put(refused)
	l.refuse(refused, errors.New("missing"))
	for id, from := range []shelf{s, refused} {
		l.lanes[int16(id)].aside = &chunk{lane: l.lanes[int16(id)], shelf: from, rows: []outRow{{topic: from.topic}}}
	}
	var got []string
	for range 3 {
		round := l.asideRound()
		got = append(got, round[0].shelf.topic)
		l.wasFlowing = l.refusals[round[0].shelf] == nil
	}
	if got[0] != "t" || got[1] != "u" || got[2] != "t" {
		t.Errorf("topics %v are sent, want them in turns", got)
	}
}

// An alert for each topic that the broker refuses rests on this list.
func TestATopicIsListedHoweverMuchAnotherHasSetAside(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.pool.Exec(t.Context(), `
		INSERT INTO factline.outbox_parked (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version, topic, record_key, value, stamped, created_at, reason, is_culprit, parked_at, shelf)
		SELECT 1, n, 'e' || n, 'T', 't', 'A', 'a', n, CASE WHEN n > 100001 THEN 'b' ELSE 'a' END, 'k', '', true, now(), 'missing', false, now(), ''
		FROM generate_series(1, 100002) n`); err != nil {
		t.Fatal(err)
	}
	report, err := Status(t.Context(), b.pool)
	if err != nil || len(report.SetAside) != 2 || report.SetAside["b"] != 1 {
		t.Errorf("set aside %v, %v", report.SetAside, err)
	}
	// Every row used to be counted, every five seconds, in the middle of an outage.
	if report.SetAside["a"] != MaxCountedPending || report.Lanes[1].SetAside != MaxCountedPending {
		t.Errorf("%d of the topic and %d of the lane were counted, want no more than %d", report.SetAside["a"], report.Lanes[1].SetAside, MaxCountedPending)
	}
	if !report.IsAtLeast() || !report.Lanes[1].IsAtLeast() || report.Lanes[0].IsAtLeast() {
		t.Error("the status does not say that more may wait")
	}
}

// owned leases the lanes and returns that of the only event there is.
func (b *bundle) owned() (*store, *lane, stored) {
	b.t.Helper()
	s := &store{pool: b.pool, owner: "x", maxEvents: 10, maxBytes: 1 << 20}
	_, leases, err := s.lease(b.t.Context(), time.Minute)
	if err != nil {
		b.t.Fatal(err)
	}
	e := b.stored()[0]
	at := slices.IndexFunc(leases, func(l lease) bool { return l.lane == e.Lane })
	return s, newLane(e.Lane, leases[at].epoch, leases[at].lowWater), e
}

// Parking and setting aside used to write the lane's row twice, the one that
// everybody who renews a lease waits for.
func TestARecordingWritesTheLaneOnce(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]func(position int64) settlement{
		"parked": func(p int64) settlement {
			return settlement{parked: []parkedRow{{rowName: rowName{position: p}, isCulprit: true}}}
		},
		"set aside": func(p int64) settlement { return settlement{aside: []asideRow{{p, shelf{topic: "t"}}}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.append(event("a", ""))
			s, lane, e := b.owned()
			if _, err := b.pool.Exec(t.Context(), `
				CREATE TABLE factline.test_write (n int);
				CREATE FUNCTION factline.test_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO factline.test_write VALUES (1); RETURN NULL; END $$;
				CREATE TRIGGER test_note AFTER UPDATE ON factline.outbox_lane FOR EACH ROW EXECUTE FUNCTION factline.test_note()`); err != nil {
				t.Fatal(err)
			}
			recorded := done(e.Position)
			recorded.lane, recorded.lowWater = lane, e.Position
			other := recorded
			other.lane = newLane(lane.id, lane.epoch+1, 0)
			if res := s.settle(t.Context(), []settlement{other}); res.err != nil || !res.lost[0] {
				t.Fatalf("another epoch: %+v", res)
			}
			var writes, rows int
			var mark int64
			count := func() {
				t.Helper()
				if err := b.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM factline.test_write), (SELECT count(*) FROM factline.outbox_parked),
					(SELECT low_water FROM factline.outbox_lane WHERE lane = $1)`, lane.id).Scan(&writes, &rows, &mark); err != nil {
					t.Fatal(err)
				}
			}
			if count(); writes != 0 || rows != 0 {
				t.Fatalf("another epoch wrote %d times and %d rows", writes, rows)
			}
			if res := s.settle(t.Context(), []settlement{recorded}); res.err != nil || res.lost[0] {
				t.Fatalf("%+v", res)
			}
			if count(); writes != 1 || rows != 1 || mark != e.Position {
				t.Errorf("the lane was written %d times, has the mark %d and %d rows; want once, %d and 1", writes, mark, rows, e.Position)
			}
		})
	}
}

// Setting aside used to group everything that is parked in the lane.
func TestALaneWithoutFencesIsSetAsideWithoutALookAtParkedEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(event("a", ""))
	s, lane, e := b.owned()
	for _, hasFences := range []bool{false, true} {
		args := s.asideArgs(settlement{lane: lane, hasFences: hasFences, aside: []asideRow{{e.Position, shelf{topic: "t"}}}})
		rows, err := b.pool.Query(t.Context(), "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) "+statement("set_aside"), args)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		if reads := regexp.MustCompile(`Scan.* on outbox_parked .*actual`).MatchString(plan); reads != hasFences {
			t.Errorf("with fences %v parked events are read: %v\n%s", hasFences, reads, plan)
		}
	}
	l := &loop{relay: &Relay{cfg: RelayConfig{}.WithDefaults(), store: s, partitions: &partitions{}}, settles: make(chan settleResult, 1)}
	lane.hasFences = true
	l.finished = []settlement{{lane: lane}}
	if l.record(t.Context()); !(<-l.settles).batch[0].hasFences {
		t.Error("the recording of a lane with parked events does not look at them")
	}
}
