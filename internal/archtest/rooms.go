package archtest

// A Room is a folder at top level, or one below internal, with everything in it.
type Room struct {
	// Imports are the rooms its production code may import.
	Imports []string
	// Modules are the third-party modules its production code may import.
	// Checked for library rooms only.
	Modules []string
	// IsLibrary: users import it, so what it links is part of their program.
	IsLibrary bool
}

// Modules that more than one room imports.
const (
	pgx            = "github.com/jackc/pgx/v5"
	kgo            = "github.com/twmb/franz-go"
	kadm           = "github.com/twmb/franz-go/pkg/kadm"
	registryClient = "github.com/twmb/franz-go/pkg/sr"
	kmsg           = "github.com/twmb/franz-go/pkg/kmsg"
	prometheus     = "github.com/prometheus/client_golang"
	otel           = "go.opentelemetry.io/otel"
	otelTrace      = "go.opentelemetry.io/otel/trace"
	ulid           = "github.com/oklog/ulid/v2"
	xsync          = "golang.org/x/sync"
)

// Rooms is the architecture: who may import whom, and what a library room may
// bring into its users' programs.
func Rooms() map[string]Room {
	library := []string{"envelope", "contract", "migrate", "internal/named", "outbox", "inbox", "consumer", "deadletter", "effect", "replay", "runbook"}
	return map[string]Room{
		"envelope": {IsLibrary: true, Modules: []string{ulid}},
		"contract": {
			IsLibrary: true, Imports: []string{"envelope"},
			Modules: []string{"github.com/santhosh-tekuri/jsonschema/v6", "go.yaml.in/yaml/v4", registryClient},
		},
		"migrate":        {IsLibrary: true, Modules: []string{pgx, "github.com/pressly/goose/v3"}},
		"internal/named": {IsLibrary: true, Modules: []string{pgx}},
		"outbox": {
			IsLibrary: true, Imports: []string{"envelope", "contract", "internal/named"},
			Modules: []string{pgx, kgo, prometheus, xsync},
		},
		"inbox": {IsLibrary: true, Imports: []string{"envelope"}, Modules: []string{pgx}},
		"consumer": {
			IsLibrary: true, Imports: []string{"envelope", "contract", "outbox", "inbox"},
			Modules: []string{pgx, kgo, kadm, kmsg, prometheus, otel, otelTrace, xsync},
		},
		"deadletter": {
			IsLibrary: true, Imports: []string{"envelope", "contract", "outbox", "inbox", "consumer", "internal/named"},
			Modules: []string{pgx, kgo},
		},
		"effect": {
			IsLibrary: true, Imports: []string{"envelope", "internal/named"},
			Modules: []string{pgx, prometheus, xsync},
		},
		"replay": {
			IsLibrary: true, Imports: []string{"envelope", "contract", "inbox", "consumer", "effect"},
			Modules: []string{pgx, kgo, kadm, xsync},
		},
		"runbook": {
			IsLibrary: true, Imports: []string{"envelope", "contract", "outbox", "inbox", "consumer", "deadletter", "internal/named"},
			Modules: []string{pgx, kgo, kadm, ulid},
		},

		"deploy":            {},
		"internal/devstack": {Imports: []string{"deploy"}},
		"factlinetest":      {Imports: []string{"internal/devstack", "migrate"}},
		"contracttest":      {Imports: []string{"envelope", "contract", "consumer", "outbox"}},
		"platform":          {Imports: library},
		"prove":             {Imports: append([]string{"internal/devstack", "platform", "deploy"}, library...)},
		"internal/benchmark": {
			Imports: append([]string{"internal/devstack", "platform", "deploy"}, library...),
		},
		"cmd": {
			Imports: append([]string{"internal/devstack", "internal/benchmark", "platform", "prove", "deploy"}, library...),
		},

		"docs":               {},
		"internal/archtest":  {},
		"internal/docgen":    {Imports: append([]string{"internal/archtest", "internal/generated", "platform"}, library...)},
		"internal/eventgen":  {Imports: []string{"contract", "internal/generated", "platform"}},
		"internal/generated": {},
		"internal/mutants":   {},
		"internal/withkafka": {Imports: []string{"internal/devstack"}},
	}
}

// Brings says which modules come along with a module that a library room
// imports. A new line here is a new module in every user's program.
func Brings() map[string][]string {
	return map[string][]string{
		pgx: {
			"github.com/jackc/pgpassfile", "github.com/jackc/pgservicefile", "github.com/jackc/puddle/v2",
			"golang.org/x/sync", "golang.org/x/text",
		},
		kgo: {
			kmsg, "github.com/klauspost/compress", "github.com/pierrec/lz4/v4",
		},
		kadm: {kgo, kmsg},
		prometheus: {
			"github.com/beorn7/perks", "github.com/cespare/xxhash/v2", "github.com/munnerz/goautoneg",
			"github.com/pandatix/go-abnf", "github.com/prometheus/client_model", "github.com/prometheus/common",
			"github.com/prometheus/procfs", "golang.org/x/sys", "google.golang.org/protobuf",
		},
		"github.com/santhosh-tekuri/jsonschema/v6": {"golang.org/x/text"},
		"github.com/pressly/goose/v3": {
			"github.com/mfridman/interpolate", "github.com/sethvargo/go-retry", "go.uber.org/multierr", "golang.org/x/sync",
		},
	}
}

// Services are the packages below platform/internal that own data. They never
// import each other: what one knows of another it learned from an event.
func Services() []string { return []string{"quote", "order", "projection", "operations"} }

// Shared are the packages below platform/internal that services may import.
// None of them knows an aggregate.
func Shared() []string { return []string{"canonical", "database", "host", "money", "seed", "web"} }
