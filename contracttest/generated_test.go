package contracttest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/contracttest"
	"factline.dev/factlinetest"
)

// asGenerated makes the test binary run one generated test and nothing else, so that
// its failure can be looked at.
const asGenerated = "CONTRACTTEST_GENERATED"

func generatedTests() map[string]func(*testing.T) {
	never := func(t *testing.T) contracttest.Consumer {
		t.Helper()
		t.Error("it was asked for")
		return contracttest.Consumer{}
	}
	return map[string]func(*testing.T){
		"groups that do not agree": func(t *testing.T) {
			t.Helper()
			contracttest.Consumers(t, map[string]contracttest.Subject{
				"runs unsaid": {Consumer: never}, "runs and waits": {Consumer: never, Waits: "a feature"}, "is said to run": {Waits: "a feature"},
				"nobody's": {Waits: "a feature"},
			},
				contracttest.Group{Name: "forgotten", Runs: true}, contracttest.Group{Name: "runs unsaid"},
				contracttest.Group{Name: "runs and waits", Runs: true}, contracttest.Group{Name: "is said to run", Runs: true})
		},
		"a group that waits": func(t *testing.T) {
			t.Helper()
			contracttest.Consumers(t, map[string]contracttest.Subject{group: {Waits: "a feature"}}, contracttest.Group{Name: group})
		},
		"a consumer that breaks a point": func(t *testing.T) {
			t.Helper()
			contracttest.Consumers(t, map[string]contracttest.Subject{
				group: {Consumer: func(t *testing.T) contracttest.Consumer {
					t.Helper()
					c := subject(t)
					c.Config.Subscriptions[0].Handlers["OrderCaptured"] = func(context.Context, pgx.Tx, consumer.Message) error {
						return consumer.Permanent(errors.New("planted"))
					}
					return *c
				}},
				"another": {Consumer: func(t *testing.T) contracttest.Consumer {
					t.Helper()
					return *subject(t)
				}},
			}, contracttest.Group{Name: group, Runs: true, Events: []string{"OrderCaptured"}}, contracttest.Group{Name: "another", Runs: true})
		},
		"a producer that breaks a point": func(t *testing.T) {
			t.Helper()
			contracttest.Produces(t, contracttest.Producer{
				Catalogue: load(t), Service: service, Pool: factlinetest.Postgres(t, migrated), Brokers: factlinetest.Kafka(t).Addrs(),
			}, "OrderCaptured")
		},
		"a producer without a database": func(t *testing.T) {
			t.Helper()
			pool := factlinetest.Postgres(t)
			contracttest.Produces(t, contracttest.Producer{Catalogue: load(t), Service: "audit-archive", Pool: pool})
		},
	}
}

func TestGenerated(t *testing.T) { //nolint:paralleltest // it is the only test of its process
	if run, ok := generatedTests()[os.Getenv(asGenerated)]; ok {
		run(t)
	}
}

func TestAGeneratedTestFailsWhereAPointIsBroken(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"groups that do not agree": {
			"forgotten: is declared and not tested", "runs unsaid: Runs is false, a Consumer is supplied: true", `runs and waits: Runs is true, a Consumer is supplied: true, it waits for "a feature"`,
			"is said to run: Runs is true, a Consumer is supplied: false", "nobody's: is tested and not declared",
		},
		"a group that waits": nil,
		"a consumer that breaks a point": {
			"the generated test lists [OrderCaptured], declared are", "OrderCaptured v1: the current version: it was not handled", "another: the Consumer supplied is " + group,
		},
		"a producer that breaks a point": {"the generated test lists [OrderCaptured], declared are", "OrderCaptured: is not produced; bring that about"},
		"a producer without a database":  {"contracttest: read the outbox"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestGenerated$", "-test.v")
			cmd.Env = append(os.Environ(), asGenerated+"="+name)
			out, err := cmd.CombinedOutput()
			if failed := err != nil; failed != (len(want) > 0) {
				t.Errorf("it fails: %t\n%s", failed, out)
			}
			for _, text := range want {
				if !strings.Contains(string(out), text) {
					t.Errorf("it does not say %q:\n%s", text, out)
				}
			}
			if strings.Contains(string(out), "it was asked for") {
				t.Errorf("a consumer was made in vain:\n%s", out)
			}
		})
	}
}
