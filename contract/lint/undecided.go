package lint

import (
	"fmt"
	"strings"

	"factline.dev/contract"
)

// Undecided begins a text that the author of a contract still has to write.
const Undecided = "TBD"

func undecided() Rule {
	return Rule{
		Name:  "undecided",
		Title: "Nothing is left to be written",
		Why: "A draft says what can be known without its author. What stands in place of the rest looks like an " +
			"answer to every other rule, and to whoever is called at night.",
		Good:  "keyReason: all transitions of one order are read in order; a large order can be hot",
		Bad:   "keyReason: \"TBD: say why\"",
		check: checkUndecided,
	}
}

func open(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), Undecided) }

const writeIt = "is still to be written (%q)"

func checkUndecided(r *report) {
	for _, t := range r.Topics() {
		each([][2]string{
			{"description", t.Description}, {"businessOwner", t.BusinessOwner}, {"technicalOwner", t.TechnicalOwner},
		}, func(at, text string) { r.topic(t, at, writeIt, text) })
	}
	for _, e := range r.current() {
		each([][2]string{
			{"description", e.Description},
			{"businessOwner", e.BusinessOwner},
			{"technicalOwner", e.TechnicalOwner},
			{"keyReason", e.KeyReason},
			{"reasonToExist", e.ReasonToExist},
		}, func(at, text string) { r.event(e, at, writeIt, text) })
		for _, f := range e.Fields() {
			if open(f.Description) {
				r.field(e, f.Path, "has a description that "+writeIt, f.Description)
			}
		}
	}
	for _, s := range r.Services() {
		each(wordsOf(s), func(at, text string) { r.service(s, at, writeIt, text) })
	}
}

func wordsOf(s *contract.Service) [][2]string {
	words := [][2]string{{"description", s.Description}, {"team", s.Team}, {"runbook", s.Runbook}}
	for i, g := range s.Groups {
		words = append(words, [2]string{fmt.Sprintf("groups[%d].purpose", i), g.Purpose})
	}
	return words
}

// each calls found with the path of every text that is open, and the text.
func each(texts [][2]string, found func(at, text string)) {
	for _, text := range texts {
		if open(text[1]) {
			found(text[0], text[1])
		}
	}
}
