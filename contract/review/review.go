package review

import (
	"time"

	"factline.dev/contract"
	"factline.dev/contract/lint"
)

// Verdict is the answer to a question in a word.
type Verdict string

// The verdicts.
const (
	// Yes: the evidence answers the question.
	Yes Verdict = "yes"
	// Waived: it does not, and somebody answers for that until a day.
	Waived Verdict = "waived"
	// No: it does not.
	No Verdict = "no"
)

// Answer is one question with its answer.
type Answer struct {
	// Number is the question's place, 1 to 14.
	Number int `json:"number"`
	// Question is asked about an event; for a topic it is asked of all its events.
	Question string `json:"question"`
	// Verdict is the worst that the evidence says.
	Verdict Verdict `json:"verdict"`
	// Evidence is what the catalogue declares about it.
	Evidence []string `json:"evidence"`
	// Problems are why the verdict is not yes.
	Problems []Problem `json:"problems"`
}

// Problem is what stands against a yes.
type Problem struct {
	// File and Line are where it stands, inside the contracts folder.
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	// Message says what is wrong and what to do.
	Message string `json:"message"`
	// Waived says until when and by whom it is let pass, empty for not.
	Waived string `json:"waived,omitempty"`
}

// Review is all the answers about one subject.
type Review struct {
	// Subject is the name of the event or topic, Kind says which.
	Subject string `json:"subject"`
	Kind    string `json:"kind"`
	// Version is the event's version, 0 for a topic.
	Version int      `json:"version,omitempty"`
	Verdict Verdict  `json:"verdict"`
	Answers []Answer `json:"answers"`
}

// Reviewer answers for one catalogue on one day. Its methods are safe for
// concurrent use.
type Reviewer struct {
	catalogue *contract.Catalogue
	problems  []problem
}

// problem is a finding of lint, waived or not.
type problem struct {
	lint.Finding
	waived string
}

// New runs the rules once for all reviews. today decides which waivers hold.
func New(c *contract.Catalogue, today time.Time) *Reviewer {
	r := &Reviewer{catalogue: c}
	result := lint.Check(c, today)
	for _, f := range result.Findings {
		r.problems = append(r.problems, problem{Finding: f})
	}
	for _, f := range result.Waived {
		r.problems = append(r.problems, problem{f.Finding, "by " + f.Waiver.Owner + " until " + f.Waiver.Expires})
	}
	return r
}

// Event reviews one version of an event, together with its topic.
func (r *Reviewer) Event(e *contract.Event) Review {
	t, _ := r.catalogue.Topic(e.Topic)
	s := subject{catalogue: r.catalogue, topic: t, events: []*contract.Event{e}}
	review := r.answer(s)
	review.Subject, review.Kind, review.Version = e.Type, "event", e.Version
	return review
}

// Topic reviews a topic together with the newest version of its events.
func (r *Reviewer) Topic(t *contract.Topic) Review {
	s := subject{catalogue: r.catalogue, topic: t}
	for _, e := range r.catalogue.Current() {
		if e.Topic == t.Name {
			s.events = append(s.events, e)
		}
	}
	review := r.answer(s)
	review.Subject, review.Kind = t.Name, "topic"
	return review
}

func (r *Reviewer) answer(s subject) Review {
	review := Review{Verdict: Yes}
	for i, q := range questions() {
		a := Answer{Number: i + 1, Question: q.text, Verdict: Yes, Evidence: q.evidence(s), Problems: []Problem{}}
		if q.missing != nil {
			a.Problems = append(a.Problems, q.missing(s)...)
		}
		for _, p := range r.problems {
			if q.asks(p.Finding) && s.concerns(p.Finding) {
				a.Problems = append(a.Problems, Problem{p.File, p.Line, p.Text() + " (" + p.Rule + ")", p.waived})
			}
		}
		a.Verdict = worst(a.Problems)
		review.Answers = append(review.Answers, a)
		review.Verdict = worse(review.Verdict, a.Verdict)
	}
	return review
}

func worst(problems []Problem) Verdict {
	v := Yes
	for _, p := range problems {
		if p.Waived == "" {
			return No
		}
		v = Waived
	}
	return v
}

func worse(a, b Verdict) Verdict {
	switch {
	case a == No || b == No:
		return No
	case a == Waived || b == Waived:
		return Waived
	}
	return Yes
}
