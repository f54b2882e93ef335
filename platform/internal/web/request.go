package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"factline.dev/envelope"
	"factline.dev/platform/internal/database"
)

// Headers of every request and answer.
const (
	HeaderTenant         = "X-Tenant-Id"
	HeaderActor          = "X-Actor-Id"
	HeaderCorrelation    = "X-Correlation-Id"
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderReplayed       = "Idempotency-Replayed"
	headerTraceparent    = "Traceparent"
)

// AnonymousActor acts where a request names nobody.
const AnonymousActor = "user_anonymous"

const maxBodyBytes = 1 << 20

var (
	idPattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$`)
	keyPattern   = regexp.MustCompile(`^[\x20-\x7e]{1,128}$`)
	tracePattern = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$`)
	etagPattern  = regexp.MustCompile(`^(?:W/)?"([\x21\x23-\x7e]*)"$`)
)

// ValidID reports whether text has the form of an identifier.
func ValidID(text string) bool { return idPattern.MatchString(text) }

// withCause gives the request its correlation id and a span of its own within
// the caller's trace, or within a new one.
func withCause(r *http.Request) *http.Request {
	correlation := r.Header.Get(HeaderCorrelation)
	if !ValidID(correlation) {
		correlation = "corr_" + envelope.NewID()
	}
	cause := envelope.Cause{CorrelationID: correlation, Traceparent: traceparent(r.Header.Get(headerTraceparent))}
	return r.WithContext(envelope.WithCause(r.Context(), cause))
}

func traceparent(incoming string) string {
	const zeroTrace, zeroSpan = "00000000000000000000000000000000", "0000000000000000"
	trace, flags := randomHex(16), "01"
	if m := tracePattern.FindStringSubmatch(incoming); m != nil && m[1] != zeroTrace && m[2] != zeroSpan {
		trace, flags = m[1], m[3]
	}
	return "00-" + trace + "-" + randomHex(8) + "-" + flags
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

func correlationOf(ctx context.Context) string { return envelope.CauseFrom(ctx).CorrelationID }

func tenantOf(r *http.Request) (string, *Problem) {
	tenant := r.Header.Get(HeaderTenant)
	switch {
	case !ValidID(tenant):
		return "", Refuse(http.StatusBadRequest, "tenant.missing", "Send the header X-Tenant-Id with the id of your tenant.")
	case tenant == database.Platform:
		return "", Refuse(http.StatusForbidden, "tenant.mismatch", "This tenant cannot be used by a request.")
	}
	return tenant, nil
}

func actorOf(r *http.Request) (string, *Problem) {
	actor := r.Header.Get(HeaderActor)
	switch {
	case actor == "":
		return AnonymousActor, nil
	case !ValidID(actor):
		return "", malformed("The header X-Actor-Id is no identifier.")
	}
	return actor, nil
}

func keyOf(r *http.Request) (string, *Problem) {
	key := r.Header.Get(HeaderIdempotencyKey)
	if !keyPattern.MatchString(key) {
		return "", Refuse(http.StatusBadRequest, "idempotency.key-missing",
			"Send the header Idempotency-Key with 1 to 128 printable ASCII characters, a new one for each command.")
	}
	return key, nil
}

// noVersion is an entity tag that no version of ours has.
const noVersion = -1

// ifMatch reads If-Match: nil where it is missing.
func ifMatch(r *http.Request) (*int64, *Problem) {
	text := strings.TrimSpace(r.Header.Get("If-Match"))
	if text == "" {
		return nil, nil
	}
	m := etagPattern.FindStringSubmatch(text)
	if m == nil {
		return nil, malformed(`The header If-Match must hold one entity tag, such as "3", as the last answer carried it.`)
	}
	version, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || strings.HasPrefix(text, "W/") {
		version = noVersion
	}
	return &version, nil
}

func malformed(detail string) *Problem {
	return Refuse(http.StatusBadRequest, "request.malformed", detail)
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }
