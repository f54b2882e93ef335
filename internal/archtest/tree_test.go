package archtest_test

import (
	"path/filepath"
	"slices"
	"testing"

	"factline.dev/internal/archtest"
)

func TestTheTreeKeepsEveryRule(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := archtest.Load(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Packages) < 10 || len(tree.Files) < 100 {
		t.Fatalf("only %d packages and %d files were found below %s; the rules would judge nothing", len(tree.Packages), len(tree.Files), root)
	}
	rooms := archtest.Rooms()
	rules := map[string][]string{
		"rooms form no ring":                           archtest.Cycles(tree),
		"rooms import only what the table allows":      archtest.Direction(tree, rooms),
		"library tests stand without the platform":     archtest.TestDirection(tree, rooms),
		"services do not know each other":              archtest.ServiceIndependence(tree, archtest.Services(), archtest.Shared()),
		"services read no other's tables":              archtest.ForeignTables(tree, archtest.Services()),
		"state moves in services, not in callbacks":    archtest.ConsumerLogic(tree, archtest.Services()),
		"library rooms link only allowed modules":      archtest.Modules(tree, rooms, archtest.Brings()),
		"packages have names that say something":       archtest.Names(tree),
		"packages have a comment":                      archtest.PackageComments(tree),
		"files and functions stay short":               archtest.Size(tree),
		"nothing unfinished or of one machine is left": archtest.Words(tree),
	}
	for rule, found := range rules {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			for _, problem := range found {
				t.Error(problem)
			}
		})
	}
}

func TestPackagesAreReadWithTheirImportsAndModules(t *testing.T) {
	t.Parallel()
	tree, err := archtest.Load(t.Context(), filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range tree.Packages {
		if p.Path != "outbox" {
			continue
		}
		for what, list := range map[string][]string{"./contract": p.Imports, "github.com/jackc/pgx/v5": p.Direct, "google.golang.org/protobuf": p.Linked} {
			if !slices.Contains(list, what) {
				t.Errorf("outbox: %s is missing in %v", what, list)
			}
		}
		return
	}
	t.Error("package outbox was not found")
}
