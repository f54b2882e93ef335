package deadletter_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"factline.dev/deadletter"
)

var namedArgument = regexp.MustCompile(`@[a-z_]+`)

// After a large failure thousands of letters of one group come before there are
// statistics. Looking each up among all of its group took the square of that.
func TestALetterIsLookedUpByItsCoordinatesBeforeThereAreStatistics(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	number := map[string]string{}
	sql := namedArgument.ReplaceAllStringFunc(deadletter.Statements()["collect.sql"], func(name string) string {
		if number[name] == "" {
			number[name] = fmt.Sprintf("$%d", len(number)+1)
		}
		return number[name]
	})
	tx, err := b.ops.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), deadletter.Statements()["own_plan.sql"]); err != nil {
		t.Fatal(err)
	}
	// Past pgx, which would want the arguments.
	results, err := tx.Conn().PgConn().Exec(t.Context(), "EXPLAIN (GENERIC_PLAN, COSTS OFF) "+sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var plan string
	for _, line := range results[0].Rows {
		plan += string(line[0]) + "\n"
	}
	if !strings.Contains(plan, "letter_topic_partition_offset_consumer_key on letter l") ||
		strings.Contains(plan, "Seq Scan on letter") || strings.Contains(plan, "Seq Scan on history") {
		t.Errorf("the plan is\n%s", plan)
	}
}
