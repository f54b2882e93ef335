package platform_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/platform"
)

// approvedQuote is a quote that waits for its acceptance.
type approvedQuote struct{ id, etag, body string }

// approve makes n approved quotes of one line each, several at a time.
func (s *stack) approve(t *testing.T, n int) []approvedQuote {
	t.Helper()
	quotes := make([]approvedQuote, n)
	parallel(n, 16, func(i int) {
		body := fmt.Sprintf(`{"customerId":"cust_tenant_001_%[1]d","currency":"EUR","salesChannel":"WEB","lines":[{"configurationId":"cfg_tenant_001_%[1]d_1","action":"ADD"}]}`, 1+i%49)
		draft, err := s.try(t.Context(), request{method: "POST", path: "/quotes", body: body})
		if err != nil || draft.status != 201 {
			t.Errorf("draft %d: %d %s, %v", i, draft.status, draft.text, err)
			return
		}
		id := draft.get("quoteId")
		submitted, err := s.try(t.Context(), request{method: "POST", path: "/quotes/" + id + "/submission", header: ifMatch(draft)})
		if err != nil || submitted.get("state") != "APPROVED" {
			t.Errorf("submit %d: %d %s, %v", i, submitted.status, submitted.text, err)
			return
		}
		quotes[i] = approvedQuote{id, submitted.header.Get("ETag"), acceptBody(submitted)}
	})
	if t.Failed() {
		t.FailNow()
	}
	return quotes
}

func parallel(n, workers int, do func(i int)) {
	var group sync.WaitGroup
	var next atomic.Int64
	for range workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
}

// accept sends an acceptance until it is answered for good.
func (s *stack) accept(ctx context.Context, q approvedQuote, key string) (answer, error) {
	for {
		a, err := s.try(ctx, request{method: "POST", path: "/quotes/" + q.id + "/acceptance", body: q.body, header: map[string]string{"If-Match": q.etag, "Idempotency-Key": key}})
		if err != nil || a.get("code") != "idempotency.in-progress" {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// acceptOnceOrTwice sends the acceptance of quote i: of ten quotes, eight once,
// one twice with the same key, one twice with different keys; every second of
// the doubles at the same moment.
func (s *stack) acceptOnceOrTwice(ctx context.Context, i int, q approvedQuote) error {
	keys := []string{rand.Text()}
	switch i % 10 {
	case 8:
		keys = append(keys, keys[0])
	case 9:
		keys = append(keys, rand.Text())
	}
	answers, errs := make([]answer, len(keys)), make([]error, len(keys))
	workers := 1
	if i/10%2 == 0 {
		workers = len(keys)
	}
	parallel(len(keys), workers, func(k int) { answers[k], errs[k] = s.accept(ctx, q, keys[k]) })
	if err := cmp.Or(errs...); err != nil {
		return err
	}
	return judge(i, answers)
}

func judge(i int, answers []answer) error {
	slices.SortFunc(answers, func(a, b answer) int { return cmp.Compare(a.status, b.status) })
	first, last := answers[0], answers[len(answers)-1]
	switch {
	case first.status != 200:
		return fmt.Errorf("quote %d is not accepted: %s", i, first.text)
	case i%10 == 8 && (last.status != 200 || last.text != first.text):
		return fmt.Errorf("quote %d: one key has two answers: %s and %s", i, first.text, last.text)
	case i%10 == 9 && (last.get("code") != "quote.already-accepted" || last.get("acceptedAt") != first.get("acceptedAt")):
		return fmt.Errorf("quote %d: the second key is answered %s after %s", i, last.text, first.text)
	}
	return nil
}

// repeat copies every twentieth new event of both topics to the end of its log,
// byte for byte, as it appears, until ctx ends. It counts them; end waits for the last.
func (s *stack) repeat(ctx context.Context, t *testing.T) (copied *atomic.Int64, end func()) {
	t.Helper()
	client := s.cluster.Client(t, kgo.ConsumeTopics(quoteTopic, orderTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
	copied = &atomic.Int64{}
	var done sync.WaitGroup
	done.Go(func() {
		seen := map[string]bool{}
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				e, err := envelope.DecodeRaw(r.Value)
				if err != nil || seen[e.EventID] {
					return
				}
				if seen[e.EventID] = true; len(seen)%20 != 0 {
					return
				}
				again := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers}
				if err := client.ProduceSync(context.WithoutCancel(ctx), again).FirstErr(); err != nil {
					t.Errorf("repeat a record: %v", err)
				}
				copied.Add(1)
			})
		}
	})
	return copied, done.Wait
}

// The line of the proof: exactly one order a quote, whatever is sent or
// delivered twice.
func TestAThousandAcceptancesGiveAThousandOrders(t *testing.T) {
	t.Parallel()
	const n = 1000
	s := start(t, func(c *platform.Config) { c.LineDelay = time.Hour })
	quotes := s.approve(t, n)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	copied, end := s.repeat(ctx, t)
	parallel(n, 200, func(i int) {
		if err := s.acceptOnceOrTwice(t.Context(), i, quotes[i]); err != nil {
			t.Error(err)
		}
	})
	orders, reads, offers := s.db(t, "order-service"), s.db(t, "projection-service"), s.db(t, "quote-service")
	factlinetest.Eventually(t, 3*time.Minute, "every order in fulfilment, read and converted", func() (done bool, err error) {
		var submitted, shown, converted int
		if err := orders.QueryRow(t.Context(), "SELECT count(*) FROM orders.sales_order WHERE state = 'IN_FULFILLMENT'").Scan(&submitted); err != nil || submitted < n {
			return false, errors.Join(fmt.Errorf("%d orders in fulfilment", submitted), err)
		}
		if err := reads.QueryRow(t.Context(), "SELECT count(*) FROM projection.order_summary_projection WHERE last_version = 6").Scan(&shown); err != nil || shown < n {
			return false, errors.Join(fmt.Errorf("%d orders read", shown), err)
		}
		err = offers.QueryRow(t.Context(), "SELECT count(*) FROM quote.quote WHERE state = 'CONVERTED'").Scan(&converted)
		return converted >= n, err
	})
	factlinetest.Eventually(t, time.Minute, "hundreds of records repeated on the log", func() (bool, error) {
		return copied.Load() >= n*12/20/2, nil
	})
	cancel()
	end()
	repeated := int(copied.Load())
	t.Logf("%d records were repeated on the log", repeated)
	s.checkThousand(t, n)
	s.checkLog(t, n, repeated)
}

func (s *stack) checkThousand(t *testing.T, n int64) {
	t.Helper()
	for _, c := range []struct {
		service, sql string
		want         int64
	}{
		{"order-service", "SELECT count(*) FROM orders.sales_order", n},
		{"order-service", "SELECT count(DISTINCT (tenant_id, quote_id)) FROM orders.sales_order", n},
		{"order-service", "SELECT count(*) FROM orders.order_capture", n},
		{"order-service", "SELECT count(*) FROM orders.sales_order WHERE version = 6", n},
		{"order-service", "SELECT count(*) FROM (SELECT order_id FROM orders.order_transition GROUP BY order_id HAVING count(*) = 6 AND min(version) = 1 AND max(version) = 6) whole", n},
		{"quote-service", "SELECT count(*) FROM quote.quote_acceptance", n},
		{"quote-service", "SELECT count(*) FROM quote.quote WHERE version = 6 AND order_id IS NOT NULL", n},
		{"projection-service", "SELECT count(*) FROM projection.order_summary_projection", n},
	} {
		if got := s.count(t, c.service, c.sql); got != c.want {
			t.Errorf("%d, want %d: %s", got, c.want, c.sql)
		}
	}
	for _, service := range platform.Services() {
		for _, table := range []string{"dead_letter", "held_event", "blocked_key", "outbox_parked"} {
			if got := s.count(t, service, "SELECT count(*) FROM factline."+table); got != 0 {
				t.Errorf("%s has %d rows in %s", service, got, table)
			}
		}
	}
}

// checkLog reads the order topic back: of every order, the first occurrence of
// each version in order and without a gap, and one event id a version.
func (s *stack) checkLog(t *testing.T, n, repeated int) {
	t.Helper()
	last, ids, extra := map[string]int64{}, map[string]string{}, 0
	for _, r := range factlinetest.Consume(t, s.cluster.Addrs(), orderTopic, 6*n) {
		e, err := envelope.DecodeRaw(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		at := fmt.Sprintf("%s@%d", e.AggregateID, e.AggregateVersion)
		switch {
		case e.AggregateVersion == last[e.AggregateID]+1:
			last[e.AggregateID], ids[at] = e.AggregateVersion, e.EventID
		case ids[at] == e.EventID:
			extra++
		default:
			t.Errorf("%s %s after version %d", e.EventType, at, last[e.AggregateID])
		}
	}
	if len(last) != n || len(ids) != 6*n {
		t.Errorf("the log has %d orders with %d versions, want %d with %d", len(last), len(ids), n, 6*n)
	}
	if extra > repeated {
		t.Errorf("%d events stand on the log twice, only %d were repeated by the test", extra, repeated)
	}
	for id := range last {
		if !strings.HasPrefix(id, "ord_") {
			t.Errorf("aggregate %s", id)
		}
	}
}
