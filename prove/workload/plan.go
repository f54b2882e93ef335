package workload

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Repeat is what is sent a second time.
type Repeat int

const (
	// Once sends each command once.
	Once Repeat = iota
	// SameKey sends the acceptance twice with one idempotency key.
	SameKey
	// OtherKey sends the acceptance twice with two keys.
	OtherKey
)

// Plan is one quote to take to its acceptance.
type Plan struct {
	Tenant, Customer, Configuration, Currency string
	// Name makes the idempotency keys; it differs between plans of a run.
	Name   string
	Repeat Repeat
}

// tenants of the platform's seed that order directly, with customers whose
// credit is good.
func tenants() []struct {
	id, currency string
	customers    int
} {
	return []struct {
		id, currency string
		customers    int
	}{{"tenant_001", "EUR", 49}, {"tenant_002", "GBP", 20}, {"tenant_003", "EUR", 10}}
}

// shapes is how many configurations each seeded customer has.
const shapes = 4

// Planner makes plans one after the other. Not safe for concurrent use.
type Planner struct {
	name   string
	random *rand.Rand
	made   int
}

// NewPlanner returns a planner whose plans follow from the seed alone; name sets
// its idempotency keys apart from those of other runs.
func NewPlanner(name string, seed uint64) *Planner {
	return &Planner{name: name, random: rand.New(rand.NewPCG(seed, 0x776f726b))} //nolint:gosec // a test's dice, no secret
}

// Next returns the next n plans.
func (p *Planner) Next(n int) []Plan {
	plans := make([]Plan, n)
	for i := range plans {
		p.made++
		t := tenants()[p.random.IntN(len(tenants()))]
		customer := 1 + p.random.IntN(t.customers)
		plans[i] = Plan{
			Tenant: t.id, Currency: t.currency, Customer: fmt.Sprintf("cust_%s_%d", t.id, customer),
			Configuration: fmt.Sprintf("cfg_%s_%d_%d", t.id, customer, 1+p.random.IntN(shapes)),
			Name:          fmt.Sprintf("%s-%d", p.name, p.made),
			Repeat:        repeat(p.random.IntN(10)),
		}
	}
	return plans
}

func repeat(dice int) Repeat {
	switch dice {
	case 0:
		return SameKey
	case 1:
		return OtherKey
	}
	return Once
}

// Dice returns a number below n from the same seed.
func (p *Planner) Dice(n int) int { return p.random.IntN(n) }

// Gap returns how long to wait for the next of events that come independently of
// each other, rate a second on average.
func (p *Planner) Gap(rate float64) time.Duration {
	return time.Duration(p.random.ExpFloat64() / rate * float64(time.Second))
}
