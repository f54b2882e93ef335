package contracttest

import (
	"slices"
	"testing"

	"factline.dev/contract"
)

// Group is a consumer group as a generated test names it.
type Group struct {
	// Name is the group id.
	Name string
	// Runs says that the service runs the group.
	Runs bool
	// Events are the types that it declares, in order.
	Events []string
}

// Subject is what a service supplies for a group: Consumer, or Waits where no
// program runs the group yet.
type Subject struct {
	// Consumer makes the group under test.
	Consumer func(t *testing.T) Consumer
	// Waits names the feature that will run the group.
	Waits string
}

// Consumers checks the groups of a generated test. A declared group without a
// subject, and a subject of no declared group, fail.
func Consumers(t *testing.T, subjects map[string]Subject, groups ...Group) {
	t.Helper()
	for _, g := range groups {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			g.check(t, subjects[g.Name])
		})
	}
	for name := range subjects {
		if !slices.ContainsFunc(groups, func(g Group) bool { return g.Name == name }) {
			t.Errorf("%s: is tested and not declared; declare it in services.yaml and run make generate, or take it away", name)
		}
	}
}

func (g Group) check(t *testing.T, s Subject) {
	t.Helper()
	switch {
	case s.Consumer == nil && s.Waits == "":
		t.Fatalf("%s: is declared and not tested; give it a Consumer in contractConsumers, or say in Waits what will run it", g.Name)
	case (s.Consumer != nil) != g.Runs || s.Consumer != nil && s.Waits != "":
		t.Fatalf("%s: Runs is %t, a Consumer is supplied: %t, it waits for %q; these must agree", g.Name, g.Runs, s.Consumer != nil, s.Waits)
	case s.Consumer == nil:
		return
	}
	c := s.Consumer(t)
	if c.Config.Group != g.Name {
		t.Fatalf("%s: the Consumer supplied is %s", g.Name, c.Config.Group)
	}
	upToDate(t, g.Events, c.Catalogue.ReadBy(g.Name))
	broken, err := c.Check(t.Context())
	report(t, broken, err)
}

// Produces checks the producer of a generated test, which names its own events.
func Produces(t *testing.T, p Producer, events ...string) {
	t.Helper()
	var own []*contract.Event
	for _, e := range p.Catalogue.Events() {
		if e.OwnerService == p.Service {
			own = append(own, e)
		}
	}
	upToDate(t, events, own)
	broken, err := p.Check(t.Context())
	report(t, broken, err)
}

func upToDate(t *testing.T, listed []string, declared []*contract.Event) {
	t.Helper()
	var types []string
	for _, e := range declared {
		types = append(types, e.Type)
	}
	slices.Sort(types)
	if types = slices.Compact(types); !slices.Equal(types, listed) {
		t.Errorf("the generated test lists %v, declared are %v; run make generate", listed, types)
	}
}

func report(t *testing.T, broken []string, err error) {
	t.Helper()
	for _, problem := range broken {
		t.Error(problem)
	}
	if err != nil {
		t.Fatal(err)
	}
}
