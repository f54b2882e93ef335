package prove

import (
	"strings"
	"testing"

	"factline.dev/platform"
	"factline.dev/prove/check"
	"factline.dev/prove/history"
	"factline.dev/prove/report"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	t.Parallel()
	_, err := Slice(t.Context(), Config{Quotes: 1, Patience: 1})
	for _, field := range []string{"Binary", "Quotes", "Patience"} {
		if err == nil || !strings.Contains(err.Error(), "prove.Config."+field+":") {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

func TestAFaultWithoutEvidenceLeavesAStepOpenAndAProblemFailsIt(t *testing.T) {
	t.Parallel()
	bad, good := check.Result{Name: "n", Problems: []string{"p"}}, check.Result{Name: "n"}
	cases := []struct {
		name string
		do   func(*outcome)
		want report.Verdict
	}{
		{"all is well", func(o *outcome) { o.fired(good); o.check(good) }, report.Pass},
		{"the fault did not fire", func(o *outcome) { o.fired(bad); o.check(good) }, report.Inconclusive},
		{"the fault did not fire and something is lost", func(o *outcome) { o.fired(bad); o.check(bad) }, report.Fail},
		{"something is lost before the fault", func(o *outcome) { o.check(bad); o.fired(bad) }, report.Fail},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := &outcome{step: report.Step{Verdict: report.Pass}}
			if c.do(o); o.step.Verdict != c.want {
				t.Errorf("got %s", o.step.Verdict)
			}
		})
	}
}

func TestEveryPointOfTheLessonIsKilledAt(t *testing.T) {
	t.Parallel()
	var titles []string
	for _, s := range (&slice{stack: &stack{}}).steps() {
		titles = append(titles, s.name)
	}
	all := strings.Join(titles, "\n")
	for _, want := range []string{
		"SIGKILL between commit and publish", "SIGKILL between publish and receipt",
		"SIGKILL between effect and offset commit of order capture", "SIGKILL between effect and offset commit of the read model",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not among\n%s", want, all)
		}
	}
}

// The prover names groups itself, so that it waits for each; a group that the
// catalogue renames would be waited for in vain.
func TestTheGroupsThatAreAwaitedAreThoseOfTheContracts(t *testing.T) {
	t.Parallel()
	catalogue, err := platform.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range readings() {
		group, ok := catalogue.Group(r.group)
		if !ok || group.Service != r.service {
			t.Errorf("%s is no group of %s", r.group, r.service)
			continue
		}
		if _, reads := group.Mode(r.topic); !reads {
			t.Errorf("%s does not read %s", r.group, r.topic)
		}
	}
}

func TestAForgedEventHasAnIdAndAVersionOfItsOwn(t *testing.T) {
	t.Parallel()
	catalogue, err := platform.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	event, _ := catalogue.Event("OrderCompleted", 1)
	example, ok := event.Example("full")
	if !ok {
		t.Fatal("no example")
	}
	s := &slice{}
	last := history.Record{EventID: "e", Raw: history.RawRecord{Key: []byte("k"), Value: example.Value}}
	sound, err := s.forge(last, 2, func(payload) {})
	if err != nil {
		t.Fatal(err)
	}
	broken, err := s.forge(last, 1, func(p payload) { delete(p, "completedAt") })
	if err != nil {
		t.Fatal(err)
	}
	if err := catalogue.Validate("OrderCompleted", 1, sound.Value); err != nil {
		t.Errorf("the sound one: %v", err)
	}
	if err := catalogue.Validate("OrderCompleted", 1, broken.Value); err == nil {
		t.Error("the broken one keeps its contract")
	}
	if string(sound.Key) != "k" || len(sound.Headers) == 0 || string(sound.Value) == string(example.Value) {
		t.Errorf("%q with %d headers", sound.Key, len(sound.Headers))
	}
}
