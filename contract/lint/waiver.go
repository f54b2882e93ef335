package lint

import (
	"slices"
	"time"

	"factline.dev/contract"
)

// longestWaiver is how far ahead a waiver may end.
const longestWaiver = 366 * 24 * time.Hour

func waiver() Rule {
	return Rule{
		Name:  WaiverRule,
		Title: "A waiver is needed, explained and comes to an end",
		Why: "A waiver is a debt somebody answers for. One without an end switches its rule off for good; one that " +
			"nothing needs any more hides the next mistake in the same place.",
		Good:  "waivers.yaml: rule: event-thin, subject: QuoteViewed, owner, a reason in a sentence, expires: in three months",
		Bad:   "expires: 2199-12-31, or a waiver of last year",
		check: func(*report) {}, // see settle: it needs what the other rules found
	}
}

// WaiverRule is the name of the rule about waivers, the only one that no waiver
// covers.
const WaiverRule = "waiver"

// settle takes out of the findings what a waiver covers, and adds what is wrong
// with the waivers. No waiver covers that.
func settle(c *contract.Catalogue, found []Finding, today time.Time) Result {
	result := Result{Findings: []Finding{}, Waived: []Waived{}}
	used := map[*contract.Waiver]bool{}
	for _, f := range found {
		w := waiverOf(c, f)
		if w == nil || w.ExpiredOn(today) {
			result.Findings = append(result.Findings, f)
		} else {
			result.Waived = append(result.Waived, Waived{f, w})
		}
		if w != nil {
			used[w] = true
		}
	}
	r := &report{Catalogue: c, rule: WaiverRule}
	for _, w := range c.Waivers() {
		checkWaiver(r, w, used[w], today)
	}
	result.Findings = append(result.Findings, r.found...)
	return result
}

// waiverOf returns the waiver of a finding that ends last, nil for none.
func waiverOf(c *contract.Catalogue, f Finding) *contract.Waiver {
	var last *contract.Waiver
	for _, w := range c.Waivers() {
		if w.Rule == f.Rule && w.Subject == f.Subject && (w.Path == "" || w.Path == f.Path) && (last == nil || w.Expires > last.Expires) {
			last = w
		}
	}
	return last
}

func checkWaiver(r *report, w *contract.Waiver, used bool, today time.Time) {
	known := slices.ContainsFunc(Rules(), func(rule Rule) bool { return rule.Name == w.Rule })
	end, _ := time.Parse(time.DateOnly, w.Expires)
	switch {
	case !known || w.Rule == WaiverRule:
		r.waiver(w, "rule", "waives %q, which is no rule that can be waived", w.Rule)
	case w.ExpiredOn(today):
		r.waiver(w, "expires", "ended on %s; mend what it covers, or decide again", w.Expires)
	case !used:
		r.waiver(w, "subject", "waives %s, which is not broken there; take the waiver out", w.Rule)
	case end.Sub(today) > longestWaiver:
		r.waiver(w, "expires", "ends on %s; a waiver runs for a year at most", w.Expires)
	case len(w.Reason) < shortestReason:
		r.waiver(w, "reason", "does not say why %s may be broken; say in a sentence what depends on it", w.Rule)
	}
}
