package workload

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"factline.dev/prove/history"
)

func TestTheSameSeedMakesTheSamePlans(t *testing.T) {
	t.Parallel()
	a, b, c := NewPlanner("run", 7).Next(50), NewPlanner("run", 7), NewPlanner("run", 8).Next(50)
	if again := append(b.Next(20), b.Next(30)...); !reflect.DeepEqual(a, again) {
		t.Error("the same seed gave other plans")
	}
	if reflect.DeepEqual(a, c) {
		t.Error("another seed gave the same plans")
	}
	seen, repeats := map[string]bool{}, map[Repeat]int{}
	for _, p := range a {
		if seen[p.Name] {
			t.Errorf("%s is used twice", p.Name)
		}
		seen[p.Name] = true
		repeats[p.Repeat]++
	}
	if len(repeats) != 3 {
		t.Errorf("repeats %v", repeats)
	}
}

// fake is a platform that answers as a script says.
type fake struct {
	mu   sync.Mutex
	seen map[string]int
	// fail is how often each path fails before it works.
	fail   map[string]int
	status int
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := r.URL.Path[strings.LastIndex(r.URL.Path, "/"):]
	key := r.Header.Get("Idempotency-Key")
	f.seen[path+" "+key]++
	if f.fail[path] > 0 {
		f.fail[path]--
		w.WriteHeader(f.status)
		return
	}
	if strings.HasSuffix(key, "accept-again") {
		w.WriteHeader(http.StatusConflict)
		return
	}
	w.Header().Set("ETag", `"1"`)
	answer := map[string]string{"quoteId": "q1", "state": "PRICED"}
	if path == "/submission" {
		answer = map[string]string{"state": "APPROVED", "commercialSnapshotHash": "h"}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *fake) hasSeen(request string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[request] > 0
}

func accept(t *testing.T, f *fake, repeat Repeat, patience time.Duration) history.Quote {
	t.Helper()
	f.seen = map[string]int{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c := NewClient(server.URL)
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return c.Accept(ctx, []Plan{{Name: "n", Repeat: repeat}}, 1)[0]
}

func TestARequestWithoutAnswerIsSentAgainWithTheSameKey(t *testing.T) {
	t.Parallel()
	f := &fake{fail: map[string]int{"/acceptance": 3}, status: http.StatusServiceUnavailable}
	q := accept(t, f, Once, 10*time.Second)
	if q.Outcome != history.OK || q.QuoteID != "q1" || f.seen["/acceptance n-accept"] != 4 || q.Requests != 6 {
		t.Errorf("%+v after %v", q, f.seen)
	}
}

// gate is a platform that answers no acceptance before it is opened.
type gate struct {
	fake
	open chan struct{}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/acceptance") {
		<-g.open
	}
	g.fake.ServeHTTP(w, r)
}

func TestALoadGoesOnWhileNothingIsAnsweredAndLosesNoQuote(t *testing.T) {
	t.Parallel()
	g := &gate{fake: fake{seen: map[string]int{}}, open: make(chan struct{})}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	c := NewClient(server.URL)
	t.Cleanup(c.Close)
	enough, driven := make(chan struct{}), make(chan []history.Quote)
	go func() { driven <- c.Drive(t.Context(), NewPlanner("n", 1), 500, enough) }()
	for c.Accepting() < 20 {
		select {
		case <-t.Context().Done():
			t.Fatal("the load stands still")
		case <-time.After(time.Millisecond):
		}
	}
	close(enough)
	close(g.open)
	quotes := <-driven
	for _, q := range quotes {
		if q.Outcome != history.OK {
			t.Errorf("%+v", q)
		}
	}
	if len(quotes) < 20 || c.Accepting() != 0 {
		t.Errorf("%d quotes, %d still to be answered", len(quotes), c.Accepting())
	}
}

// refusing is a platform that never takes an acceptance, and its client.
func refusing(t *testing.T) (*fake, *Client) {
	t.Helper()
	f := &fake{seen: map[string]int{}, fail: map[string]int{"/acceptance": 1 << 20}, status: http.StatusServiceUnavailable}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c := NewClient(server.URL)
	t.Cleanup(c.Close)
	return f, c
}

// A client that sleeps between two attempts has nothing on its way to the
// platform, and a kill then falls upon none of its work.
func TestAnAcceptanceThatWaitsToBeSentAgainIsNotUnderWay(t *testing.T) {
	t.Parallel()
	f, c := refusing(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	accepted := make(chan []history.Quote, 1)
	go func() { accepted <- c.Accept(ctx, []Plan{{Name: "n"}}, 1) }()
	for !f.hasSeen("/acceptance n-accept") || c.Accepting() > 0 {
		select {
		case <-ctx.Done():
			t.Fatalf("%d are under way all the time", c.Accepting())
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if q := (<-accepted)[0]; q.Outcome != history.Unknown {
		t.Errorf("%+v", q)
	}
}

func TestALoadThatIsCutOffSaysWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	_, c := refusing(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	quotes := c.Drive(ctx, NewPlanner("n", 1), 100, nil)
	if len(quotes) == 0 {
		t.Error("no quote was begun")
	}
	for _, q := range quotes {
		if q.Outcome != history.Unknown {
			t.Errorf("%+v", q)
		}
	}
}

func TestARefusalIsFinal(t *testing.T) {
	t.Parallel()
	f := &fake{fail: map[string]int{"/submission": 1}, status: http.StatusUnprocessableEntity}
	if q := accept(t, f, Once, 10*time.Second); q.Outcome != history.Failed || !strings.Contains(q.Reason, "422") {
		t.Errorf("%+v", q)
	}
}

func TestNoClearAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	f := &fake{fail: map[string]int{"/acceptance": 1 << 20}, status: http.StatusServiceUnavailable}
	if q := accept(t, f, Once, 100*time.Millisecond); q.Outcome != history.Unknown || q.QuoteID != "q1" {
		t.Errorf("%+v", q)
	}
}

func TestARepeatedAcceptanceIsSentTwice(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		repeat Repeat
		keys   map[string]int
	}{
		{"with the same key", SameKey, map[string]int{"/acceptance n-accept": 2}},
		{"with another key, which is refused as accepted already", OtherKey, map[string]int{"/acceptance n-accept": 1, "/acceptance n-accept-again": 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{}
			if q := accept(t, f, c.repeat, 10*time.Second); q.Outcome != history.OK {
				t.Errorf("%+v", q)
			}
			for key, n := range c.keys {
				if f.seen[key] != n {
					t.Errorf("%s: %d times in %v", key, f.seen[key], f.seen)
				}
			}
		})
	}
}
