package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// loadedQuote is one quote of a load on its way.
type loadedQuote struct {
	loader                              *loader
	tenant, customer, currency, channel string
	configuration, key                  string

	// Known once it is submitted.
	id, path, etag, hash string
	isSubmitted          bool
	refused              error
}

// Every answer of the platform that a load looks at, in one.
type loadAnswer struct {
	QuoteID                string       `json:"quoteId"`
	State                  string       `json:"state"`
	CommercialSnapshotHash string       `json:"commercialSnapshotHash"`
	AcceptedAt             time.Time    `json:"acceptedAt"`
	CapturedAt             time.Time    `json:"capturedAt"`
	CompletedAt            time.Time    `json:"completedAt"`
	ReasonCode             string       `json:"reasonCode"`
	Code                   string       `json:"code"`
	Retryable              bool         `json:"retryable"`
	Items                  []loadAnswer `json:"items"`

	status int
	etag   string
}

func (q *loadedQuote) run(ctx context.Context) error {
	if !q.isSubmitted && q.refused == nil {
		q.refused = q.submit(ctx)
	}
	if q.refused != nil {
		return q.refused
	}
	return q.accept(ctx)
}

func (q *loadedQuote) submit(ctx context.Context) error {
	draft, err := q.post(ctx, "draft", "/quotes", "", map[string]any{
		"customerId": q.customer, "currency": q.currency, "salesChannel": q.channel,
		"lines": []any{map[string]any{"configurationId": q.configuration, "action": "ADD"}},
	})
	if err != nil {
		return err
	}
	q.id, q.path = draft.QuoteID, "/quotes/"+url.PathEscape(draft.QuoteID)
	submitted, err := q.post(ctx, "submit", q.path+"/submission", draft.etag, map[string]any{})
	if err != nil {
		return err
	}
	if submitted.State != "APPROVED" {
		return fmt.Errorf("submit: quote is %s", submitted.State)
	}
	q.etag, q.hash, q.isSubmitted = submitted.etag, submitted.CommercialSnapshotHash, true
	return nil
}

func (q *loadedQuote) accept(ctx context.Context) error {
	accepted, err := q.post(ctx, "accept", q.path+"/acceptance", q.etag, map[string]any{
		"commercialSnapshotHash": q.hash, "acceptedBy": q.customer,
		"evidence": map[string]any{"method": "CLICK", "reference": q.key},
	})
	if err != nil {
		return err
	}
	q.loader.mu.Lock()
	q.loader.accepted++
	q.loader.mu.Unlock()
	return q.await(ctx, accepted.AcceptedAt)
}

// await waits for the order's end. It looks seldom: the times come from the
// services, not from when they were seen.
func (q *loadedQuote) await(ctx context.Context, acceptedAt time.Time) error {
	for wait := q.loader.firstLook(); ; wait = min(2*wait, 2*time.Second) {
		if !pause(ctx, wait) {
			return errors.New("order: no end in time")
		}
		list, err := q.send(ctx, http.MethodGet, "/read/orders?quoteId="+url.QueryEscape(q.id), "", "", nil)
		if err != nil || list.status != http.StatusOK {
			continue
		}
		if len(list.Items) == 0 {
			if a, err := q.send(ctx, http.MethodGet, q.path, "", "", nil); err == nil && a.State == "CONVERSION_REJECTED" {
				return fmt.Errorf("capture: rejected with %s", a.ReasonCode)
			}
			continue
		}
		switch o := list.Items[0]; {
		case o.State == "COMPLETED" || q.loader.cfg.AcceptOnly:
			q.completed(o.CapturedAt.Sub(acceptedAt), o.CompletedAt.Sub(acceptedAt))
			return nil
		case o.State == "VALIDATION_FAILED" || o.State == "CANCELLED":
			return fmt.Errorf("order: ended as %s", o.State)
		}
	}
}

// firstLook is when an order is first asked for. Looking costs as much as
// working, so where capture alone is timed it comes after everything.
func (l *loader) firstLook() time.Duration {
	if l.cfg.AcceptOnly {
		return time.Duration(float64(l.cfg.Count)/l.cfg.Rate*float64(time.Second)) + time.Second
	}
	return 250 * time.Millisecond
}

func (q *loadedQuote) completed(captured, completion time.Duration) {
	q.loader.mu.Lock()
	defer q.loader.mu.Unlock()
	q.loader.captured = append(q.loader.captured, captured)
	q.loader.completion = append(q.loader.completion, completion)
}

// post sends a command until it is answered for good, always with the same key.
func (q *loadedQuote) post(ctx context.Context, step, path, etag string, body any) (loadAnswer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return loadAnswer{}, err
	}
	deadline := time.Now().Add(q.loader.cfg.StepTimeout)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		a, err := q.send(ctx, http.MethodPost, path, q.key+"-"+step, etag, text)
		switch {
		case err == nil && a.status < 300:
			return a, nil
		case err == nil && !a.Retryable && a.status < 500:
			return a, fmt.Errorf("%s: %d %s", step, a.status, a.Code)
		case time.Now().After(deadline) && err != nil:
			return a, fmt.Errorf("%s: the platform cannot be reached", step)
		case time.Now().After(deadline):
			return a, fmt.Errorf("%s: still %d %s", step, a.status, a.Code)
		}
		if !pause(ctx, wait) {
			return a, fmt.Errorf("%s: no answer in time", step)
		}
	}
}

func (q *loadedQuote) send(ctx context.Context, method, path, key, etag string, body []byte) (loadAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, method, q.loader.cfg.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return loadAnswer{}, err
	}
	for name, value := range map[string]string{
		"X-Tenant-Id": q.tenant, "Content-Type": "application/json", "Idempotency-Key": key, "If-Match": etag, "X-Actor-Id": "user_load",
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	res, err := q.loader.cfg.Client.Do(req)
	if err != nil {
		return loadAnswer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	a := loadAnswer{status: res.StatusCode, etag: res.Header.Get("ETag")}
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}

// pause reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
