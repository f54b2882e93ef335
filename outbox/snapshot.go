package outbox

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// snapshot is which transactions had ended at a moment.
type snapshot struct {
	xmin, xmax int64   // all below xmin had ended, none from xmax on
	open       []int64 // those between that had not
}

// parseSnapshot reads PostgreSQL's form, xmin:xmax:open,open.
func parseSnapshot(text string) (s snapshot, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return snapshot{}, fmt.Errorf("outbox: read outbox rows: the server's snapshot %q is not of the form xmin:xmax:open", text)
	}
	ids := slices.Concat(parts[:2], strings.FieldsFunc(parts[2], func(r rune) bool { return r == ',' }))
	numbers := make([]int64, len(ids))
	for i, id := range ids {
		if numbers[i], err = strconv.ParseInt(id, 10, 64); err != nil {
			return snapshot{}, fmt.Errorf("outbox: read outbox rows: the server's snapshot %q: %w", text, err)
		}
	}
	return snapshot{xmin: numbers[0], xmax: numbers[1], open: numbers[2:]}, nil
}

func (s snapshot) hasEnded(id int64) bool {
	return id < s.xmin || id < s.xmax && !slices.Contains(s.open, id)
}

// firstEnded is an id that no transaction which ended after one snapshot and
// before a later one is below. From xmax on a snapshot does not say which ids
// were given out, so any of them may have been.
func firstEnded(after, before snapshot) int64 {
	first := int64(math.MaxInt64)
	if before.xmax > after.xmax {
		first = after.xmax
	}
	for _, id := range after.open {
		if before.hasEnded(id) {
			first = min(first, id)
		}
	}
	return first
}
