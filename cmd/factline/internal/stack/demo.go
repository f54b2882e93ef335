package stack

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Step is one thing that happened to the demonstration quote.
type Step struct {
	At time.Time `json:"at"`
	// Took is the time of the request, or of the wait.
	Took time.Duration `json:"tookNanoseconds"`
	What string        `json:"what"`
	ID   string        `json:"id"`
}

const (
	demoTenant   = "tenant_001"
	demoCustomer = "cust_tenant_001_1"
	demoConfig   = "cfg_tenant_001_1_1"
)

// Demonstrate takes one quote of the seed data through HTTP to a completed
// order in the read model, and tells each step as it happens. base is the
// platform's address, such as http://127.0.0.1:8080.
func Demonstrate(ctx context.Context, base string, told func(Step)) error {
	d := &demo{base: base, told: told, client: &http.Client{Timeout: 30 * time.Second}}
	defer d.client.CloseIdleConnections()
	if err := d.run(ctx); err != nil {
		return fmt.Errorf("stack: demonstrate a quote: %w", err)
	}
	return nil
}

type demo struct {
	base   string
	told   func(Step)
	client *http.Client
}

func (d *demo) run(ctx context.Context) error {
	var drafted struct {
		QuoteID string `json:"quoteId"`
		State   string `json:"state"`
		Reason  string `json:"reasonCode"`
	}
	etag, err := d.post(ctx, "/quotes", "", map[string]any{
		"customerId": demoCustomer, "currency": "EUR", "salesChannel": "DIRECT_SALES",
		"lines": []map[string]any{{"configurationId": demoConfig, "action": "ADD"}},
	}, &drafted, func() Step { return Step{What: "drafted and " + drafted.State, ID: drafted.QuoteID} })
	if err != nil {
		return err
	}
	if drafted.State != "PRICED" {
		return fmt.Errorf("the draft is %s and not PRICED (%s); its seed data is missing: start over with --fresh", drafted.State, drafted.Reason)
	}
	path := "/quotes/" + drafted.QuoteID
	var submitted struct {
		State string `json:"state"`
		Hash  string `json:"commercialSnapshotHash"`
	}
	if etag, err = d.post(ctx, path+"/submission", etag, map[string]any{}, &submitted,
		func() Step { return Step{What: "submitted and " + submitted.State, ID: drafted.QuoteID} }); err != nil {
		return err
	}
	var accepted struct{ State string }
	if _, err = d.post(ctx, path+"/acceptance", etag, map[string]any{
		"commercialSnapshotHash": submitted.Hash, "acceptedBy": demoCustomer,
		"evidence": map[string]any{"method": "CLICK", "reference": "factline up"},
	}, &accepted, func() Step { return Step{What: accepted.State, ID: drafted.QuoteID} }); err != nil {
		return err
	}
	return d.follow(ctx, drafted.QuoteID, time.Now())
}

// follow reads the order from the read model until it is completed.
func (d *demo) follow(ctx context.Context, quoteID string, accepted time.Time) error {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	last := ""
	for {
		order, err := d.order(ctx, quoteID)
		if err == nil && order.State != last {
			last = order.State
			d.told(Step{At: time.Now(), Took: time.Since(accepted), What: "order " + order.State + " in the read model", ID: order.OrderID})
		}
		if last == "COMPLETED" {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(&StuckError{QuoteID: quoteID, State: last, Waited: patience}, ignoreEnd(err))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// StuckError names a quote whose order did not come to its end.
type StuckError struct {
	QuoteID string
	// State of the order in the read model, empty where it has none.
	State  string
	Waited time.Duration
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("the order of quote %s is %q in the read model %s after the acceptance; follow it with \"factline trace %s\"", e.QuoteID, e.State, e.Waited, e.QuoteID)
}

// ignoreEnd leaves out that the waiting ended, which is known.
func ignoreEnd(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

type demoOrder struct {
	OrderID string `json:"orderId"`
	State   string `json:"state"`
}

func (d *demo) order(ctx context.Context, quoteID string) (demoOrder, error) {
	var page struct {
		Items []demoOrder `json:"items"`
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+"/read/orders?quoteId="+quoteID, nil)
	if err != nil {
		return demoOrder{}, err
	}
	if _, err := d.send(request, &page); err != nil || len(page.Items) == 0 {
		return demoOrder{}, err
	}
	return page.Items[0], nil
}

func (d *demo) post(ctx context.Context, path, etag string, body, answer any, step func() Step) (string, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+path, bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", "up-"+rand.Text())
	if etag != "" {
		request.Header.Set("If-Match", etag)
	}
	began := time.Now()
	tag, err := d.send(request, answer)
	if err != nil {
		return "", err
	}
	told := step()
	told.At, told.Took = time.Now(), time.Since(began)
	d.told(told)
	return tag, nil
}

func (d *demo) send(request *http.Request, answer any) (etag string, err error) {
	request.Header.Set("X-Tenant-Id", demoTenant)
	response, err := d.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return "", fmt.Errorf("%s %s answered %s: %s", request.Method, request.URL.Path, response.Status, bytes.TrimSpace(body))
	}
	return response.Header.Get("ETag"), json.Unmarshal(body, answer)
}
