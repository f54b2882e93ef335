package compat

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	pairs  = flag.Int("pairs", 10_000, "how many random pairs of schemas are compared")
	worlds = flag.Int("worlds", 400, "how many random pairs are held to a whole small world")
	seed   = flag.Uint64("seed", 20261124, "the seed of the random pairs")
)

// tally is what the pairs came to.
type tally struct {
	sync.Mutex
	pairs, compatible, breaking, unknown, documents int
	slowest                                         time.Duration
	reasons                                         map[string]int
}

func TestRandomPairsAreJudgedAsTheValidatorDoes(t *testing.T) {
	t.Parallel()
	n := &tally{reasons: map[string]int{}}
	var workers sync.WaitGroup
	count := runtime.GOMAXPROCS(0)
	for w := range count {
		workers.Go(func() {
			for i := w; i < *pairs && !t.Failed(); i += count {
				n.judge(t, source{rand.New(rand.NewPCG(*seed, uint64(i)))}, i)
			}
		})
	}
	workers.Wait()
	t.Logf("seed %d: %d pairs, %d compatible (%d documents), %d breaking, %d unknown, slowest %s", *seed, n.pairs, n.compatible, n.documents, n.breaking, n.unknown, n.slowest)
	for reason, times := range n.reasons {
		t.Logf("%d unknown: %s", times, reason)
	}
	if n.compatible*5 < n.pairs || n.breaking*5 < n.pairs || n.unknown*20 > n.pairs {
		t.Error("the pairs do not test both verdicts, or too many are unknown")
	}
}

func (n *tally) judge(t *testing.T, r source, i int) {
	t.Helper()
	oldDoc, nextDoc := r.pair()
	old, err := Parse("old", []byte(written(oldDoc)))
	if err != nil {
		t.Errorf("pair %d: %v", i, err)
		return
	}
	next, err := Parse("next", []byte(written(nextDoc)))
	if err != nil {
		t.Errorf("pair %d: %v", i, err)
		return
	}
	start := time.Now()
	result := Compare(t.Context(), old, next, Options{})
	took := time.Since(start)
	documents := 0
	switch result.Verdict {
	case Compatible:
		for range 20 {
			value := r.suiting(oldDoc, oldDoc["$defs"].(map[string]any), 4)
			if old.compiled.Validate(value) != nil {
				continue
			}
			documents++
			if next.compiled.Validate(value) != nil {
				t.Errorf("pair %d is said to be compatible, but %s breaks it\nold  %s\nnext %s", i, written(value), written(oldDoc), written(nextDoc))
			}
		}
	case Breaking:
		for _, f := range result.Findings {
			if f.Verdict == Breaking && !isWitness(old, next, f.Witness) {
				t.Errorf("pair %d: %s is no witness\nold  %s\nnext %s", i, f.Witness, written(oldDoc), written(nextDoc))
			}
		}
	}
	n.Lock()
	defer n.Unlock()
	n.pairs++
	n.documents += documents
	n.slowest = max(n.slowest, took)
	switch result.Verdict {
	case Compatible:
		n.compatible++
	case Breaking:
		n.breaking++
	default:
		n.unknown++
		_, reason, _ := strings.Cut(result.Reason, "decided: ")
		n.reasons[reason]++
		if n.reasons[reason] <= 2 {
			t.Logf("pair %d unknown: %s\nold  %s\nnext %s", i, result.Reason, written(oldDoc), written(nextDoc))
		}
	}
}

func isWitness(old, next *Schema, witness json.RawMessage) bool {
	value, err := decode(witness)
	return err == nil && old.compiled.Validate(value) == nil && next.compiled.Validate(value) != nil
}
