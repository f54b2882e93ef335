package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/contract"
	"factline.dev/deadletter"
	"factline.dev/platform/contracts"
)

// fast is a redrive without a pause.
var fast = deadletter.Settings{Rate: -1}

func (b *bench) apply(id string, settings deadletter.Settings) deadletter.Receipt {
	b.t.Helper()
	receipt, err := b.store.ApplyRedrive(b.t.Context(), deadletter.Apply{ID: id, Operator: "kim", Settings: settings})
	if err != nil {
		b.t.Fatal(err)
	}
	return receipt
}

func TestARedriveAppliesEachKeyInVersionOrderAndLeavesAReceipt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(never)
	b.give(b.dead("a", 3), b.dead("b", 1), b.dead("a", 1), b.dead("a", 2), b.dead("b", 2))
	plan := b.plan(deadletter.Selection{Topic: topic})
	if plan.Letters != 5 || plan.Ready != 5 || plan.Keys != 2 || len(plan.Groups) != 1 || len(plan.Samples) != 5 || b.forwarded() != 0 {
		t.Fatalf("plan = %+v, %d sent", plan, b.forwarded())
	}
	receipt := b.apply(plan.ID, fast)
	if receipt.State != deadletter.Done || receipt.Applied != 5 || receipt.Planned != 5 || receipt.Operator != "kim" || receipt.ContentHash != plan.Hash || receipt.OutcomeHash == "" {
		t.Fatalf("receipt = %+v", receipt)
	}
	applied := b.applied()
	for _, key := range []string{"a", "b"} {
		of := slices.DeleteFunc(slices.Clone(applied), func(id string) bool { return !strings.HasPrefix(id, "dlt_"+key) })
		if !slices.IsSorted(of) {
			t.Errorf("key %s was applied as %v", key, of)
		}
	}
	l, err := b.store.Get(t.Context(), "dlt_a1")
	if err != nil || l.State != deadletter.Applied || len(l.History) != 3 || l.History[1].Kind != "REDRIVEN" || l.History[2].Kind != "APPLIED" || l.History[2].RedriveID != plan.ID {
		t.Errorf("letter = %+v, %v", l, err)
	}
	var actions []string
	if err := b.ops.QueryRow(t.Context(), `SELECT array_agg(action || ' ' || operator || ' ' || target ORDER BY acted_at, action DESC) FROM factline.operator_action`).Scan(&actions); err != nil {
		t.Fatal(err)
	}
	if want := []string{"deadletter.redrive.start kim " + plan.ID, "deadletter.redrive.finish kim " + plan.ID}; !slices.Equal(actions, want) {
		t.Errorf("audited %v, want %v", actions, want)
	}
}

func TestWhatIsDoneIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(never)
	b.give(b.dead("a", 1), b.dead("b", 1))
	plan := b.plan(deadletter.Selection{})
	first := b.apply(plan.ID, fast)
	if second := b.apply(plan.ID, fast); second.OutcomeHash != first.OutcomeHash || second.Applied != 2 || b.forwarded() != 2 {
		t.Errorf("the second call = %+v, %d sent; want the first receipt and 2", second, b.forwarded())
	}
	if _, err := b.store.ApplyRedrive(t.Context(), deadletter.Apply{ID: "rdr_none", Operator: "kim"}); !errors.Is(err, deadletter.ErrNoRedrive) {
		t.Errorf("an unknown redrive = %v, want ErrNoRedrive", err)
	}
}

func TestTheSecondOfTwoRunsIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(never)
	b.give(b.dead("a", 1), b.dead("b", 1), b.dead("c", 1))
	plan := b.plan(deadletter.Selection{})
	var second atomic.Value
	_, err := b.store.ApplyRedrive(t.Context(), deadletter.Apply{ID: plan.ID, Operator: "kim", Settings: fast, OnProgress: func(deadletter.Progress) {
		_, err := b.newStore(b.contracts).ApplyRedrive(t.Context(), deadletter.Apply{ID: plan.ID, Operator: "lee"})
		second.Store(err)
	}})
	var running *deadletter.RunningError
	if err != nil || !errors.As(second.Load().(error), &running) {
		t.Errorf("runs ended with %v and %v, want the second refused", err, second.Load())
	}
	if len(b.applied()) != 3 || b.forwarded() != 3 {
		t.Errorf("%d applied and %d sent, want 3 each", len(b.applied()), b.forwarded())
	}
}

func TestTwoPlansOfOneLetterSendItOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(never)
	b.give(b.dead("a", 1))
	first, second := b.plan(deadletter.Selection{}), b.plan(deadletter.Selection{})
	b.apply(first.ID, fast)
	var changed *deadletter.PlanChangedError
	if _, err := b.store.ApplyRedrive(t.Context(), deadletter.Apply{ID: second.ID, Operator: "kim"}); !errors.As(err, &changed) || changed.Letter != "dlt_a1" {
		t.Errorf("the second plan = %v, want a PlanChangedError", err)
	}
	if b.forwarded() != 1 {
		t.Errorf("%d sent, want 1", b.forwarded())
	}
}

func TestAPlanHoldsOnlyForWhatWasPreviewed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.dead("a", 1)
	b.give(d)
	plan := b.plan(deadletter.Selection{})
	d.failedAt = d.failedAt.Add(time.Minute)
	b.collect(b.letter(d))
	var changed *deadletter.PlanChangedError
	if _, err := b.store.ApplyRedrive(t.Context(), deadletter.Apply{ID: plan.ID, Operator: "kim"}); !errors.As(err, &changed) {
		t.Errorf("after another failure apply = %v, want a PlanChangedError", err)
	}
	if b.forwarded() != 0 {
		t.Error("a letter was sent that nobody previewed")
	}
}

func TestAFailingCanaryStopsBeforeTheRest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(func(string) bool { return true })
	for i := range 30 {
		b.give(b.dead(fmt.Sprintf("k%02d", i), 1))
	}
	plan := b.plan(deadletter.Selection{})
	receipt := b.apply(plan.ID, deadletter.Settings{Rate: -1, Canary: 2})
	if receipt.State != deadletter.Stopped || receipt.Failed != 2 || receipt.NotSent != 28 || receipt.Why != "a canary failed" || b.forwarded() != 2 {
		t.Errorf("receipt = %+v, %d sent; want the two canaries alone", receipt, b.forwarded())
	}
	if page, err := b.store.List(t.Context(), deadletter.Selection{State: deadletter.Open}); err != nil || len(page.Letters) != 30 {
		t.Errorf("%d open, %v, want all 30 again", len(page.Letters), err)
	}
}

func TestARefusedLetterIsNoCanary(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(func(string) bool { return true })
	old := b.dead("a", 1)
	old.failedAt = b.now.Add(-40 * 24 * time.Hour)
	b.give(old, b.dead("b", 1), b.dead("c", 1), b.dead("d", 1))
	plan := b.plan(deadletter.Selection{})
	if receipt := b.apply(plan.ID, fast); receipt.Refused != 1 || receipt.Failed != 1 || receipt.Why != "a canary failed" || b.forwarded() != 1 {
		t.Errorf("receipt = %+v, %d sent; want one canary alone", receipt, b.forwarded())
	}
}

func TestACanaryThatTellsNothingIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(func(id string) bool {
		if id == "dlt_a1" { // somebody skips it at this moment
			if _, err := b.own.Exec(t.Context(), `UPDATE factline.dead_letter SET state = 'SKIPPED' WHERE dead_letter_id = $1`, id); err != nil {
				t.Error(err)
			}
		}
		return true
	})
	for _, key := range []string{"a", "b", "c", "d"} {
		b.give(b.dead(key, 1))
	}
	plan := b.plan(deadletter.Selection{})
	if receipt := b.apply(plan.ID, fast); receipt.Skipped != 1 || receipt.Failed != 1 || receipt.Why != "a canary failed" || b.forwarded() != 2 {
		t.Errorf("receipt = %+v, %d sent; want a second canary and no ramp", receipt, b.forwarded())
	}
}

func TestTheStopRuleEndsTheRampAndKeepsTheOrderOfItsKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(func(id string) bool { return strings.HasSuffix(id, "1") && id != "dlt_k001" })
	for i := range 20 {
		key := fmt.Sprintf("k%02d", i)
		b.give(b.dead(key, 1), b.dead(key, 2))
	}
	plan := b.plan(deadletter.Selection{})
	receipt := b.apply(plan.ID, deadletter.Settings{Rate: -1, Canary: 1, StopAfter: 3, MaxInFlight: 5})
	if receipt.State != deadletter.Stopped || receipt.Failed < 3 || receipt.Failed > 7 || receipt.Waiting != 0 || receipt.Pending != 0 {
		t.Errorf("receipt = %+v, want it stopped by three to seven failures and complete", receipt)
	}
	for _, id := range b.applied() {
		if id != "dlt_k001" && id != "dlt_k002" {
			t.Errorf("%s was applied behind a failed one", id)
		}
	}
	outcomes, err := b.store.Outcomes(t.Context(), plan.ID, "")
	if err != nil || len(outcomes) != 40 {
		t.Errorf("%d outcomes, %v, want 40", len(outcomes), err)
	}
}

func TestAPlanRefusesWithTheReason(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old, broken, unknown, settled := b.dead("old", 1), b.dead("broken", 1), b.dead("unknown", 1), b.dead("settled", 1)
	old.failedAt = b.now.Add(-40 * 24 * time.Hour)
	broken.value = []byte(strings.Replace(string(broken.value), `"customerId"`, `"customer"`, 1))
	behind := b.dead("broken", 2)
	gap, early, late := b.dead("gap", 9), b.dead("key", 1), b.dead("key", 2)
	b.give(old, broken, behind, settled, gap, late)
	b.bury(early)
	b.collect(b.letter(unknown))
	exec(t, b.own, `UPDATE factline.dead_letter SET state = 'SKIPPED' WHERE dead_letter_id = $1`, settled.id)
	exec(t, b.own, `INSERT INTO factline.gate VALUES ($1, $2, 'tenant_001', 'Order', 'gap', 4, 'x')`, group, topic)
	exec(t, b.own, `INSERT INTO factline.blocked_key VALUES ($1, $2, 'tenant_001', 'key', 0, 'Order', 'key', 1, 'e', $3, 'HANDLER_FAILED', now())`, group, topic, early.id)
	foreign := b.letter(b.dead("foreign", 1))
	foreign.Value = []byte(strings.Replace(string(foreign.Value), group, "order-service.x.consumer", 1))
	b.collect(foreign)
	plan := b.plan(deadletter.Selection{})
	if plan.Ready != 0 || plan.Letters != 8 {
		t.Errorf("%d of %d are ready, want none of 8", plan.Ready, plan.Letters)
	}
	outcomes, err := b.store.Outcomes(t.Context(), plan.ID, "REFUSED")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, o := range outcomes {
		got[o.LetterID] = o.Code + ": " + o.Detail
	}
	for id, want := range map[string][]string{
		old.id: {"HORIZON", "40 days ago", "30 days"}, broken.id: {"CONTRACT", "payload.customerId is required"},
		behind.id: {"ORDER", "waits behind " + broken.id}, settled.id: {"SETTLED", "SKIPPED"}, gap.id: {"ORDER", "version 9", "only 4 is applied"},
		late.id: {"ORDER", "waits for " + early.id}, unknown.id: {"NO_ACCESS", "no such dead letter"}, "dlt_foreign1": {"NO_ACCESS", "order-service is not at hand"},
	} {
		contains(t, got[id], want...)
	}
	if l, err := b.store.Get(t.Context(), settled.id); err != nil || l.State != deadletter.Skipped {
		t.Errorf("the letter that its group skipped = %+v, %v, want it followed", l, err)
	}
	if receipt := b.apply(plan.ID, fast); receipt.State != deadletter.Done || receipt.Refused != 8 || b.forwarded() != 0 {
		t.Errorf("receipt of a plan without a ready letter = %+v", receipt)
	}
}

// reads counts how often whole records of letters are read.
type reads struct{ n atomic.Int64 }

func (r *reads) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "record_key, headers, value\nFROM deadletter.letter") {
		r.n.Add(1)
	}
	return ctx
}

func (r *reads) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestAPlanReadsNoMoreThanEightMiBAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 20 {
		d := b.dead(fmt.Sprintf("k%02d", i), 1)
		d.value = []byte(strings.Repeat("x", 900<<10))
		b.give(d)
	}
	counted := &reads{}
	config := b.ops.Config()
	config.ConnConfig.Tracer = counted
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	b.ops, pool = pool, b.ops
	b.store = b.newStore(b.contracts)
	b.ops = pool
	plan := b.plan(deadletter.Selection{})
	if len(plan.Refusals) != 1 || plan.Refusals[0].Code != deadletter.RefusedContract || plan.Refusals[0].Letters != 20 {
		t.Errorf("refused: %+v, want all 20 by their contract", plan.Refusals)
	}
	if counted.n.Load() != 3 {
		t.Errorf("20 records of 900 KiB were read in %d turns, want 3", counted.n.Load())
	}
}

func TestAListFollowsWhatWasSettledWithoutTheStore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.give(b.dead("a", 1), b.dead("b", 1))
	exec(t, b.own, `UPDATE factline.dead_letter SET state = 'SKIPPED' WHERE dead_letter_id = 'dlt_a1'`)
	page, err := b.store.List(t.Context(), deadletter.Selection{State: deadletter.Open})
	if err != nil || len(page.Letters) != 1 || page.Letters[0].ID != "dlt_b1" {
		t.Errorf("open = %+v, %v, want the other one alone", page.Letters, err)
	}
	l, err := b.store.Get(t.Context(), "dlt_a1")
	if err != nil || l.State != deadletter.Skipped || l.History[len(l.History)-1].Kind != "SKIPPED" {
		t.Errorf("a1 = %+v, %v, want it skipped", l, err)
	}
}

func TestASkipIsWrittenDownOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.dead("a", 1)
	b.give(d)
	entry, err := deadletter.Get(t.Context(), b.own, d.id)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.store.RecordSkip(t.Context(), entry, deadletter.SkipRequest{ID: d.id, Operator: "kim", Reason: "known bad"}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := b.store.Get(t.Context(), d.id)
	if err != nil || l.State != deadletter.Skipped || len(l.History) != 2 || l.History[1].Operator != "kim" || l.History[1].Reason != "known bad" {
		t.Errorf("letter = %+v, %v", l, err)
	}
}

func TestAPlanNeedsSomebodyAndAReason(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.store.PlanRedrive(t.Context(), deadletter.PlanRequest{})
	contains(t, err.Error(), "PlanRequest.Operator", "PlanRequest.Team", "PlanRequest.Reason")
	_, err = b.store.PlanRedrive(t.Context(), deadletter.PlanRequest{Operator: "kim", Team: "Platform Team", Reason: "x"})
	if !errors.Is(err, deadletter.ErrNothing) {
		t.Errorf("a plan of nothing = %v, want ErrNothing", err)
	}
	_, err = b.store.ApplyRedrive(t.Context(), deadletter.Apply{})
	contains(t, err.Error(), "Apply.ID", "Apply.Operator")
}

// markedCustomer is the platform's catalogue with the customer of an order marked, and
// what stands in a list and a map beside it.
func markedCustomer(t *testing.T) *contract.Catalogue {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(contracts.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(contracts.FS(), path)
		if strings.HasSuffix(path, "OrderCaptured/v1.schema.json") {
			text = []byte(strings.NewReplacer(`"title": "Customer id",`, `"title": "Customer id", "x-pii": true,`, `"customerId": {`, `
				"contact": {"type": "array", "prefixItems": [{"x-pii": true}, {"type": "string"}]},
				"phones": {"type": "object", "additionalProperties": {"x-pii": true}},
				"notes": {"type": "array"},
				"customerId": {`).Replace(string(text)))
		}
		files[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	marked, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return marked
}

func TestAPreviewHidesPersonalData(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.store = b.newStore(markedCustomer(t))
	b.give(b.dead("a", 1))
	sample := string(b.plan(deadletter.Selection{}).Samples[0].Payload)
	contains(t, sample, `"customerId":"***"`, `"orderId":"a"`, `"action":"ADD"`)
	if strings.Contains(sample, "cust_1001") {
		t.Errorf("the preview shows %s", sample)
	}
}

func TestAPreviewHidesWhatStandsInListsAndMaps(t *testing.T) {
	t.Parallel()
	catalogue := markedCustomer(t)
	e, _ := catalogue.Event("OrderCaptured", 1)
	example, _ := e.Example("minimal")
	value := strings.Replace(string(example.Value), `"customerId":`, `"contact": ["Jo", "noon", "Jim"], "phones": {"home": "1"}, "notes": ["knows Jo"], "totals.oneTimeTotal": "Jo", "customerId":`, 1)
	shown := deadletter.MaskPayload(catalogue, []byte(value))
	contains(t, shown, `"contact":["***","noon","***"]`, `"phones":{"home":"***"}`, `"notes":["***"]`, `"totals.oneTimeTotal":"***"`, `"oneTimeTotal":"670.00"`, `"orderLineId":"ol_1"`)
}

func TestARedriveGoesNoFasterThanItsRate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(never)
	for i := range 60 {
		b.give(b.dead(fmt.Sprintf("k%02d", i), 1))
	}
	plan := b.plan(deadletter.Selection{})
	start := time.Now()
	receipt := b.apply(plan.ID, deadletter.Settings{Rate: 50})
	// With a tenth at first and twice as much each second, 60 take at least 2.9 s.
	if took := time.Since(start); receipt.Applied != 60 || took < 2500*time.Millisecond {
		t.Errorf("%d applied in %s", receipt.Applied, took)
	}
}

// Dead letters are grouped, redriven at a rate, killed half-way and
// resumed: each applied once, in order, receipt complete. make test-large runs it
// with 100,000.
func TestARedriveThatIsKilledHalfWayGoesOnAndAppliesEachOnceInOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(never)
	total := lettersOfLargeTest()
	const perKey = 10
	producer := b.cluster.Client(t)
	b.collector(nil)
	var letters []dead
	for i := range total {
		letters = append(letters, b.dead(fmt.Sprintf("k%05d", i/perKey), int64(i%perKey+1)))
		letters[i].offset, letters[i].message = int64(i), fmt.Sprintf("dependency %d answered 503", i)
	}
	b.bury(letters...)
	for chunk := range slices.Chunk(letters, 5000) {
		records := make([]*kgo.Record, len(chunk))
		for i, d := range chunk {
			records[i] = b.letter(d)
		}
		if err := producer.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	b.awaitLetters(total)

	plan := b.plan(deadletter.Selection{Group: group})
	if plan.Ready != total || plan.Keys != total/perKey {
		t.Fatalf("plan = %+v", plan)
	}
	settings := deadletter.Settings{Rate: 1e6, MaxInFlight: 2000}
	ctx, kill := context.WithCancel(t.Context())
	receipt, err := b.store.ApplyRedrive(ctx, deadletter.Apply{ID: plan.ID, Operator: "kim", Settings: settings, OnProgress: func(p deadletter.Progress) {
		if p.Applied > total/3 {
			kill()
		}
	}})
	if err != nil || receipt.State != deadletter.Paused || receipt.Applied == total || receipt.Applied == 0 {
		t.Fatalf("half-way = %+v, %v", receipt, err)
	}
	// A killed process leaves its state and a lease that expires.
	exec(t, b.ops, `UPDATE deadletter.redrive SET state = 'RUNNING', lease_owner = 'killed', leased_until = now() - interval '1 second'`)

	receipt, err = b.newStore(b.contracts).ApplyRedrive(t.Context(), deadletter.Apply{ID: plan.ID, Operator: "lee", Resume: true})
	if err != nil || receipt.State != deadletter.Done || receipt.Applied != total || receipt.Planned != total || receipt.Settings.MaxInFlight != 2000 {
		t.Fatalf("resumed = %+v, %v", receipt, err)
	}
	if n := b.forwarded(); n != total {
		t.Errorf("%d records were sent, want each of %d once", n, total)
	}
	b.checkOrder(total)
}

func TestARedriveWhoseConnectionsDieGoesOnAndSendsEachOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(never)
	var letters []dead
	for i := range 600 {
		letters = append(letters, b.dead(fmt.Sprintf("k%03d", i/3), int64(i%3+1)))
		letters[i].offset = int64(i)
	}
	b.give(letters...)
	plan := b.plan(deadletter.Selection{})
	doomed := b.doomedStore()
	died := 0
	for {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.killWhenAhead(ctx, 100)
		}()
		receipt, err := doomed.ApplyRedrive(t.Context(), deadletter.Apply{ID: plan.ID, Operator: "kim", Settings: deadletter.Settings{Rate: -1, MaxInFlight: 20}})
		stop()
		<-done
		var running *deadletter.RunningError
		switch {
		case errors.As(err, &running):
			exec(t, b.ops, `UPDATE deadletter.redrive SET leased_until = now() - interval '1 second'`)
		case err != nil:
			died++
		case receipt.State != deadletter.Done || receipt.Applied != len(letters):
			t.Fatalf("receipt = %+v", receipt)
		default:
			if died == 0 || b.forwarded() != len(letters) {
				t.Errorf("it died %d times, and %d records were sent; want at least once, and each of %d once", died, b.forwarded(), len(letters))
			}
			b.checkOrder(len(letters))
			return
		}
	}
}
