package lint

import (
	"slices"
	"strings"

	"factline.dev/contract"
)

func eventRequestResponse() Rule {
	return Rule{
		Name:  "event-request-response",
		Title: "Events are no requests with responses",
		Why: "A request and its response over topics is a remote call without a timeout: the caller waits for a " +
			"record that may come twice, late or in a replay. Ask over HTTP; publish facts.",
		Good:  "PriceCalculated",
		Bad:   "GetPriceRequest with GetPriceResponse, PriceRequested with PriceResponded, or a payload field replyTo",
		check: checkRequestResponse,
	}
}

func checkRequestResponse(r *report) {
	names := map[string]bool{}
	for _, e := range r.current() {
		names[e.Type] = true
	}
	for _, e := range r.current() {
		checkReplyTo(r, e)
		words := splitWords(e.Type)
		last := words[len(words)-1]
		if asks(words) {
			r.event(e, "eventType", "is one half of a call; ask over HTTP and publish the fact that follows")
			continue
		}
		if last != "Responded" && last != "Replied" && last != "Answered" {
			continue
		}
		if asked := strings.TrimSuffix(e.Type, last) + "Requested"; names[asked] {
			r.event(e, "eventType", "answers %s; ask over HTTP and publish the fact that follows", asked)
		}
	}
}

// replyFields say where an answer is waited for.
var replyFields = []string{"replychannel", "replyqueue", "replyto", "replytopic", "responsechannel", "responsequeue", "responsetopic"}

func checkReplyTo(r *report, e *contract.Event) {
	for _, f := range e.Fields() {
		if slices.Contains(replyFields, strings.ToLower(lastName(f.Path))) {
			r.field(e, f.Path, "has the field %s, so somebody waits for an answer; ask over HTTP and publish the fact that follows", f.Path)
		}
	}
}
