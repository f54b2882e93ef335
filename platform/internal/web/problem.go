package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"factline.dev/envelope"
)

// Problem is the one form of every refusal and failure, after RFC 9457. As an
// error it makes a handler refuse.
type Problem struct { //nolint:errname // RFC 9457 calls it a problem, and most are answers
	Type   string `json:"type" doc:"URI that names the kind of problem"`
	Title  string `json:"title" doc:"The kind of problem in words"`
	Status int    `json:"status" doc:"HTTP status"`
	Detail string `json:"detail,omitempty" doc:"What is wrong in this case, and what to do"`
	// Instance names this occurrence; the server's log has it too.
	Instance      string      `json:"instance" doc:"URI of this occurrence"`
	Code          string      `json:"code" doc:"Stable code for programs" example:"state.transition-not-allowed"`
	Retryable     bool        `json:"retryable" doc:"The same request may succeed later"`
	CorrelationID string      `json:"correlationId"`
	Version       *int64      `json:"currentVersion,omitempty" doc:"Version of the aggregate now"`
	ReasonCode    string      `json:"reasonCode,omitempty" doc:"Domain reason of a rejection"`
	AcceptedBy    string      `json:"acceptedBy,omitempty" doc:"Who accepted first"`
	AcceptedAt    string      `json:"acceptedAt,omitempty" doc:"When it was accepted first"`
	Violations    []Violation `json:"violations,omitempty"`

	// RetryAfter becomes the header of that name, in whole seconds.
	RetryAfter time.Duration `json:"-"`
	allow      string
}

// Violation is one broken rule. Message never holds what was sent.
type Violation struct {
	Code    string `json:"code"`
	Path    string `json:"path"`
	Message string `json:"message,omitempty"`
}

// Error makes a problem an error.
func (p *Problem) Error() string {
	return fmt.Sprintf("web: refuse with %d %s: %s", p.Status, p.Code, p.Detail)
}

// Refuse returns a problem. detail must be fixed text or our own state.
func Refuse(status int, code, detail string) *Problem {
	return &Problem{Status: status, Code: code, Detail: detail}
}

// NotFound is the answer for an id that does not exist in the caller's tenant.
func NotFound() *Problem {
	return Refuse(http.StatusNotFound, "resource.not-found", "There is nothing under this address for your tenant.")
}

// NotAllowed is the answer to a command that the state does not admit.
func NotAllowed(state string) *Problem {
	return Refuse(http.StatusConflict, "state.transition-not-allowed", "The command is not possible in state "+state+".")
}

const problemType = "https://factline.dev/problems/"

// finish fills what follows from the code and the request.
func (p *Problem) finish(correlationID string) *Problem {
	full := *p
	full.Type = problemType + p.Code
	full.Title = title(p.Code)
	full.Instance = "urn:factline:problem:" + envelope.NewID()
	full.CorrelationID = correlationID
	return &full
}

// title turns "quote.not-priced" into "Quote not priced".
func title(code string) string {
	words := strings.NewReplacer(".", " ", "-", " ").Replace(code)
	return strings.ToUpper(words[:1]) + words[1:]
}

func (p *Problem) response() response {
	body, _ := json.Marshal(p) // strings and integers always encode
	r := response{Status: p.Status, Header: map[string]string{"Content-Type": "application/problem+json"}, Body: body}
	if p.RetryAfter > 0 {
		r.Header["Retry-After"] = strconv.Itoa(int((p.RetryAfter + time.Second - 1) / time.Second))
	}
	if p.allow != "" {
		r.Header["Allow"] = p.allow
	}
	return r
}

// response is an answer as it is sent and as it is stored for repetition.
type response struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   json.RawMessage   `json:"body"`
}

func (r response) write(w http.ResponseWriter) {
	for name, value := range r.Header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body) // the caller is gone: nobody to tell
}
