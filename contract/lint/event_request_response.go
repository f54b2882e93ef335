package lint

import "strings"

func eventRequestResponse() Rule {
	return Rule{
		Name:  "event-request-response",
		Title: "Events are no requests with responses",
		Why: "A request and its response over topics is a remote call without a timeout: the caller waits for a " +
			"record that may come twice, late or in a replay. Ask over HTTP; publish facts.",
		Good:  "PriceCalculated",
		Bad:   "PriceRequest with PriceResponse, or PriceRequested with PriceResponded",
		check: checkRequestResponse,
	}
}

func checkRequestResponse(r *report) {
	names := map[string]bool{}
	for _, e := range r.current() {
		names[e.Type] = true
	}
	for _, e := range r.current() {
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
