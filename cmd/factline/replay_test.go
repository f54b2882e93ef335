package main

import (
	"errors"
	"strings"
	"testing"

	"factline.dev/replay"
)

func TestReplayReports(t *testing.T) {
	t.Parallel()
	equal := replay.Report{
		Preview: replay.Preview{Projection: "order-summary", Scope: "group@run"}, Records: 12, Applied: 9, Advanced: 1, Duplicates: 1, GivenUp: 1,
		Comparison: replay.Comparison{
			Live: replay.Content{Table: "projection.a", Rows: 3, Checksum: "aa"}, Rebuilt: replay.Content{Table: "projection.a_r1", Rows: 3, Checksum: "aa"}, Equal: true,
		},
	}
	different := equal
	different.Equal, different.DifferingKeys, different.Kept, different.Rebuilt.Checksum = false, 2, true, "bb"
	different.Differences = []replay.Difference{
		{Key: "(tenant,\x1b[2Jord_1)", Kind: replay.Changed, Columns: []string{"state", "total"}}, {Key: "(tenant,ord_2)", Kind: replay.Missing},
	}
	columns := different
	columns.Columns = []string{"live later text"}
	for name, r := range map[string]replay.Report{"replay_equal": equal, "replay_different": different, "replay_columns": columns} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := writeReplay(&b, r); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), "\x1b") {
				t.Error("it prints a key unescaped")
			}
			golden(t, name+".golden", b.String())
		})
	}
}

func TestReplayFailuresSayWhatToTypeNext(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		err  error
		next string
	}{
		{"decided otherwise meanwhile", replay.ErrDecisionChanged, "replay run"},
		{"the live group does not come to rest", replay.ErrLiveRestless, "consumers lag"},
		{"anything else", errors.New("x"), "replay run --help"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var f *failure
			if !errors.As(replayFailed(c.err), &f) || f.code != exitFailed || f.next != c.next {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestReplayProgressWithoutATerminalSaysEachStepOnce(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := &replayProgress{to: &b}
	for _, now := range []replay.Progress{{Step: "plan", Total: 9}, {Step: "plan", Records: 9, Total: 9}, {Step: "replay", Total: 9}, {Step: "compare"}} {
		p.update(now)
	}
	p.end()
	if b.String() != "replay: plan, 9 records\nreplay: replay, 9 records\n" {
		t.Errorf("%q", b.String())
	}
}
