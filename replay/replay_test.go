package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/effect"
	"factline.dev/factlinetest"
)

func TestEveryStatementPrepares(t *testing.T) {
	t.Parallel()
	s := setup(t)
	files, err := statements.ReadDir("sql")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	side := &side{table: pgx.Identifier{"read", "thing"}, columns: []column{{Name: "id", IsKey: true}, {Name: "note"}}}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".sql")
		if _, err := conn.Conn().Prepare(t.Context(), name, side.fill(statement(name))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARebuiltTableEqualsTheLiveOneHoweverTheWorkIsCut(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.history()
	s.startLive()
	s.awaitLive()
	cases := []struct {
		name           string
		workers, chunk int
	}{
		{"one record a transaction, one after the other", 1, 1},
		{"one record a transaction, eight at once", 8, 1},
		{"large transactions, one after the other", 1, 1000},
		{"large transactions, eight at once", 8, 1000},
	}
	checksums := map[string]bool{}
	for _, c := range cases {
		cfg := s.config()
		cfg.Workers, cfg.MaxChunkRecords = c.workers, c.chunk
		report := s.mustRun(cfg)
		if !report.Equal || report.Rebuilt.Rows != 40 || report.DifferingKeys != 0 {
			t.Errorf("%s: comparison %+v", c.name, report.Comparison)
		}
		if report.Records != s.sent || report.Duplicates != 20 || report.Applied+report.Advanced != 200 {
			t.Errorf("%s: %d records, %d duplicates, %d applied, %d advanced of %d sent",
				c.name, report.Records, report.Duplicates, report.Applied, report.Advanced, s.sent)
		}
		checksums[report.Rebuilt.Checksum] = true
	}
	if len(checksums) != 1 {
		t.Errorf("checksums %v", checksums)
	}
}

func TestAReplayIsComparedAtOneInstantWhileTrafficGoesOn(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.history()
	s.startLive()
	s.awaitLive()
	cfg := s.config()
	cfg.CatchUpRecords = 5
	done := make(chan error, 1)
	var report Report
	go func() {
		var err error
		report, err = Run(t.Context(), cfg)
		done <- err
	}()
	for i := 0; len(done) == 0; i++ {
		s.send(s.event(fmt.Sprintf("d%03d", i), i, ""), s.event("a00", 1, ""))
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !report.Equal {
		t.Errorf("differs under traffic: %+v", report.Differences)
	}
	if report.Rebuilt.Rows < 40 || report.Records < 220 {
		t.Errorf("compared %d rows after %d records", report.Rebuilt.Rows, report.Records)
	}
}

func TestAReplayLeavesTheLiveGroupAsItWasAndNothingBehind(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.history()
	stop := s.startLive()
	s.awaitLive()
	stop()
	before := s.libraryRows()
	offsets := s.committed()
	cfg := s.config()
	cfg.Keep, cfg.Run = true, "kept"
	report := s.mustRun(cfg)
	if got := s.libraryRows(); got != before {
		t.Errorf("the library's tables changed from %s to %s", before, got)
	}
	if got := s.committed(); got != offsets {
		t.Errorf("committed offsets changed from %s to %s", offsets, got)
	}
	if !report.Kept || s.count(`SELECT count(*) FROM read.thing_rkept`) != 40 {
		t.Errorf("the kept table is not there: %+v", report.Rebuilt)
	}
	cfg.Keep, cfg.Run = false, "gone"
	s.mustRun(cfg)
	if n := s.count(`SELECT count(*) FROM pg_tables WHERE schemaname = 'read'`); n != 2 {
		t.Errorf("%d tables, want the live and the kept one", n)
	}
}

func (s *stage) libraryRows() string {
	s.t.Helper()
	var text string
	const q = `SELECT (SELECT count(*) FROM factline.inbox) || ' ' || (SELECT count(*) FROM factline.gate) || ' ' ||
		(SELECT count(*) FROM factline.held_event) || ' ' || (SELECT count(*) FROM factline.blocked_key) || ' ' ||
		(SELECT sum(next_offset) FROM factline.consumer_offset)`
	if err := s.pool.QueryRow(s.t.Context(), q).Scan(&text); err != nil {
		s.t.Fatal(err)
	}
	return text
}

func (s *stage) committed() string {
	s.t.Helper()
	admin := kadm.NewClient(s.kafka.Client(s.t))
	groups, err := admin.ListGroups(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	offsets, err := admin.FetchOffsets(s.t.Context(), testGroup)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	for partition, o := range offsets[s.topic] {
		lines = append(lines, fmt.Sprintf("%d:%d", partition, o.At))
	}
	slices.Sort(lines)
	return fmt.Sprint(groups.Groups(), lines)
}

func TestDifferencesAreNamedByKeyAndColumnWithoutTheirContent(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.history()
	s.startLive()
	s.awaitLive()
	s.exec(`UPDATE read.thing SET total = total + 1, changed_at = changed_at + interval '1 ms' WHERE id = 'a00'`)
	s.exec(`UPDATE read.thing SET note = '' WHERE id = 'b01' AND note IS NULL`)
	s.exec(`DELETE FROM read.thing WHERE id = 'c02'`)
	s.exec(`INSERT INTO read.thing SELECT 'tenant-z', 'SECRET', 1, 'SECRET', 1, 'x', now()`)
	report := s.mustRun(s.config())
	want := []Difference{
		{Key: "(tenant-a,a00)", Kind: Changed, Columns: []string{"changed_at", "total"}},
		{Key: "(tenant-b,b01)", Kind: Changed, Columns: []string{"note"}},
		{Key: "(tenant-c,c02)", Kind: Extra},
		{Key: "(tenant-z,SECRET)", Kind: Missing},
	}
	got := slices.SortedFunc(slices.Values(report.Differences), func(a, b Difference) int { return strings.Compare(a.Key, b.Key) })
	if fmt.Sprint(got) != fmt.Sprint(want) || report.Equal || report.DifferingKeys != 4 {
		t.Errorf("differences %v of %d, want %v", got, report.DifferingKeys, want)
	}
	if report.Live.Checksum == report.Rebuilt.Checksum {
		t.Error("the checksums agree")
	}
}

func TestAColumnThatOnlyOneTableHasIsADifference(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.history()
	s.startLive()
	s.awaitLive()
	s.exec(`ALTER TABLE read.thing ADD COLUMN later text`)
	report := s.mustRun(s.config())
	if report.Equal || fmt.Sprint(report.Columns) != "[live later text]" {
		t.Errorf("equal %v, columns %v", report.Equal, report.Columns)
	}
}

func TestWhatTheLiveGroupGaveUpIsGivenUpAgain(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.history()
	s.send(s.event("a00", 1, "FAIL"), s.event("a00", 2, "behind"), s.event("b01", 1, "FORBIDDEN"), s.event("b01", 2, "behind"))
	s.startLive()
	s.awaitLive()
	if n := s.count(`SELECT count(*) FROM factline.dead_letter WHERE state = 'OPEN'`); n != 2 {
		t.Fatalf("%d dead letters", n)
	}
	report := s.mustRun(s.config())
	if !report.Equal || report.GivenUp != 2 || report.Held < 2 {
		t.Errorf("equal %v, %d given up, %d held: %+v", report.Equal, report.GivenUp, report.Held, report.Differences)
	}
}

func TestAnUnreadableRecordChangesNothing(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.history()
	client := s.kafka.Client(t)
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: s.topic, Value: []byte("not json")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s.sent++
	s.startLive()
	s.awaitLive()
	if report := s.mustRun(s.config()); !report.Equal || report.GivenUp != 1 {
		t.Errorf("equal %v, %d given up", report.Equal, report.GivenUp)
	}
}

func TestAReplayIsRefusedByTheNameOfTheCondition(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		want Condition
		// prepare runs once the live group has read the history.
		prepare func(s *stage, cfg *Config)
		// alone is set where the case changes what others look at.
		alone bool
	}{
		{"the projection is not declared safe", NotReplaySafe, func(_ *stage, cfg *Config) { cfg.Projection.ReplaySafe = false }, false},
		{"the group has side effects", NotReplaySafe, func(s *stage, cfg *Config) {
			k := s.contracts
			k.sideEffects = true
			cfg.Contracts = k
		}, false},
		{"an event is not safe to read again", NotReplaySafe, func(s *stage, cfg *Config) {
			k := s.contracts
			k.unsafeEvent = true
			cfg.Contracts = k
		}, false},
		{"the log has lost its beginning", HistoryCut, func(s *stage, _ *Config) { s.cut() }, true},
		{"a version on the log is not in the catalogue", VersionUnreadable, func(s *stage, cfg *Config) {
			// The live group of an earlier release applied it.
			cfg.Contracts = withoutVersion{s.contracts}
		}, false},
		{"an applied event breaks its contract today", VersionUnreadable, func(s *stage, cfg *Config) { cfg.Contracts = stricter{s.contracts} }, true},
		{"a current-state topic", ModeUnsupported, func(_ *stage, cfg *Config) { cfg.Projection.Sources[0].Mode = consumer.Latest }, false},
		{"a topic that the broker does not have", TopicUnknown, func(_ *stage, cfg *Config) {
			cfg.Projection.Sources = append(cfg.Projection.Sources, Source{Topic: "nowhere.v1", Types: []string{"ThingChanged"}})
		}, false},
		{"a group that has read nothing", GroupUnknown, func(s *stage, _ *Config) { s.exec(`DELETE FROM factline.consumer_offset`) }, true},
		{"a group that the catalogue does not know", GroupUnknown, func(_ *stage, cfg *Config) { cfg.Projection.Group = "read-service.other.consumer" }, false},
		{"a table without a primary key", TableUnusable, func(s *stage, _ *Config) { s.exec(`ALTER TABLE read.thing DROP CONSTRAINT thing_pkey`) }, true},
		{"a table that is not there", TableUnusable, func(_ *stage, cfg *Config) { cfg.Projection.Live = pgx.Identifier{"read", "nothing"} }, false},
	}
	quiet := func(t *testing.T) *stage {
		t.Helper()
		s := setup(t)
		s.history()
		stop := s.startLive()
		s.awaitLive()
		stop()
		return s
	}
	shared := quiet(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := shared
			if c.alone {
				s = quiet(t)
			}
			cfg := s.config()
			c.prepare(s, &cfg)
			_, err := Run(t.Context(), cfg)
			var refused *RefusedError
			if !errors.As(err, &refused) || !slices.ContainsFunc(refused.Refusals, func(r Refusal) bool { return r.Condition == c.want }) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if n := s.count(`SELECT count(*) FROM pg_tables WHERE schemaname = 'read'`); n != 1 {
				t.Errorf("%d tables after a refusal", n)
			}
		})
	}
}

type withoutVersion struct{ testContracts }

func (c withoutVersion) Event(eventType string, version int) (e *contract.Event, ok bool) {
	e, _ = c.testContracts.Event(eventType, version)
	return e, false
}

type stricter struct{ testContracts }

func (c stricter) Validate(_ string, _ int, value []byte) error {
	if strings.Contains(string(value), `"note":"x"`) {
		return errors.New("payload.note is too short")
	}
	return nil
}

// cut removes the first records of a partition that has some.
func (s *stage) cut() {
	s.t.Helper()
	admin := kadm.NewClient(s.kafka.Client(s.t))
	ends, err := admin.ListEndOffsets(s.t.Context(), s.topic)
	if err != nil {
		s.t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset < 2 {
			return
		}
		offsets := make(kadm.Offsets)
		offsets.Add(kadm.Offset{Topic: o.Topic, Partition: o.Partition, At: 1})
		if _, err := admin.DeleteRecords(s.t.Context(), offsets); err != nil {
			s.t.Fatal(err)
		}
	})
}

func TestADecisionReversedMeanwhileEndsTheReplay(t *testing.T) {
	t.Parallel()
	r := &rebuild{}
	open := point{decisions: map[string]decision{"e1": {EventID: "e1", State: "OPEN"}}}
	skipped := point{decisions: map[string]decision{"e1": {EventID: "e1", State: "SKIPPED"}, "e2": {EventID: "e2", State: "SKIPPED"}}}
	if err := r.adopt(open); err != nil {
		t.Fatal(err)
	}
	if err := r.adopt(skipped); !errors.Is(err, ErrDecisionChanged) {
		t.Errorf("got %v", err)
	}
	fresh := &rebuild{}
	if err := errors.Join(fresh.adopt(point{}), fresh.adopt(skipped)); err != nil {
		t.Errorf("a decision about events not read yet: %v", err)
	}
}

func TestEventsReleasedButNotAppliedByTheLiveGroupForbidAComparison(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.history()
	s.send(s.event("a00", 1, "FORBIDDEN"), s.event("a00", 2, "behind"))
	stop := s.startLive()
	s.awaitLive()
	stop()
	// What an operator's skip leaves for the group to do.
	s.exec(`UPDATE factline.dead_letter SET state = 'SKIPPED', closed_at = now()`)
	s.exec(`UPDATE factline.gate SET version = version + 1 WHERE aggregate_id = 'a00'`)
	s.exec(`DELETE FROM factline.blocked_key`)
	cfg := s.config()
	cfg.StallTimeout = time.Second
	if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrLiveRestless) {
		t.Fatalf("got %v", err)
	}
	s.startLive()
	factlinetest.Eventually(t, 20*time.Second, "the held event to be applied", func() (bool, error) {
		return s.count(`SELECT count(*) FROM factline.held_event`) == 0, nil
	})
	if report := s.mustRun(s.config()); !report.Equal || report.Advanced == 0 {
		t.Errorf("after a skip: %+v", report.Comparison)
	}
}

func TestAFailingHandlerLeavesNoTableBehind(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.history()
	s.startLive()
	s.awaitLive()
	cfg := s.config()
	cfg.Keep = true
	cfg.Projection.Apply = func(context.Context, pgx.Tx, pgx.Identifier, []consumer.Message) error {
		return errors.New("new code, new bug")
	}
	if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "new code, new bug") {
		t.Fatalf("got %v", err)
	}
	if n := s.count(`SELECT count(*) FROM pg_tables WHERE schemaname = 'read'`); n != 1 {
		t.Errorf("%d tables", n)
	}
	if n := s.count(`SELECT count(*) FROM factline.consumer_offset WHERE consumer <> $1`, testGroup); n != 0 {
		t.Errorf("%d rows of the scope are left", n)
	}
}

func TestAHandlerThatWritesElsewhereIsStoppedBeforeItDoesHarm(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, table, sql string }{
		{"to the live table", "read.thing", `UPDATE read.thing SET total = total + 1`},
		{"to an outbox", "factline.outbox_stream", `INSERT INTO factline.outbox_stream VALUES ('t', 'Thing', 'x', 1) ON CONFLICT DO NOTHING`},
	}
	s := setup(t)
	s.history()
	s.startLive()
	s.awaitLive()
	before := s.libraryRows()
	for _, c := range cases {
		cfg := s.config()
		cfg.Projection.Apply = func(ctx context.Context, tx pgx.Tx, table pgx.Identifier, ms []consumer.Message) error {
			if _, err := tx.Exec(ctx, c.sql); err != nil {
				return err
			}
			return applyThings(ctx, tx, table, ms)
		}
		_, err := Run(t.Context(), cfg)
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Refusals[0].Condition != EffectsOpen || !strings.Contains(err.Error(), c.table) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	if report := s.mustRun(s.config()); !report.Equal {
		t.Errorf("the live table was changed: %+v", report.Differences)
	}
	if after := s.libraryRows(); after != before {
		t.Errorf("the library's tables changed from %s to %s", before, after)
	}
}

func TestProgressReachesItsTotal(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.history()
	s.startLive()
	s.awaitLive()
	cfg := s.config()
	last := map[string]Progress{}
	cfg.OnProgress = func(p Progress) { last[p.Step] = p }
	s.mustRun(cfg)
	for _, step := range []string{"plan", "replay"} {
		if p := last[step]; p.Records != s.sent || p.Total != s.sent {
			t.Errorf("%s: %+v of %d", step, p, s.sent)
		}
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	t.Parallel()
	_, err := Run(t.Context(), Config{Run: "Not/Good", Workers: 100, MaxChunkRecords: -1, StallTimeout: 1, CatchUpRecords: -1})
	for _, field := range []string{
		"Pool", "Brokers", "Contracts", "Run", "Workers", "MaxChunkRecords", "StallTimeout", "CatchUpRecords",
		"Projection.Name", "Projection.Group", "Projection.Sources", "Projection.Live", "Projection.Create", "Projection.Apply",
	} {
		if err == nil || !strings.Contains(err.Error(), "replay.Config."+field+":") {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

func TestAReportIsPlainJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(Report{Comparison: Comparison{Equal: true}, Records: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"equal":true`, `"records":3`, `"live":`, `"plan":`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

// A call that the live group stored with its effect must not be made again
// because a table is rebuilt.
func TestAReplayMakesNoCallToAnotherSystem(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.history()
	s.startLive()
	s.awaitLive()
	caller, err := effect.NewCaller("thing-service.notice")
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.config()
	cfg.Projection.Apply = func(ctx context.Context, tx pgx.Tx, table pgx.Identifier, ms []consumer.Message) error {
		for _, m := range ms {
			if _, err := caller.Do(ctx, tx, effect.Call{Key: m.EventID, Request: m.Payload}); err != nil {
				return err
			}
		}
		return applyThings(ctx, tx, table, ms)
	}
	report := s.mustRun(cfg)
	if report.ClosedCalls != report.Applied || report.Applied == 0 {
		t.Errorf("%d calls closed for %d events applied, want one each", report.ClosedCalls, report.Applied)
	}
	if n := s.count(`SELECT count(*) FROM factline.effect_call`); n != 0 {
		t.Errorf("%d calls are stored by a replay, want none", n)
	}
}
