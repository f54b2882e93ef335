package outbox

import (
	"cmp"
	"maps"
	"slices"
)

// appendArgs turns rows into the parallel arrays the statements unnest.
type appendArgs struct {
	hashes                               []int64
	eventIDs, eventTypes, tenantIDs      []string
	aggregateTypes, aggregateIDs, topics []string
	keys, headers, prefixes, suffixes    [][]byte
	// behind is how many versions of the aggregate follow the event in this
	// call, since how many it and those before it add.
	behind, since []int64
	expected      []*int64
}

func (a *appendArgs) add(r row) {
	a.hashes = append(a.hashes, r.hash)
	a.eventIDs = append(a.eventIDs, r.eventID)
	a.eventTypes = append(a.eventTypes, r.eventType)
	a.tenantIDs = append(a.tenantIDs, r.tenantID)
	a.aggregateTypes = append(a.aggregateTypes, r.aggregateType)
	a.aggregateIDs = append(a.aggregateIDs, r.aggregateID)
	a.topics = append(a.topics, r.topic)
	a.keys = append(a.keys, r.key)
	a.headers = append(a.headers, r.headers)
	a.prefixes = append(a.prefixes, r.prefix)
	a.suffixes = append(a.suffixes, r.suffix)
}

// stream names an aggregate's head.
type stream struct{ tenantID, aggregateType, aggregateID string }

// heads are the aggregates of one call and how many versions each gains.
type heads struct {
	tenants, types, ids []string
	added               []int64
}

// number counts the versions that rows add to each aggregate and says where
// each row stands among them. A snapshot adds none. Only the first row of an
// aggregate keeps its expectation. The heads come in one fixed order.
func (a *appendArgs) number(rows []row) heads {
	added := map[stream]int64{}
	for _, r := range rows {
		s := r.stream()
		_, known := added[s]
		added[s] += r.adds()
		a.since = append(a.since, added[s])
		if known {
			r.expected = nil
		}
		a.expected = append(a.expected, r.expected)
	}
	for i, r := range rows {
		a.behind = append(a.behind, added[r.stream()]-a.since[i])
	}
	return sorted(added)
}

func (r row) stream() stream { return stream{r.tenantID, r.aggregateType, r.aggregateID} }

func (r row) adds() int64 {
	if r.snapshot {
		return 0
	}
	return 1
}

func sorted(added map[stream]int64) heads {
	order := slices.SortedFunc(maps.Keys(added), func(a, b stream) int {
		return cmp.Or(cmp.Compare(a.tenantID, b.tenantID), cmp.Compare(a.aggregateType, b.aggregateType), cmp.Compare(a.aggregateID, b.aggregateID))
	})
	var h heads
	for _, s := range order {
		h.tenants = append(h.tenants, s.tenantID)
		h.types = append(h.types, s.aggregateType)
		h.ids = append(h.ids, s.aggregateID)
		h.added = append(h.added, added[s])
	}
	return h
}
