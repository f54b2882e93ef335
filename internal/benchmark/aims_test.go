package benchmark

import (
	"strings"
	"testing"
)

func TestAnAimIsJudgedByEveryRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name             string
		atMost           bool
		least, mid, most float64
		want             string
	}{
		{"the slowest run is fast enough", false, 10, 11, 12, "met in every run"},
		{"the slowest run is not", false, 9, 11, 12, "met in the median"},
		{"the middle one is not", false, 9, 9.5, 12, "not met"},
		{"the largest is small enough", true, 8, 9, 10, "met in every run"},
		{"the largest is not", true, 8, 9, 11, "met in the median"},
		{"the middle one is too large", true, 8, 10.5, 11, "not met"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, got := aim{limit: 10, atMost: test.atMost}.judge(Result{Min: test.least, Median: test.mid, Max: test.most})
			if strings.Trim(got, "*") != test.want {
				t.Errorf("judged as %q, want %q", got, test.want)
			}
		})
	}
}

// A subject with another name would leave its aim without a line.
func TestEveryAimIsOfASubjectThatIsMeasured(t *testing.T) {
	t.Parallel()
	for _, a := range aims() {
		var results []Result
		for name := range strings.FieldsSeq(subjects()[a.benchmark]) {
			results = append(results, Result{Benchmark: a.benchmark, Subject: name, Median: 1, Min: 1, Max: 1})
		}
		got := a.rows(results)
		if elsewhere := strings.Contains(got, "see "+beside); got == "" || elsewhere != (a.where != "") {
			t.Errorf("%s %s has the lines %q", a.benchmark, a.subject, got)
		}
	}
}

func TestAPatternOfAnAimTakesEachRatioForItself(t *testing.T) {
	t.Parallel()
	a := aim{benchmark: "growth", subject: "drain_*/drain_0", limit: 0.9}
	got := a.rows([]Result{
		{Benchmark: "growth", Subject: "drain_1m/drain_0", Median: 1, Min: 0.95},
		{Benchmark: "growth", Subject: "drain_5m/drain_0", Median: 0.8, Min: 0.7},
		{Benchmark: "growth", Subject: "drain_5m", Median: 200_000},
		{Benchmark: "relay", Subject: "drain_2m/drain_0", Median: 1},
	})
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, "`growth drain_1m/drain_0` | 1.00 | 0.95 | met in every run |") || !strings.Contains(got, "**not met**") {
		t.Errorf("the lines are\n%s", got)
	}
}
