package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"factline.dev/consumer"
	"factline.dev/deadletter"
	"factline.dev/envelope"
	"factline.dev/outbox"
	"factline.dev/runbook"
)

func TestHelpOfEveryCommand(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.SetOut(&b)
		b.WriteString("$ " + cmd.CommandPath() + " --help\n")
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n")
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	root := newRoot(&app{out: &b})
	root.InitDefaultHelpFlag()
	walk(root)
	golden(t, "help.golden", b.String())
}

// at is the time of every golden table.
var at = time.Date(2026, 7, 2, 8, 15, 30, 481e6, time.UTC)

func TestTables(t *testing.T) {
	t.Parallel()
	hostile := "\x1b[2Jboom\u202e"
	dead := letter{Service: "order-service", GroupState: deadletter.Open, HeldEvents: 2, Letter: deadletter.Letter{
		ID: "dl_1", TenantID: "tenant_001", AggregateType: "Order", AggregateID: "ord_1", AggregateVersion: 3, Fingerprint: "5d41402abc4b2a76",
		Failures: 2, FirstFailedAt: at.Add(-time.Hour), State: deadletter.Open, StateAt: at,
		Record: consumer.DeadLetter{
			FailedAt: at, SourceTopic: "oms.order.events.v1", SourcePartition: 4, SourceOffset: 17, ConsumerGroup: "order-service.order-events.consumer",
			EventID: "01J", EventType: "OrderCaptured", ErrorClass: consumer.HandlerFailed, ErrorMessage: hostile, AttemptCount: 5,
			OriginalKey: []byte("ord_1"), OriginalHeaders: []envelope.Header{{Key: "eventId\x1b", Value: []byte(hostile)}}, OriginalValue: []byte(`{"a":1}`),
		},
		History: []deadletter.Event{
			{Kind: "FAILED", At: at.Add(-time.Hour), Detail: json.RawMessage(`{"class":"HANDLER_FAILED","attempts":5}`)},
			{Kind: "REDRIVEN", At: at.Add(-time.Minute), RedriveID: "rdr_1", Detail: json.RawMessage(`{}`)},
			{Kind: "FAILED", At: at, Detail: json.RawMessage(`{"class":"HANDLER_FAILED","attempts":1}`)},
		},
	}}
	letters := deadletter.Page{Letters: []deadletter.Letter{dead.Letter}, Next: "2026-07-02T08:15:30.481Z/dl_1"}
	groups := []deadletter.Group{{
		Topic: "oms.order.events.v1", ConsumerGroup: "order-service.order-events.consumer", Fingerprint: "5d41402abc4b2a76", ErrorClass: "HANDLER_FAILED",
		Letters: 1200, Keys: 800, FirstFailedAt: at.Add(-time.Hour), LastFailedAt: at, Sample: "dl_1", SampleMessage: hostile + strings.Repeat("x", 200),
	}}
	plan := deadletter.Plan{
		ID: "rdr_1", Hash: "9f86d081", Operator: "kim", Reason: "fixed " + hostile, Letters: 10, Ready: 8, Keys: 5,
		Groups:   []deadletter.PlanGroup{{Topic: "oms.order.events.v1", ConsumerGroup: "order-service.order-events.consumer", Fingerprint: "5d41402abc4b2a76", Letters: 10, Ready: 8}},
		Refusals: []deadletter.Refusal{{Code: deadletter.RefusedHorizon, Letters: 2, Sample: "dl_7", Detail: "it failed 40 days ago, and effects are deduplicated for 30 days"}},
		Samples:  []deadletter.Sample{{LetterID: "dl_1", EventType: "OrderCaptured", Payload: json.RawMessage(`{"customerId":"***"}`)}},
	}
	status := statusReport{
		Receipt: deadletter.Receipt{
			RedriveID: "rdr_1", State: deadletter.Stopped, Operator: "kim", Reason: "fixed", PlannedAt: at, StartedAt: at, EndedAt: at,
			ContentHash: "9f86d081", OutcomeHash: "60303ae2", Counts: deadletter.Counts{Planned: 8, Applied: 3, Failed: 2, NotSent: 3, Refused: 2}, Why: "2 letters failed again",
		},
		Outcomes: []deadletter.Outcome{{LetterID: "dl_1", State: "FAILED", SentAt: &at, SettledAt: &at}, {LetterID: "dl_7", State: "REFUSED", Code: "HORIZON", Detail: hostile}},
	}
	outboxes := []outboxRow{
		{Service: "quote-service", Pending: 12, Parked: 1, OldestSeconds: 400, StatusReport: outbox.StatusReport{
			Lanes:   []outbox.LaneStatus{{Lane: 0, Owner: "host-1/01J", Epoch: 2, LeaseSeconds: 1.5, LowWater: 90, Pending: 12, OldestSeconds: 400, Parked: 1}, {Lane: 1}},
			Blocker: &outbox.Blocker{PID: 77, Database: "factline_quote", Application: "psql", AgeSeconds: 390}, DefaultRows: 7,
		}},
		{Service: "order-service", Pending: 1012, StatusReport: outbox.StatusReport{Lanes: []outbox.LaneStatus{{Lane: 0, Owner: "host-1/01K", LeaseSeconds: 2, Pending: 1012, SetAside: outbox.MaxCountedPending}}}},
	}
	lag := []runbook.PartitionLag{
		{Group: "order-service.quote-events.consumer", Topic: "cpq.quote.events.v1", Partition: 5, EndOffset: 1200, NextOffset: 1100, Committed: 1090, LagRecords: 100, HeldEvents: 3, BlockedKeys: 1},
		{Group: "projection-service.order-read-model.consumer", Topic: "oms.order.events.v1", Committed: -1},
	}
	report := runbook.Report{ID: "q_1", Root: "q_1", Links: []runbook.Link{
		{Name: "quote", State: runbook.OK, At: at, Detail: "q_1 is ACCEPTED at version 5"},
		{Name: "outbox of quote-service", State: runbook.Broken, At: at, Detail: hostile, Recovery: "start the publisher", Command: "serve quote-service"},
	}}
	for _, tt := range []struct {
		name  string
		write func(b *strings.Builder) error
	}{
		{"outbox_status", func(b *strings.Builder) error { return writeOutboxes(b, outboxes) }},
		{"outbox_lanes", func(b *strings.Builder) error { return writeLanes(b, outboxes[0]) }},
		{"outbox_aside", func(b *strings.Builder) error { return writeLanes(b, outboxes[1]) }},
		{"outbox_tenants", func(b *strings.Builder) error {
			return writeTenants(b, []tenantRow{
				{"order-service", outbox.TenantBacklog{TenantID: hostile, Pending: 16_000, OldestSeconds: 400, IsCut: true}},
				{"order-service", outbox.TenantBacklog{Pending: 3, OldestSeconds: 2, IsCut: true}},
			})
		}},
		{"outbox_tenants_none", func(b *strings.Builder) error { return writeTenants(b, nil) }},
		{"outbox_none", func(b *strings.Builder) error { return writeOutboxes(b, nil) }},
		{"consumers_lag", func(b *strings.Builder) error { return writeLag(b, lag) }},
		{"deadletters_list", func(b *strings.Builder) error { return writeLetters(b, letters) }},
		{"deadletters_groups", func(b *strings.Builder) error { return writeGroups(b, groups) }},
		{"deadletters_show", func(b *strings.Builder) error { return writeLetter(b, dead) }},
		{"deadletters_plan", func(b *strings.Builder) error { return writePlan(b, plan) }},
		{"deadletters_status", func(b *strings.Builder) error { return writeStatus(b, status) }},
		{"trace", func(b *strings.Builder) error { return writeTrace(b, report) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := tt.write(&b); err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(b.String(), "\x1b\u202e") {
				t.Error("it prints what a stranger wrote, unescaped")
			}
			golden(t, tt.name+".golden", b.String())
		})
	}
}

func TestALetterOfEightMiBFillsNoScreen(t *testing.T) {
	t.Parallel()
	var l letter
	l.Record.OriginalValue = []byte(strings.Repeat("\x00\xff", 4<<20))
	l.Record.ErrorMessage = strings.Repeat("\u202e", 1<<20)
	var b strings.Builder
	if err := writeLetter(&b, l); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 256<<10 || !strings.Contains(b.String(), "(8.0 MiB in all, see --json)") || strings.ContainsAny(b.String(), "\x00\u202e") {
		t.Errorf("it prints %d bytes", b.Len())
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want int
		next string
	}{
		{"an empty outbox is fine", outboxVerdict([]outboxRow{{Service: "a"}}), exitOK, ""},
		{"a young backlog is fine", outboxVerdict([]outboxRow{{Service: "a", Pending: 9, OldestSeconds: 299}}), exitOK, ""},
		{"an old backlog is news", outboxVerdict([]outboxRow{{Service: "a", Pending: 9, OldestSeconds: 301}}), exitFound, "outbox status --service a"},
		{"a parked event is news", outboxVerdict([]outboxRow{{Service: "a"}, {Service: "b", Parked: 1}}), exitFound, "outbox parked --service b"},
		{"an event without a partition is news", outboxVerdict([]outboxRow{{Service: "a", StatusReport: outbox.StatusReport{DefaultRows: 1}}}), exitFound, "serve a"},
		{"a whole chain is fine", traceVerdict(runbook.Report{Links: []runbook.Link{{State: runbook.OK}}}), exitOK, ""},
		{"an event under way is fine", traceVerdict(runbook.Report{Links: []runbook.Link{{State: runbook.Waiting}}}), exitOK, ""},
		{"a redrive that applied all is fine", redriveVerdict(deadletter.Receipt{State: deadletter.Done, Counts: deadletter.Counts{Planned: 2, Applied: 2}}), exitOK, ""},
		{"a failure in a redrive is news", redriveVerdict(deadletter.Receipt{RedriveID: "r", State: deadletter.Done, Counts: deadletter.Counts{Planned: 2, Applied: 1}}), exitFound, "deadletters redrive status r"},
		{"a stopped redrive is news", redriveVerdict(deadletter.Receipt{RedriveID: "r", State: deadletter.Stopped}), exitFound, "deadletters redrive status r"},
		{"a paused redrive can go on", redriveVerdict(deadletter.Receipt{RedriveID: "r", State: deadletter.Paused}), exitFound, "deadletters redrive resume r"},
		{"an abandoned redrive is fine", abandonVerdict(deadletter.Receipt{RedriveID: "r", State: deadletter.Abandoned, Counts: deadletter.Counts{Planned: 2, Abandoned: 2}}), exitOK, ""},
		{"abandoning what has ended is news", abandonVerdict(deadletter.Receipt{RedriveID: "r", State: deadletter.Done}), exitFound, "deadletters redrive status r"},
		{"a changed plan is made anew", redriveFailed("r", &deadletter.PlanChangedError{ID: "r"}), exitFailed, "deadletters redrive --team TEAM --reason TEXT"},
		{"a redrive under way is looked at", redriveFailed("r", &deadletter.RunningError{ID: "r"}), exitFailed, "deadletters redrive status r"},
		{"a broken connection is no end", redriveFailed("r", errors.New("boom")), exitFailed, "deadletters redrive resume r"},
		{"a broken link is news", traceVerdict(runbook.Report{Links: []runbook.Link{{State: runbook.Broken, Command: "serve x"}}}), exitFound, "serve x"},
		{"what follows a waiting link is not broken itself", traceVerdict(runbook.Report{Links: []runbook.Link{{State: runbook.Waiting}, {State: runbook.Broken}}}), exitOK, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, next := exitOK, ""
			if f, ok := errors.AsType[*failure](tt.err); ok {
				code, next = f.code, f.next
			}
			if code != tt.want || next != tt.next {
				t.Errorf("got %d %q, want %d %q", code, next, tt.want, tt.next)
			}
		})
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	now := at
	p := newProgress(&b, false)
	p.now = func() time.Time { return now }
	for _, done := range []int64{0, 1 << 20, 2 << 20, 9 << 20, 10 << 20} {
		p.update("PostgreSQL 18", done, 10<<20)
		now = now.Add(2 * time.Second)
	}
	want := `downloading PostgreSQL 18: 0 B of 10.0 MiB (0 %)
downloading PostgreSQL 18: 2.0 MiB of 10.0 MiB (20 %), about 16.0s left
downloading PostgreSQL 18: 10.0 MiB of 10.0 MiB (100 %)
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestTypedAgain(t *testing.T) {
	t.Parallel()
	a := newTestApp("up", "--folder", "/tmp/a b", "--postgres", "postgres://u:hunter22@h/x", "it's")
	if want, got := `up --folder '/tmp/a b' --postgres postgres://u:***@h/x 'it'\''s'`, a.typed(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
