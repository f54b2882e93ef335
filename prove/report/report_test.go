package report

import (
	"strings"
	"testing"
)

func TestJudgeTakesTheWorstStep(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		steps []Verdict
		want  Verdict
	}{
		{"all passed", []Verdict{Pass, Pass}, Pass},
		{"one failed among inconclusive ones", []Verdict{Pass, Inconclusive, Fail, Pass}, Fail},
		{"a fault that did not fire leaves it open", []Verdict{Pass, Inconclusive, Pass}, Inconclusive},
		{"the first step counts too", []Verdict{Inconclusive, Pass}, Inconclusive},
		{"no step proves nothing", nil, Inconclusive},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var r Report
			for _, v := range c.steps {
				r.Steps = append(r.Steps, Step{Verdict: v})
			}
			if r.Judge(); r.Verdict != c.want {
				t.Errorf("got %s", r.Verdict)
			}
		})
	}
}

func TestTextShowsProblemsAndHowToRepeat(t *testing.T) {
	t.Parallel()
	r := Report{
		Scenario: "slice", Seed: 7, Facts: []Fact{{"broker", "embedded"}}, CannotShow: []string{"replication"},
		Steps: []Step{{Name: "orders", Verdict: Fail, Observed: []string{"9 orders"}, Problems: []string{"quote q1 has 2 orders"}}},
	}
	r.Judge()
	var b strings.Builder
	if err := r.WriteHead(&b); err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Steps {
		if err := s.Write(&b); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.WriteTail(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"seed 7", "embedded", "cannot show", "replication", "FAIL", "9 orders", "quote q1 has 2 orders", "--seed 7", "0 of 1 steps"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}
