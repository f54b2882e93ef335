package effect

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"factline.dev/envelope"
)

// HTTPConfig is what [NewHTTP] needs. Zero fields take their defaults.
type HTTPConfig struct {
	// URL is where every call goes. Required.
	URL string
	// Method is the request's method. Default POST.
	Method string
	// Header is sent with every call, such as Authorization. Content-Type is
	// application/json unless it says otherwise. Default none.
	Header http.Header
	// Transport sends requests. Default a clone of http.DefaultTransport.
	Transport http.RoundTripper
	// MaxResponseBytes bounds the body of a response; a longer one gives the
	// call up. Default 64 KiB.
	MaxResponseBytes int64
}

// HTTP is a [Performer] that sends the request as the body of an HTTP request,
// the key as Idempotency-Key and the trace context of the event, and takes a
// 2xx response's body as the answer. 408, 409, 425, 429 and 5xx are retried, after
// Retry-After where the response has one; any other status is permanent. A 409 is
// what the draft on Idempotency-Key answers while the first request of a key is
// still at work.
// Redirects are not followed: they would turn a POST into a GET. Its errors hold
// status and host and neither URL, headers nor bodies. Make one with [NewHTTP].
type HTTP struct {
	cfg    HTTPConfig
	target *url.URL
	client *http.Client
}

// NewHTTP returns a performer for one address. It does not touch the network.
// The deadline of a request is the worker's CallTimeout.
func NewHTTP(cfg HTTPConfig) (*HTTP, error) {
	target, err := url.Parse(cfg.URL)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		// The address may hold a password.
		return nil, errors.New("effect: check HTTP configuration: effect.HTTPConfig.URL: it is no http or https address; write it like https://host/path")
	}
	cfg.Method = cmp.Or(cfg.Method, http.MethodPost)
	cfg.MaxResponseBytes = cmp.Or(cfg.MaxResponseBytes, 64<<10)
	if cfg.MaxResponseBytes < 0 || cfg.MaxResponseBytes > maxBytes {
		return nil, fmt.Errorf("effect: check HTTP configuration: effect.HTTPConfig.MaxResponseBytes: %d is outside 1 to %d", cfg.MaxResponseBytes, maxBytes)
	}
	if cfg.Transport == nil {
		cfg.Transport = http.DefaultTransport
		if standard, ok := cfg.Transport.(*http.Transport); ok {
			cfg.Transport = standard.Clone()
		}
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &HTTP{cfg: cfg, target: target, client: &http.Client{Transport: cfg.Transport, CheckRedirect: stay}}, nil
}

// Perform sends one request.
func (h *HTTP) Perform(ctx context.Context, _, key string, request []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, h.cfg.Method, h.target.String(), bytes.NewReader(request))
	if err != nil {
		return nil, Permanent(fmt.Errorf("make a %s request to %s: method or address is refused", h.cfg.Method, h.target.Host))
	}
	h.setHeader(r, key)
	response, err := h.client.Do(r)
	if err != nil {
		return nil, h.failed(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, h.cfg.MaxResponseBytes+1))
	if response.StatusCode/100 != 2 {
		return nil, h.refused(response)
	}
	if err != nil {
		return nil, h.failed(err)
	}
	if int64(len(body)) > h.cfg.MaxResponseBytes {
		return nil, Permanent(fmt.Errorf("%s %s: answered %d with more than %d bytes; raise effect.HTTPConfig.MaxResponseBytes and retry the call",
			h.cfg.Method, h.target.Host, response.StatusCode, h.cfg.MaxResponseBytes))
	}
	return body, nil
}

func (h *HTTP) setHeader(r *http.Request, key string) {
	r.Header.Set("Content-Type", "application/json")
	if parent := envelope.CauseFrom(r.Context()).Traceparent; parent != "" {
		r.Header.Set("Traceparent", parent)
	}
	for name, values := range h.cfg.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	r.Header.Set("Idempotency-Key", key)
}

// failed leaves out the address, which the client's error repeats.
func (h *HTTP) failed(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("%s %s: %w", h.cfg.Method, h.target.Host, err)
}

func (h *HTTP) refused(response *http.Response) error {
	code := response.StatusCode
	err := fmt.Errorf("%s %s: answered %d %s", h.cfg.Method, h.target.Host, code, http.StatusText(code))
	switch {
	case code == http.StatusRequestTimeout, code == http.StatusConflict, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		if d, ok := retryAfter(response.Header.Get("Retry-After"), time.Now()); ok {
			return RetryAfter(d, err)
		}
		return err
	}
	return Permanent(err)
}

// retryAfter reads both forms of RFC 9110, section 10.2.3.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}
