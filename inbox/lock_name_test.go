package inbox

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Statements of two rooms take turns by a lock of one name. With another name they
// would still be right, and whoever wants a partition alone would starve.
func TestThePartitionsLockHasOneName(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`hashtextextended\(format\('([^']*)', ([^)]*)\), (\d+)\)`)
	found := 0
	for _, room := range []string{"sql", "../deadletter/sql"} {
		files, err := filepath.Glob(filepath.Join(room, "*.sql"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), "pg_advisory_xact_lock") {
				continue
			}
			match := name.FindStringSubmatch(string(text))
			if match == nil || match[1] != "factline partition %s %s/%s" || match[3] != "0" || strings.Count(match[2], ",") != 2 {
				t.Errorf("%s names the lock %q", file, match)
			}
			found++
		}
	}
	if found != 4 {
		t.Errorf("%d statements take the lock, want 4", found)
	}
}
