package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"factline.dev/prove/history"
)

// Client sends commands over HTTP. Safe for concurrent use.
type Client struct {
	base      string
	http      *http.Client
	accepting atomic.Int64
}

// NewClient returns a client of a platform, such as http://127.0.0.1:8080.
func NewClient(base string) *Client {
	return &Client{base: base, http: &http.Client{
		Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16},
	}}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Accept takes every plan to its acceptance, several at a time, and returns what
// became of each. A plan that has no clear answer when ctx ends is unknown.
func (c *Client) Accept(ctx context.Context, plans []Plan, atOnce int) []history.Quote {
	quotes := make([]history.Quote, len(plans))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, plan := range plans {
		group.Go(func() error {
			quotes[i] = c.accept(ctx, plan)
			return nil
		})
	}
	_ = group.Wait() // none returns an error
	return quotes
}

// mostUnderWay bounds what waits for a platform that is away.
const mostUnderWay = 200

// Drive begins quotes at a rate a second on average, whether or not those before
// have been answered, until enough is closed. It returns what became of each
// once all have ended; when ctx ends those without a clear answer are unknown.
func (c *Client) Drive(ctx context.Context, planner *Planner, rate float64, enough <-chan struct{}) []history.Quote {
	var group sync.WaitGroup
	var begun []*history.Quote
	room := make(chan struct{}, mostUnderWay)
	for due := time.NewTimer(0); ; due.Reset(planner.Gap(rate)) {
		if !proceed(ctx, enough, due.C) || !give(ctx, enough, room) {
			break
		}
		quote, plan := new(history.Quote), planner.Next(1)[0]
		begun = append(begun, quote)
		group.Go(func() {
			*quote = c.accept(ctx, plan)
			<-room
		})
	}
	group.Wait()
	quotes := make([]history.Quote, len(begun))
	for i, quote := range begun {
		quotes[i] = *quote
	}
	return quotes
}

func proceed(ctx context.Context, enough <-chan struct{}, due <-chan time.Time) bool {
	select {
	case <-due:
		return true
	case <-enough:
	case <-ctx.Done():
	}
	return false
}

func give(ctx context.Context, enough <-chan struct{}, room chan<- struct{}) bool {
	select {
	case room <- struct{}{}:
		return true
	case <-enough:
	case <-ctx.Done():
	}
	return false
}

// Accepting is how many acceptances have been sent and not been answered yet.
// Those that wait to be sent again are none.
func (c *Client) Accepting() int { return int(c.accepting.Load()) }

const acceptancePath = "/acceptance"

type flow struct {
	*Client
	plan  Plan
	quote history.Quote
}

func (c *Client) accept(ctx context.Context, plan Plan) history.Quote {
	f := &flow{Client: c, plan: plan, quote: history.Quote{Tenant: plan.Tenant, Outcome: history.Unknown}}
	err := f.run(ctx)
	var refused *refusedError
	switch {
	case err == nil:
		f.quote.Outcome = history.OK
	case errors.As(err, &refused):
		f.quote.Outcome, f.quote.Reason = history.Failed, err.Error()
	default:
		f.quote.Reason = err.Error()
	}
	return f.quote
}

func (f *flow) run(ctx context.Context) error {
	var drafted struct{ QuoteID, State, ReasonCode string }
	etag, err := f.command(ctx, "/quotes", "draft", "", map[string]any{
		"customerId": f.plan.Customer, "currency": f.plan.Currency, "salesChannel": "DIRECT_SALES",
		"lines": []map[string]any{{"configurationId": f.plan.Configuration, "action": "ADD"}},
	}, &drafted)
	if err != nil {
		return err
	}
	f.quote.QuoteID = drafted.QuoteID
	if drafted.State != "PRICED" {
		return &refusedError{what: "draft", answer: drafted.State + " " + drafted.ReasonCode}
	}
	path := "/quotes/" + drafted.QuoteID
	var submitted struct{ State, CommercialSnapshotHash string }
	if etag, err = f.command(ctx, path+"/submission", "submit", etag, map[string]any{}, &submitted); err != nil {
		return err
	}
	if submitted.State != "APPROVED" {
		return &refusedError{what: "submit", answer: submitted.State}
	}
	return f.acceptance(ctx, path, etag, submitted.CommercialSnapshotHash)
}

// acceptance may be sent twice. With another key the second is refused as
// accepted already, which is the answer one wants.
func (f *flow) acceptance(ctx context.Context, path, etag, hash string) error {
	body := map[string]any{
		"commercialSnapshotHash": hash, "acceptedBy": f.plan.Customer,
		"evidence": map[string]any{"method": "CLICK", "reference": f.plan.Name},
	}
	keys := []string{"accept"}
	switch f.plan.Repeat {
	case SameKey:
		keys = append(keys, "accept")
	case OtherKey:
		keys = append(keys, "accept-again")
	}
	for _, key := range keys {
		_, err := f.command(ctx, path+acceptancePath, key, etag, body, nil)
		var refused *refusedError
		if errors.As(err, &refused) && key == "accept-again" && refused.status == http.StatusConflict {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refusedError is an answer that will not change when the request is repeated.
type refusedError struct {
	what, answer string
	status       int
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("workload: %s: refused with %d: %s", e.what, e.status, e.answer)
}

// command sends until there is a clear answer.
func (f *flow) command(ctx context.Context, path, key, etag string, body, answer any) (string, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 300*time.Millisecond) {
		f.quote.Requests++
		tag, err := f.send(ctx, path, key, etag, text, answer)
		var refused *refusedError
		if err == nil || (errors.As(err, &refused) && !refused.isPassing()) {
			return tag, err
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("workload: %s: no clear answer (the last was %v): %w", path, err, ctx.Err()) //nolint:errorlint // what was said last is no verdict
		case <-time.After(wait):
		}
	}
}

// isPassing: a platform that starts or stops, and a request with the same key
// that is still running.
func (e *refusedError) isPassing() bool {
	return e.status >= http.StatusInternalServerError || (e.status == http.StatusConflict && bytes.Contains([]byte(e.answer), []byte("in-progress")))
}

func (f *flow) send(ctx context.Context, path, key, etag string, body []byte, answer any) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.base+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Tenant-Id", f.plan.Tenant)
	request.Header.Set("Idempotency-Key", f.plan.Name+"-"+key)
	if etag != "" {
		request.Header.Set("If-Match", etag)
	}
	if strings.HasSuffix(path, acceptancePath) {
		f.accepting.Add(1)
		defer f.accepting.Add(-1)
	}
	response, err := f.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return "", &refusedError{what: path, status: response.StatusCode, answer: string(bytes.TrimSpace(text))}
	}
	if answer == nil {
		return response.Header.Get("ETag"), nil
	}
	return response.Header.Get("ETag"), json.Unmarshal(text, answer)
}
