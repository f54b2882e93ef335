package prove

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
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
func newDryStorm(seed uint64) *storm {
	cfg := StormConfig{Seed: seed}.WithDefaults()
	s := &storm{stormStack: &stormStack{cfg: cfg}, dice: newDice(seed)}
	s.newClient("writers", toDatabase)
	for _, name := range []string{"relay 1", "relay 2", "member 1"} {
		s.newClient(name, toDatabase, toBroker)
	}
	return s
}

func TestEveryRelayOfTheWritersLosesItsDatabaseForLongerThanItsLeaseFirst(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		s := newDryStorm(seed + 1)
		for n := range stormRelays {
			i := s.nextIsolation(n)
			if s.clients[i.client].name != []string{"relay 1", "relay 2"}[n] || i.server != toDatabase || i.length <= stormLease {
				t.Errorf("seed %d, isolation %d: %+v", seed+1, n, i)
			}
		}
	}
}

func TestTheSameSeedIsolatesTheSameAndEverybodyAtTimes(t *testing.T) {
	t.Parallel()
	draw := func(seed uint64) (all []isolation) {
		s := newDryStorm(seed)
		for n := range 200 {
			all = append(all, s.nextIsolation(n))
		}
		return all
	}
	drawn := draw(7)
	if !slices.Equal(drawn, draw(7)) || slices.Equal(drawn, draw(8)) {
		t.Error("the seed does not decide")
	}
	everyone, quiet, broker := 0, 0, 0
	for _, i := range drawn {
		if i.client < 0 {
			everyone++
		}
		if i.quietly {
			quiet++
		}
		if i.server == toBroker {
			broker++
		}
		if i.length < time.Second || i.length > 5*time.Second {
			t.Errorf("%+v", i)
		}
	}
	if everyone < 10 || everyone > 100 || quiet < 50 || quiet > 150 || broker < 50 || broker > 150 {
		t.Errorf("of 200: %d of everyone, %d quiet, %d of the broker", everyone, quiet, broker)
	}
}

func TestAPartThatEndsByItselfOrNotAtAllIsAProblem(t *testing.T) {
	t.Parallel()
	s := newDryStorm(1)
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
