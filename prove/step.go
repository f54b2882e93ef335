package prove

import (
	"context"
	"fmt"
	"time"

	"factline.dev/prove/check"
	"factline.dev/prove/report"
)

// step does its part and reports what it saw. An error means that the proof
// cannot go on.
type step struct {
	name string
	do   func(context.Context, *outcome) error
}

// perform takes the steps one after the other into the report.
func perform(ctx context.Context, steps []step, r *report.Report, told func(report.Step)) error {
	for _, st := range steps {
		started := time.Now()
		out := &outcome{step: report.Step{Name: st.name, Verdict: report.Pass}}
		err := st.do(ctx, out)
		if err != nil {
			out.fail(err.Error())
		}
		out.step.Seconds = time.Since(started).Seconds()
		r.Steps = append(r.Steps, out.step)
		told(out.step)
		if err != nil {
			return fmt.Errorf("prove: the proof ended early at %q: %w", st.name, err)
		}
	}
	return nil
}

// conclude sets the verdict. A proof that could not be run to its end, or could
// not tidy up, has not passed.
func conclude(r *report.Report, started time.Time, err error) {
	r.Seconds = time.Since(started).Seconds()
	r.Judge()
	if err != nil && r.Verdict == report.Pass {
		r.Verdict = report.Inconclusive
	}
}

// outcome gathers what a step saw.
type outcome struct{ step report.Step }

func (o *outcome) saw(format string, args ...any) {
	o.step.Observed = append(o.step.Observed, fmt.Sprintf(format, args...))
}

func (o *outcome) fail(problems ...string) {
	if len(problems) > 0 {
		o.step.Problems = append(o.step.Problems, problems...)
		o.step.Verdict = report.Fail
	}
}

// check adds a judgement; a problem fails the step.
func (o *outcome) check(r check.Result) {
	o.saw("%s: %s", r.Name, r.Observed)
	o.fail(r.Problems...)
}

// fired adds the evidence of a fault; without it the step tested nothing.
func (o *outcome) fired(r check.Result) {
	o.saw("%s: %s", r.Name, r.Observed)
	if !r.OK() {
		o.step.Problems = append(o.step.Problems, r.Problems...)
		if o.step.Verdict == report.Pass {
			o.step.Verdict = report.Inconclusive
		}
	}
}
