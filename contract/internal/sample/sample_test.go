package sample_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"factline.dev/contract"
	"factline.dev/contract/internal/sample"
	"factline.dev/contract/lint"
	"factline.dev/contract/policy"
	"factline.dev/contract/review"
)

func today() time.Time { return time.Date(2026, 7, 2, 15, 0, 0, 0, time.UTC) }

func TestEverySampleKeepsTheRules(t *testing.T) {
	t.Parallel()
	c := load(t, 45)
	if len(c.Events()) != 45 || len(c.Topics()) != 3 {
		t.Fatalf("%d events on %d topics", len(c.Events()), len(c.Topics()))
	}
	for _, f := range lint.Check(c, today()).Findings {
		t.Error(f)
	}
	for _, topic := range c.Topics() {
		if r := review.New(c, today()).Topic(topic); r.Verdict != review.Yes {
			t.Errorf("%s: %s", topic.Name, r.Verdict)
		}
	}
}

func folder(events int) fstest.MapFS {
	files := fstest.MapFS{}
	for name, text := range sample.Files(events) {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func load(t testing.TB, events int) *contract.Catalogue {
	t.Helper()
	c, err := contract.Load(folder(events))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const large = 2000

func BenchmarkLoad(b *testing.B) {
	files := folder(large)
	for b.Loop() {
		if _, err := contract.Load(files); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLint(b *testing.B) {
	c := load(b, large)
	for b.Loop() {
		if found := lint.Check(c, today()).Findings; len(found) > 0 {
			b.Fatal(found[0])
		}
	}
}

// Every topic is reviewed and every event.
func BenchmarkReview(b *testing.B) {
	c := load(b, large)
	for b.Loop() {
		reviewer := review.New(c, today())
		for _, t := range c.Topics() {
			reviewer.Topic(t)
		}
		for _, e := range c.Events() {
			reviewer.Event(e)
		}
	}
}

// Every event changes, in its own schema and in the envelope that it refers to.
func BenchmarkPolicy(b *testing.B) {
	old, now := folder(large), folder(large)
	for _, file := range now {
		file.Data = []byte(strings.Replace(string(file.Data), `"maxLength": 500`, `"maxLength": 400`, 1))
	}
	before, after := state(b, old), state(b, now)
	for b.Loop() {
		changes, err := policy.Check(b.Context(), before, after, today())
		if err != nil || len(changes) != large || changes[0].Verdict != policy.Breaking {
			b.Fatal(len(changes), err)
		}
	}
}

func state(t testing.TB, fsys fs.FS) policy.State {
	t.Helper()
	c, err := contract.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return policy.State{FS: fsys, Catalogue: c}
}
