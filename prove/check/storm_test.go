package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"factline.dev/prove/history"
)

// storm is what a good storm leaves: two accounts, versions 1 to 3 each, with
// the effects, the caused events and the sums that belong to them.
type storm struct {
	operations      []history.Operation
	recorded        []string
	source, sink    []history.Event
	log             []history.Record
	effects         []history.Effect
	written, booked []history.Balance
}

func goodStorm() storm {
	var s storm
	for _, account := range []string{"acc_1", "acc_2"} {
		for v := int64(1); v <= 3; v++ {
			id := fmt.Sprintf("%s-%d", account, v)
			s.operations = append(s.operations, history.Operation{ID: "op-" + id, EventIDs: []string{id}, Outcome: history.OK})
			s.recorded = append(s.recorded, "op-"+id)
			s.source = append(s.source, history.Event{EventID: id, AggregateID: account, Version: v})
			s.sink = append(s.sink, history.Event{EventID: "because-" + id, AggregateID: account, Version: v})
			s.log = append(s.log, history.Record{EventID: id}, history.Record{EventID: "because-" + id, CausationID: id})
			s.effects = append(s.effects, history.Effect{Sequence: int64(len(s.effects) + 1), AccountID: account, Version: v, EventID: id})
		}
		s.written = append(s.written, history.Balance{AccountID: account, Amount: 30, Entries: 3})
	}
	s.booked = slices.Clone(s.written)
	s.operations = append(s.operations,
		history.Operation{ID: "op-failed", EventIDs: []string{"none"}, Outcome: history.Failed, Reason: "rolled back"},
		history.Operation{ID: "op-unknown", EventIDs: []string{"neither"}, Outcome: history.Unknown})
	return s
}

// judge runs every check of a storm that looks at databases and log.
func (s storm) judge() []Result {
	return []Result{
		OperationsAreWhole(s.operations, s.recorded, s.source),
		EffectsInTurn(s.source, s.effects),
		SameBalances(s.written, s.booked),
		CausedInTurn(s.source, s.sink, s.log),
	}
}

func problemsOf(results []Result) string {
	var all []string
	for _, r := range results {
		all = append(all, r.Problems...)
	}
	return strings.Join(all, "\n")
}

func TestAGoodStormHasNoProblems(t *testing.T) {
	t.Parallel()
	if problems := problemsOf(goodStorm().judge()); problems != "" {
		t.Error(problems)
	}
}

// What the library would do wrong without its gates, inbox and versions.
func TestEverySabotageOfAStormTurnsACheckRed(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, want string
		sabotage   func(*storm)
	}{
		{"a commit that was answered is lost", "op-acc_1-1 was answered as committed and is not there", func(s *storm) { s.recorded = s.recorded[1:] }},
		{"a rollback is committed", "op-failed was told to have failed (rolled back) and is there", func(s *storm) { s.recorded = append(s.recorded, "op-failed") }},
		{"an unknown outcome is done by half", "op-unknown is there: true, its event neither: false", func(s *storm) { s.recorded = append(s.recorded, "op-unknown") }},
		{"an event is committed without its state", "op-unknown is there: false, its event neither: true", func(s *storm) {
			s.source = append(s.source, history.Event{EventID: "neither", AggregateID: "acc_1", Version: 4})
		}},
		{"state nobody wrote", "op-else is there and nobody wrote it", func(s *storm) { s.recorded = append(s.recorded, "op-else") }},
		{"an event nobody wrote", "event else is committed and nobody wrote it", func(s *storm) {
			s.source = append(s.source, history.Event{EventID: "else", AggregateID: "acc_1", Version: 4})
		}},
		{"nothing failed", "nothing is proved without both", func(s *storm) { s.operations = s.operations[:6] }},
		{"a member without inbox and gate handles an event again", "acc_1: the effect of version 2 (event acc_1-2) follows that of version 3", func(s *storm) {
			s.effects = append(s.effects, history.Effect{Sequence: 99, AccountID: "acc_1", Version: 2, EventID: "acc_1-2"})
		}},
		{"and adds up again", "acc_1: 30 written in 3 entries, 40 booked in 4", func(s *storm) { s.booked[0].Amount, s.booked[0].Entries = 40, 4 }},
		{"and appends again", `acc_1 version 4 was caused by "acc_1-2", which caused another one`, func(s *storm) {
			s.sink = append(s.sink, history.Event{EventID: "again", AggregateID: "acc_1", Version: 4})
			s.log = append(s.log, history.Record{EventID: "again", CausationID: "acc_1-2"})
		}},
		{"a member without a gate handles a later version first", "acc_1: the effect of version 3 (event acc_1-3) follows that of version 1", func(s *storm) {
			s.effects[1].Sequence, s.effects[2].Sequence = 3, 2
		}},
		{"what it appends follows", "acc_1 version 1 was caused by version 2 of acc_1", func(s *storm) { s.sink[0].Version, s.sink[1].Version = 2, 1 }},
		{"an effect is lost at the end", "acc_2: effects reach version 2 and version 3 was committed", func(s *storm) { s.effects = s.effects[:5] }},
		{"a member commits an offset before the effect", "acc_1: the effect of version 3 (event acc_1-3) follows that of version 1", func(s *storm) { s.effects = slices.Delete(s.effects, 1, 2) }},
		{"an effect of an event that was rolled back", "the effect of event none as version 4 was never committed so", func(s *storm) {
			s.effects = append(s.effects, history.Effect{Sequence: 99, AccountID: "acc_2", Version: 4, EventID: "none"})
		}},
		{"an event caused nothing", "acc_2 version 3 (acc_2-3) caused no event", func(s *storm) { s.sink = s.sink[:5] }},
		{"an account is booked that nobody wrote", "acc_9 was booked and never written", func(s *storm) { s.booked = append(s.booked, history.Balance{AccountID: "acc_9"}) }},
		{"there is no effect", "there is no effect", func(s *storm) { s.effects = nil }},
		{"nothing was caused", "no event was caused", func(s *storm) { s.sink = nil }},
		{"nothing was written", "nothing was written", func(s *storm) { s.written = nil }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := goodStorm()
			c.sabotage(&s)
			if got := problemsOf(s.judge()); !strings.Contains(got, c.want) {
				t.Errorf("problems\n%s\nwant %q", got, c.want)
			}
		})
	}
}

func TestConnectionsWereCutWantsEvidenceOfBothServers(t *testing.T) {
	t.Parallel()
	good := func() []history.Cut {
		return []history.Cut{
			{Client: "relay 1", Server: "database", Connections: 9, Cut: 5, Busy: 2, Unanswered: 1},
			{Client: "relay 1", Server: "broker", Connections: 9, Cut: 5, Busy: 2, Unanswered: 1},
			{Client: "relay 2", Server: "broker"}, // it stood by and needed none
		}
	}
	cases := []struct {
		name, want string
		change     func([]history.Cut) []history.Cut
	}{
		{"all is well", "", func(c []history.Cut) []history.Cut { return c }},
		{"no proxy", "0 connections to the broker were cut, fewer than 3", func([]history.Cut) []history.Cut { return nil }},
		{"too few", "2 connections to the broker were cut", func(c []history.Cut) []history.Cut { c[1].Cut = 2; return c }},
		{"none in use", "0 were cut in use", func(c []history.Cut) []history.Cut { c[0].Busy = 0; return c }},
		{"every answer came", "0 without an answer", func(c []history.Cut) []history.Cut { c[0].Unanswered = 0; return c }},
		{"one client was spared", "relay 2 kept each of its 10 connections to the broker", func(c []history.Cut) []history.Cut { c[2].Connections = 10; return c }},
		{"one was killed before", "", func(c []history.Cut) []history.Cut { c[2].Connections = 3; return c }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := ConnectionsWereCut(c.change(good()), 3)
			if got := strings.Join(r.Problems, "\n"); (c.want == "") != r.OK() || !strings.Contains(got, c.want) {
				t.Errorf("problems %q, want %q", got, c.want)
			}
		})
	}
}

func TestWhatElseAStormAsks(t *testing.T) {
	t.Parallel()
	stopped := history.Signal{Client: "relay 1", PID: 7, Name: "SIGSTOP", Confirmed: true}
	killed := history.Signal{Client: "relay 1", PID: 7, Name: "SIGKILL", Ending: "killed", Confirmed: true}
	cutOff := []history.Mishap{
		{Client: "member 1", What: "broker silent", From: at(100), To: at(200)},
		{Client: "member 1", What: "database silent", From: at(100), To: at(200)},
		{Client: "relay 1", What: "broker refused", From: at(100), To: at(200)},
	}
	to := func(member string, when int, partitions ...string) history.Assignment {
		return history.Assignment{Member: member, Partitions: partitions, At: at(when)}
	}
	held := to("member 1", 10, "t/0", "t/1")
	given := func(all ...history.Assignment) []history.Assignment { return all }
	offsets := func(n int64) map[string]int64 { return map[string]int64{"t/0": n} }
	lanes := func(takeovers int) map[string]int { return map[string]int{"a": takeovers} }
	cases := []struct {
		name, want string
		got        Result
	}{
		{"a lane changed hands", "", LanesChangedHands(lanes(8), lanes(9), "a")},
		{"lanes were shared and nothing more", "no lane of a changed hands", LanesChangedHands(lanes(8), lanes(8), "a")},
		{"nobody saw them shared", "nobody saw the lanes of a shared", LanesChangedHands(nil, lanes(9), "a")},
		{"they changed hands elsewhere", "no lane of a changed hands", LanesChangedHands(map[string]int{"a": 8, "b": 8}, map[string]int{"a": 8, "b": 12}, "a")},
		{"a process was paused and one killed", "", SignalsFired([]history.Signal{stopped, killed})},
		{"none was killed", "no process obeyed SIGKILL", SignalsFired([]history.Signal{stopped})},
		{"one ended by itself", `ended by "exit 1"`, SignalsFired([]history.Signal{stopped, killed, {Name: "SIGKILL", Ending: "exit 1", Confirmed: true}})},
		{"one did not stand still", "was not seen to obey", SignalsFired([]history.Signal{stopped, killed, {Name: "SIGSTOP"}})},
		{"a partition moved", "", PartitionsMoved(cutOff, given(held, to("member 2", 150, "t/1")))},
		{"two of its own moved", "", PartitionsMoved(cutOff, given(held, to("member 2", 150, "t/0"), to("member 3", 160, "t/1")))},
		{"it came back to the same", "none of its partitions went to another one", PartitionsMoved(cutOff, given(held, to("member 1", 150, "t/0")))},
		{"it moved before and after", "none of its partitions went to another one", PartitionsMoved(cutOff, given(held, to("member 2", 50, "t/0", "t/1"), to("member 2", 250, "t/0")))},
		{"others exchanged theirs", "none of its partitions went to another one", PartitionsMoved(cutOff, given(held, to("member 2", 150, "t/3"), to("member 3", 160, "t/2")))},
		{"it had lost them to others before", "none of its partitions went to another one", PartitionsMoved(cutOff, given(held, to("member 3", 90, "t/0", "t/1"), to("member 2", 150, "t/0")))},
		{"it was given them only later", "none of its partitions went to another one", PartitionsMoved(cutOff, given(to("member 1", 120, "t/0"), to("member 2", 150, "t/0")))},
		{"no member was cut off", "0 times a member was cut off", PartitionsMoved(cutOff[1:], given(held, to("member 2", 150, "t/0")))},
		{"the broker knows less", "", ToldIsNotAhead(offsets(5), offsets(4))},
		{"the broker knows more", "t/0: the broker was told 6, effects reach 5", ToldIsNotAhead(offsets(5), offsets(6))},
		{"the broker knows nothing", "nothing is proved", ToldIsNotAhead(offsets(5), nil)},
		{"all ended well", "", EndedAsAsked(map[string]string{"relay 1": ""})},
		{"one did not", "relay 1: it did not end", EndedAsAsked(map[string]string{"relay 1": "it did not end", "relay 2": ""})},
		{"nothing ran", "nothing ran", EndedAsAsked(nil)},
		{"a silent connection was used", "", ConnectionsWentSilent([]history.Cut{{Server: "database", Silenced: 2, Ignored: 1}})},
		{"none was used", "2 connections to the database went silent", ConnectionsWentSilent([]history.Cut{{Server: "database", Silenced: 2}, {Server: "broker", Ignored: 1}})},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(c.got.Problems, "\n"); (c.want == "") != c.got.OK() || !strings.Contains(got, c.want) {
				t.Errorf("problems %q, want %q", got, c.want)
			}
		})
	}
}
