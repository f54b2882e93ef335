package prove

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"factline.dev/prove/history"
	"factline.dev/prove/report"
)

func TestStormConfigErrorsNameTheField(t *testing.T) {
	t.Parallel()
	_, err := Storm(t.Context(), StormConfig{For: 1, Drain: 1, MinLife: 2 * time.Second, MaxLife: time.Second, Rate: -1, Aggregates: 1})
	for _, field := range []string{"For", "Drain", "MaxLife", "Rate", "Aggregates"} {
		if err == nil || !strings.Contains(err.Error(), "prove.StormConfig."+field+":") {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

func TestAStormRefusesADatabaseItCannotPutAProxyBefore(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"host=/tmp user=postgres", "postgres:///postgres?host=/tmp", "%"} {
		if got, err := withDatabase(url, "x"); err == nil {
			t.Errorf("%s became %s", url, got)
		}
	}
	if got, err := withDatabase("postgres://u:p@h:1/postgres?sslmode=disable", "x"); err != nil || got != "postgres://u:p@h:1/x?sslmode=disable" {
		t.Errorf("%s, %v", got, err)
	}
}

// newDryStorm has the clients of a storm and no servers.
func newDryStorm(seed uint64, binary string) *storm {
	cfg := StormConfig{Seed: seed, Binary: binary}.WithDefaults()
	s := &storm{stormStack: &stormStack{cfg: cfg, session: embeddedSession}, dice: newDice(seed)}
	s.newClient("writers", toDatabase)
	for n := 1; n <= stormRelays; n++ {
		s.newClient(relayName(history.StormSource, n), toDatabase, toBroker)
	}
	s.newClient(memberName(1), toDatabase, toBroker)
	return s
}

func TestEveryStormTakesEachRelayOfTheWritersAwayForLongerThanItsLease(t *testing.T) {
	t.Parallel()
	for _, binary := range []string{"", "factline"} {
		away := make(map[string]bool)
		s := newDryStorm(1, binary)
		sum := time.Duration(0)
		for _, m := range s.tracks()[0].first {
			away[s.nameOf(m)] = away[s.nameOf(m)] || (m.what == toDatabase || m.what == sigstop) && m.length > stormLease
			sum += s.cfg.Gap + m.length
		}
		if !away[relayName(history.StormSource, 1)] || !away[relayName(history.StormSource, 2)] {
			t.Errorf("%q: %v", binary, away)
		}
		if sum > 10*time.Second {
			t.Errorf("%q: the shortest storm ends before the last of them, which is over after %s", binary, sum)
		}
	}
}

func TestEveryStormCutsAMemberOffForLongerThanItsSession(t *testing.T) {
	t.Parallel()
	for _, session := range []time.Duration{embeddedSession, realSession} {
		s := newDryStorm(1, "")
		s.session = session
		m := s.tracks()[1].first[0]
		if s.nameOf(m) != memberName(1) || m.what != toBroker || m.length <= session || m.length+s.cfg.Gap > 10*time.Second {
			t.Errorf("session %s: %s %+v", session, s.nameOf(m), m)
		}
	}
}

func TestConnectionsGoSilentOnlyInAStormThatIsToldTo(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{false, true} {
		s, seen := newDryStorm(1, ""), 0
		s.cfg.Silence = told
		for _, tr := range s.tracks() {
			for n := range 100 {
				if m := tr.draw(n); m.silences {
					seen++
					if m.what != toDatabase {
						t.Errorf("%+v", m)
					}
				}
			}
		}
		if (seen >= 8) != told || (seen == 0) == told {
			t.Errorf("told %v: %d of 200 mishaps silence connections", told, seen)
		}
		if first := s.tracks()[1].first[0]; first.silences != told {
			t.Errorf("told %v: the first mishap is %+v", told, first)
		}
	}
}

func drawMishaps(seed uint64, binary string) (all []mishap) {
	for _, tr := range newDryStorm(seed, binary).tracks() {
		for n := range 100 {
			all = append(all, tr.draw(n))
		}
	}
	return all
}

func TestTheSameSeedBringsTheSameMishapsOfEveryKind(t *testing.T) {
	t.Parallel()
	drawn := drawMishaps(7, "factline")
	if !slices.Equal(drawn, drawMishaps(7, "factline")) || slices.Equal(drawn, drawMishaps(8, "factline")) {
		t.Error("the seed does not decide")
	}
	seen := make(map[string]int)
	for _, m := range drawn {
		seen[m.what]++
		if m.client < 0 {
			seen["everyone"]++
		}
		if m.quietly {
			seen["quiet"]++
		}
		if isSignal := m.what == sigkill || m.what == sigstop; isSignal && m.client != 1 && m.client != 2 {
			t.Errorf("%s for client %d, which is no process", m.what, m.client)
		}
		if m.length > 3*stormLease || m.length < time.Second && m.what != sigkill {
			t.Errorf("%+v", m)
		}
	}
	for _, kind := range []string{toDatabase, toBroker, sigkill, sigstop, "everyone", "quiet"} {
		if seen[kind] < 8 || seen[kind] > 150 {
			t.Errorf("of 200: %v", seen)
		}
	}
	for _, m := range drawMishaps(7, "") {
		if m.what == sigkill || m.what == sigstop {
			t.Errorf("%+v without processes", m)
		}
	}
}

func TestOnlyPartitionsThatWereGivenAreNoted(t *testing.T) {
	t.Parallel()
	var a assignments
	a.add("member 1", nil)
	a.add("member 2", map[string][]int32{"t": {0, 3}})
	if all := a.taken(); len(all) != 1 || all[0].Member != "member 2" || !slices.Equal(all[0].Partitions, []string{"t/0", "t/3"}) {
		t.Errorf("%+v", all)
	}
}

func TestAStormInWhichLanesWereOnlySharedIsInconclusive(t *testing.T) {
	t.Parallel()
	for takeovers, want := range map[int]report.Verdict{8: report.Inconclusive, 9: report.Pass} {
		s := newDryStorm(1, "")
		s.final.Storm = &history.Storm{Settled: map[string]int{history.StormSource: 8}, Takeovers: map[string]int{history.StormSource: takeovers}}
		out := &outcome{step: report.Step{Verdict: report.Pass}}
		s.judgeTakeovers(out)
		if out.step.Verdict != want {
			t.Errorf("8 takeovers by sharing and %d at the end: %s (%q), want %s", takeovers, out.step.Verdict, out.step.Problems, want)
		}
	}
}

func TestAStormWaitsUntilEachMemberHasItsShare(t *testing.T) {
	t.Parallel()
	s := newDryStorm(1, "")
	give := func(member int, partitions ...int32) {
		s.assignments.add(memberName(member), map[string][]int32{s.postings(): partitions})
	}
	for n, hand := range []func(){
		func() {}, func() { give(1, 0, 1, 2, 3, 4, 5) }, func() { give(2, 3, 4, 5) },
	} {
		if hand(); s.isShared() {
			t.Errorf("shared after %d assignments", n)
		}
	}
	if give(3, 2, 5); !s.isShared() {
		t.Error("not shared when each has two")
	}
}

func TestAPartThatEndsByItselfOrNotAtAllIsAProblem(t *testing.T) {
	t.Parallel()
	s := newDryStorm(1, "")
	release := make(chan struct{})
	defer close(release)
	s.run(t.Context(), "obeys", func(ctx context.Context) error { <-ctx.Done(); return nil })
	s.run(t.Context(), "fails", func(ctx context.Context) error { <-ctx.Done(); return errors.New("no broker") })
	s.run(t.Context(), "hangs", func(context.Context) error { <-release; return nil })
	s.run(t.Context(), "gives up", func(context.Context) error { return nil })
	<-s.parts[3].done
	endings := s.stop(50 * time.Millisecond)
	want := map[string]string{
		"obeys": "", "fails": "no broker", "hangs": "it did not end within 50ms", "gives up": "", "gives up ended by itself: <nil>": "it was not told to",
	}
	for name, ending := range want {
		if got, ok := endings[name]; !ok || got != ending {
			t.Errorf("%s: %q, want %q", name, got, ending)
		}
	}
	if len(endings) != len(want) {
		t.Errorf("%q", endings)
	}
}
