package effect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve is a provider behind a real socket, and a performer for it.
func serve(t *testing.T, handle http.HandlerFunc, change ...func(*HTTPConfig)) *HTTP {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	cfg := HTTPConfig{URL: server.URL + "/mails?token=s3cret", Transport: server.Client().Transport}
	for _, c := range change {
		c(&cfg)
	}
	h, err := NewHTTP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestACallReachesAProviderThatDropsRepetitionsByItsKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(Call{Key: "evt_1/mail", Request: []byte(`{"to":"c_1"}`)})
	var sent atomic.Int64
	seen := map[string]bool{}
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key := r.Header.Get("Idempotency-Key")
		if !seen[key] { // calls of one key come one after the other
			seen[key] = true
			sent.Add(1)
		}
		if sent.Load() == 1 && r.Header.Get("X-Seen") == "" && len(seen) == 1 && !seen["answered"] {
			seen["answered"] = true
			panic(http.ErrAbortHandler) // done, but the answer is lost
		}
		if r.Method != http.MethodPost || string(body) != `{"to":"c_1"}` || r.Header.Get("Authorization") != "Bearer t" ||
			r.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(r.Header.Get("Traceparent"), "00-0af7") {
			t.Errorf("%s %s %v", r.Method, body, r.Header)
		}
		fmt.Fprintf(w, "mail of %s", key)
	}, func(c *HTTPConfig) { c.Header = http.Header{"Authorization": {"Bearer t"}} })
	b.work(h, withOutcome)
	if e := b.await("evt_1/mail", Done); e.Attempts != 2 {
		t.Errorf("entry = %+v, want a second attempt", e)
	}
	if got := fmt.Sprint(sent.Load(), b.outcomes()); got != "1 [evt_1/mail: mail of evt_1/mail]" {
		t.Errorf("mails and effects: %s", got)
	}
}

func TestStatusesAreClassed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		status     int
		retryAfter string
		permanent  bool
		delay      time.Duration
	}{
		{"a bad request is permanent", 400, "", true, 0},
		{"a first request that still runs is waited for as the provider says", 409, "5", false, 5 * time.Second},
		{"a first request that still runs is left to the backoff otherwise", 409, "", false, 0},
		{"a redirect is not followed", 307, "", true, 0},
		{"a timeout is retried", 408, "", false, 0},
		{"too early is retried", 425, "", false, 0},
		{"too many are retried after what the provider says", 429, "7", false, 7 * time.Second},
		{"a failure is retried", 500, "", false, 0},
		{"unavailable is retried after what the provider says", 503, "120", false, 2 * time.Minute},
		{"a pause is at most a day", 503, "2000000000", false, 24 * time.Hour},
		{"a pause that cannot be read is left to the backoff", 503, "soon", false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				fmt.Fprint(w, "s3cret")
			})
			_, err := h.Perform(t.Context(), name, "k", nil)
			delay, _ := RetryDelay(err)
			if err == nil || IsPermanent(err) != tt.permanent || delay != tt.delay || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("Perform = %v, permanent %v, after %s", err, IsPermanent(err), delay)
			}
		})
	}
}

func TestRetryAfterMayBeADate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"Sun, 01 Mar 2026 12:01:30 GMT": 90 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
	} {
		if got, ok := retryAfter(value, now); !ok || got != want {
			t.Errorf("retryAfter(%s) = %s, %v, want %s", value, got, ok, want)
		}
	}
}

func TestAResponseIsBounded(t *testing.T) {
	t.Parallel()
	limit := func(c *HTTPConfig) { c.MaxResponseBytes = 4 }
	for body, fits := range map[string]bool{"four": true, "fives": false} {
		h := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }, limit)
		got, err := h.Perform(t.Context(), name, "k", nil)
		if fits && (err != nil || string(got) != body) || !fits && (!IsPermanent(err) || got != nil) {
			t.Errorf("%s: Perform = %s, %v", body, got, err)
		}
	}
}

func TestNoErrorOfAnHTTPCallHoldsItsAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"http://user:s3cret@127.0.0.1:1/p?token=s3cret", "http://[::1%s3cret/", "ftp://s3cret", "s3cret"} {
		h, err := NewHTTP(HTTPConfig{URL: address})
		if err == nil {
			_, err = h.Perform(t.Context(), name, "k", nil)
		}
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := NewHTTP(HTTPConfig{URL: "http://x", MaxResponseBytes: -1}); err == nil {
		t.Error("a negative bound passed")
	}
}

func TestAnHTTPCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	h := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := h.Perform(ctx, name, "k", nil); !errors.Is(err, context.Canceled) || IsPermanent(err) {
		t.Errorf("Perform = %v, want the cancellation", err)
	}
}
