package archtest_test

import (
	"slices"
	"strings"
	"testing"

	"factline.dev/internal/archtest"
)

// want is what a rule must say about a small tree: one entry per problem, each
// a part of its text. None means the tree is in order.
func check(t *testing.T, found []string, want ...string) {
	t.Helper()
	if len(found) != len(want) {
		t.Fatalf("found %d problems, want %d:\n%s", len(found), len(want), strings.Join(found, "\n"))
	}
	slices.Sort(found)
	for i := range want {
		if !strings.Contains(found[i], want[i]) {
			t.Errorf("problem %d is %q, want it to hold %q", i, found[i], want[i])
		}
	}
}

func packages(list ...archtest.Package) archtest.Tree { return archtest.Tree{Packages: list} }

func pkg(path string, imports ...string) archtest.Package {
	return archtest.Package{Path: path, Name: path[strings.LastIndex(path, "/")+1:], Imports: imports}
}

func TestRoomOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"outbox": "outbox", "contract/lint": "contract", "internal/devstack/x": "internal/devstack",
		"internal": "internal", "platform/internal/quote": "platform", "cmd/factline": "cmd",
	} {
		if got := archtest.RoomOf(path); got != want {
			t.Errorf("RoomOf(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestCycles(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		tree archtest.Tree
		want []string
	}{
		{"a line is no ring", packages(pkg("a", "./b"), pkg("b", "./c"), pkg("c")), nil},
		{"a room may import itself", packages(pkg("a", "./a/deep"), pkg("a/deep")), nil},
		{"the standard library is not looked at", packages(pkg("a", "fmt", "b"), pkg("b", "./a")), nil},
		{
			"two rooms by different packages, which the compiler accepts",
			packages(pkg("a/one", "./b/one"), pkg("b/two", "./a/two")),
			[]string{"a -> b -> a"},
		},
		{
			"a ring of three is reported once",
			packages(pkg("b", "./c"), pkg("c", "./a"), pkg("a", "./b")),
			[]string{"a -> b -> c -> a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, archtest.Cycles(tt.tree), tt.want...)
		})
	}
}

func TestDirection(t *testing.T) {
	t.Parallel()
	rooms := map[string]archtest.Room{"envelope": {}, "outbox": {Imports: []string{"envelope"}}}
	check(t, archtest.Direction(packages(pkg("outbox", "./envelope", "./outbox/sub", "context"), pkg("envelope")), rooms))
	check(t, archtest.Direction(packages(pkg("envelope/sub", "./outbox")), rooms), "envelope/sub imports outbox")
	check(t, archtest.Direction(packages(pkg("newroom")), rooms), "not in archtest.Rooms")
}

func TestTestDirection(t *testing.T) {
	t.Parallel()
	rooms := map[string]archtest.Room{"outbox": {IsLibrary: true}, "envelope": {IsLibrary: true}, "platform": {}, "factlinetest": {}}
	with := func(path string) archtest.Tree {
		return packages(archtest.Package{Path: "outbox", TestImports: []string{path}})
	}
	check(t, archtest.TestDirection(with("./factlinetest"), rooms))
	check(t, archtest.TestDirection(with("./envelope"), rooms))
	check(t, archtest.TestDirection(with("./platform/contracts"), rooms))
	check(t, archtest.TestDirection(with("testing"), rooms))
	check(t, archtest.TestDirection(with("./platform"), rooms), "its test imports platform")
}

func TestServiceIndependence(t *testing.T) {
	t.Parallel()
	judge := func(list ...archtest.Package) []string {
		return archtest.ServiceIndependence(packages(list...), []string{"quote", "order"}, []string{"web"})
	}
	check(t, judge(pkg("platform/internal/quote", "./platform/internal/web", "./platform/internal/quote/sub"), pkg("platform", "./platform/internal/quote")))
	check(t, judge(pkg("platform/internal/order", "./platform/internal/quote")), "order imports service quote")
	check(t, judge(pkg("platform/internal/web", "./platform/internal/quote/sub")), "web imports service quote")
	check(t, judge(pkg("platform/internal/stray")), "stray is in neither")
	check(t, judge(archtest.Package{Path: "platform/internal/order", TestImports: []string{"./platform/internal/quote"}}), "order imports service quote")
}

func TestModules(t *testing.T) {
	t.Parallel()
	rooms := map[string]archtest.Room{
		"envelope": {IsLibrary: true, Modules: []string{"ulid"}},
		"outbox":   {IsLibrary: true, Modules: []string{"pgx"}, Imports: []string{"envelope"}},
		"cmd":      {},
	}
	brings := map[string][]string{"pgx": {"puddle"}, "puddle": {"sync"}}
	judge := func(path string, direct, linked []string) []string {
		return archtest.Modules(packages(archtest.Package{Path: path, Direct: direct, Linked: linked}), rooms, brings)
	}
	check(t, judge("outbox", []string{"pgx"}, []string{"pgx", "puddle", "sync", "ulid"}))
	check(t, judge("cmd", []string{"cobra"}, []string{"cobra"}))
	check(t, judge("outbox", []string{"kgo"}, []string{"kgo"}), "outbox imports module kgo")
	check(t, judge("outbox", []string{"ulid"}, []string{"ulid"}), "outbox imports module ulid")
	check(t, judge("outbox/sub", nil, []string{"zap"}), "outbox/sub links module zap")
	check(t, judge("envelope", nil, []string{"puddle"}), "envelope links module puddle")
}

func TestNames(t *testing.T) {
	t.Parallel()
	check(t, archtest.Names(packages(pkg("outbox"), pkg("internal/utility"))))
	check(t, archtest.Names(packages(pkg("internal/util"))), `"util" says nothing`)
	check(t, archtest.Names(packages(pkg("platform/shared/money"))), `"shared" says nothing`)
	check(t, archtest.Names(packages(archtest.Package{Path: "outbox/x", Name: "helpers"})), `"helpers" says nothing`)
}

func TestPackageComments(t *testing.T) {
	t.Parallel()
	check(t, archtest.PackageComments(packages(archtest.Package{Path: "a", Doc: "Package a is."})))
	check(t, archtest.PackageComments(packages(archtest.Package{Path: "a", Doc: " "})), "a has no package comment")
}

func files(name, text string) archtest.Tree {
	return archtest.Tree{Files: map[string][]byte{name: []byte(text)}}
}

func TestSize(t *testing.T) {
	t.Parallel()
	function := func(lines int) string { return "func f() {" + strings.Repeat("\n", lines-1) + "}\n" }
	file := func(lines int) string { return "package p\n" + strings.Repeat("\n", lines-1) }

	check(t, archtest.Size(files("a.go", "package p\n\n"+function(archtest.MaxFunctionLines))))
	check(t, archtest.Size(files("a.go", file(archtest.MaxFileLines))))
	check(t, archtest.Size(files("a_test.go", file(9999)+function(999))))
	check(t, archtest.Size(files("a.go", "// Code generated by x. DO NOT EDIT.\n\n"+file(9999))))
	check(t, archtest.Size(files("long.md", file(9999))))

	check(t, archtest.Size(files("a.go", "package p\n\n"+function(archtest.MaxFunctionLines+1))), "f has 81 lines")
	check(t, archtest.Size(files("a.go", file(archtest.MaxFileLines+1))), "a.go has 601 lines")
	check(t, archtest.Size(files("a.go", "package")), "a.go")
}

func TestWords(t *testing.T) {
	t.Parallel()
	check(t, archtest.Words(files("a.md", "a workshop, mktemp XXXX"+"XX, network/wo"+"rk/done, context.TO"+"DO")))
	check(t, archtest.Words(files("go.sum", "h1:TO"+"DO ")))

	for _, text := range []string{
		"// TO" + "DO later", "// FIX" + "ME", "XX" + "X", "not impl" + "emented", "Not yet impl" + "emented",
		"t.Sk" + "ip()", `t.Sk` + `ipf("no")`, "see /wo" + "rk/main", "in /home" + "/someone/x", "<<<<<" + "<< HEAD",
	} {
		check(t, archtest.Words(files("docs/a.md", "first line\n"+text)), "docs/a.md:2:")
	}
}

func TestForeignTables(t *testing.T) {
	t.Parallel()
	judge := func(name, text string) []string {
		return archtest.ForeignTables(archtest.Tree{Files: map[string][]byte{
			"platform/internal/quote/service.go": []byte("package quote\n\nconst (\n\tSchema = \"quote\"\n)\n"),
			"platform/internal/order/service.go": []byte("package order\n\nconst Schema = \"orders\"\n"),
			name:                                 []byte(text),
		}}, []string{"quote", "order"})
	}
	check(t, judge("platform/internal/order/sql/a.sql", "SELECT 1 FROM orders.sales_order JOIN factline.inbox ON true"))
	check(t, judge("platform/internal/order/a.go", "package order\n\n// learned from quote.it"))
	check(t, judge("platform/a.go", "SELECT FROM quote.quote"))
	check(t, judge("platform/internal/order/a_test.go", "SELECT FROM quote.quote"))
	check(t, judge("platform/internal/order/sql/a.sql", "SELECT 1\nFROM orders.a\nJOIN quote.quote q ON true"), "platform/internal/order/sql/a.sql:3: reads schema quote of service quote")
	check(t, judge("platform/internal/order/a.go", "package order\n\nconst q = `select 1 from \"quote\".line`"), "a.go:3: reads schema quote")
	check(t, judge("platform/internal/quote/sql/a.sql", "update orders . sales_order set x = 1"), "reads schema orders of service order")
}

func TestConsumerLogic(t *testing.T) {
	t.Parallel()
	judge := func(name, text string) []string {
		return archtest.ConsumerLogic(files(name, "package order\n\n"+text), []string{"order"})
	}
	const accepted = "func (s *Service) onAccepted(ctx context.Context, tx pgx.Tx, e envelope.Event[accepted]) error {\n"
	check(t, judge("platform/internal/order/a.go", accepted+"\treturn s.capture(ctx, tx, e.Payload)\n}"))
	check(t, judge("platform/internal/order/a.go", "func (d *decision) complete(e result) {\n\td.State = done\n}"))
	check(t, judge("platform/internal/web/a.go", accepted+"\to.State = captured\n}"))
	check(t, judge("platform/internal/order/a.go", accepted+"\to.State = captured\n\treturn nil\n}"), "a.go:4:2: a consumer callback changes state itself")
	check(t, judge("platform/internal/order/a.go", accepted+"\treturn s.outbox.Append(ctx, tx, captured)\n}"), "a.go:4:9:")
	check(t, judge("platform/internal/order/a.go", "func f() any {\n\treturn func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {\n\t\to.Status = 1\n\t\treturn nil\n\t}\n}"), "a.go:5:3:")
}
