package outbox

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/internal/named"
)

// shelf is where events wait whose partition the broker does not accept now,
// while every other one is published. Part is "partition/partitions", or empty
// for events of which the partition is not known.
type shelf struct{ topic, part string }

// count is the number of partitions that the part was chosen among.
func (s shelf) count() string {
	_, count, _ := strings.Cut(s.part, "/")
	return count
}

// shelves returns where each of the rows waits. All of them go by one count of
// partitions: another client may learn of a topic meanwhile, and a key would be
// on two shelves.
func (p *partitions) shelves(rows []outRow) []shelf {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]shelf, len(rows))
	for i, r := range rows {
		all[i] = p.shelfAmong(p.first[r.topic], r.topic, r.key)
	}
	return all
}

// shelfAmong is where an event of a topic with so many partitions waits, 0 where
// they are not known. It is asked for every row of a chunk, with mu held, and a
// new partitioner costs more than all else here.
func (p *partitions) shelfAmong(first int, topic string, key []byte) shelf {
	if first == 0 || key == nil {
		return shelf{topic: topic}
	}
	if p.byKey == nil {
		p.byKey = kgo.StickyKeyPartitioner(nil).ForTopic("")
	}
	at := p.byKey.Partition(&kgo.Record{Key: key}, first)
	return shelf{topic, strconv.Itoa(at) + "/" + strconv.Itoa(first)}
}

// shelfState is what the owner of a lane knows about one of its shelves.
type shelfState struct {
	unrecorded int // settlements that put events on it and are not recorded yet
	// isChanged says that the last read of it may lack events.
	isChanged bool
	// isEmpty says that the last read found nothing. What is being recorded is
	// waited for.
	isEmpty bool
	// isClosing keeps further events of the lane back, so that a shelf that is
	// nearly empty gets empty and its events take the straight way again. It is so
	// only while the broker accepts the shelf.
	isClosing bool
	// again is when it is read again after a read that failed.
	again retry
}

// shelfFor returns the shelf behind which an event of at must wait, and whether
// the lane has it. Where others of the topic wait that were counted among another
// number of partitions, its key may be with any of them.
func (l *lane) shelfFor(at shelf) (shelf, bool) {
	for s := range l.shelves {
		if s.topic == at.topic && s.count() != at.count() {
			return shelf{topic: at.topic}, true
		}
	}
	_, found := l.shelves[at]
	return at, found
}

// mayLeave reports whether nothing that may be of the same keys waits before
// what is on s.
func (l *lane) mayLeave(s shelf) bool {
	if s.part != "" {
		return true
	}
	for other := range l.shelves {
		if other.topic == s.topic && other != s {
			return false
		}
	}
	return true
}

func (l *lane) isClosing() bool {
	for _, state := range l.shelves {
		if state.isClosing {
			return true
		}
	}
	return false
}

// put notes that a settlement puts an event on s.
func (l *lane) put(s shelf) *shelfState {
	if l.shelves == nil {
		l.shelves = map[shelf]*shelfState{}
	}
	if l.shelves[s] == nil {
		l.shelves[s] = &shelfState{}
	}
	return l.shelves[s]
}

// asideRow is an event that goes onto a shelf.
type asideRow struct {
	position int64
	shelf    shelf
}

// setAside makes a settlement of rows that are to wait. Nil when there are none.
func (l *lane) setAside(rows []asideRow) []asideRow {
	for i, r := range rows {
		state := l.put(r.shelf)
		state.isChanged = true
		if !slices.ContainsFunc(rows[:i], func(before asideRow) bool { return before.shelf == r.shelf }) {
			state.unrecorded++
		}
	}
	return rows
}

// recordedAside is for a settlement that is recorded.
func (l *lane) recordedAside(rows []asideRow) {
	for i, r := range rows {
		if !slices.ContainsFunc(rows[:i], func(before asideRow) bool { return before.shelf == r.shelf }) {
			state := l.shelves[r.shelf]
			state.unrecorded--
			state.isEmpty = false
		}
	}
}

// refusesPartition reports whether err says that the broker does not accept
// records of this topic or partition now. Everything else may concern all of
// them: a broker that does not answer, or a client that may not produce at all.
func refusesPartition(err error) bool {
	var refusal *kerr.Error
	return errors.As(err, &refusal) && !slices.Contains([]*kerr.Error{
		kerr.ClusterAuthorizationFailed, kerr.SaslAuthenticationFailed, kerr.UnsupportedVersion,
		kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping, kerr.UnknownProducerID,
		kerr.OutOfOrderSequenceNumber, kerr.NotController, kerr.InvalidRequest, kerr.InvalidTimestamp,
	}, refusal)
}

// asideReason is why an event that is set aside is not on the log.
const asideReason = "set aside: the broker does not accept its topic or partition now"

func (s *store) asideArgs(done settlement) named.Args {
	positions, shelves := make([]int64, len(done.aside)), make([]string, len(done.aside))
	for i, r := range done.aside {
		positions[i], shelves[i] = r.position, r.shelf.part
	}
	args := s.laneArgs(done)
	args["positions"], args["shelves"], args["has_fences"] = positions, shelves, done.hasFences
	args["reason"], args["behind"] = asideReason, behindReason
	return args
}

// loadShelves is for a new owner: the owner before may have been of a version
// that knows no shelves and parked behind what is on them.
func (s *store) loadShelves(ctx context.Context, l *lane) error {
	if _, err := s.pool.Exec(ctx, statement("join_fences"), s.joinArgs(l)); err != nil {
		return err
	}
	rows, err := s.pool.Query(ctx, statement("shelves"), named.Args{"lane": l.id})
	if err != nil {
		return err
	}
	var found shelf
	_, err = pgx.ForEachRow(rows, []any{&found.topic, &found.part}, func() error {
		l.put(found)
		return nil
	})
	return err
}

func (s *store) joinArgs(l *lane) named.Args {
	return named.Args{"lane": l.id, "owner": s.owner, "epoch": l.epoch, "behind": behindReason}
}

// readShelf reads the first events of a shelf.
func (s *store) readShelf(ctx context.Context, l *lane, from shelf, page int) readResult {
	return s.readParked(ctx, l, page, "read_shelf", named.Args{"lane": l.id, "topic": from.topic, "shelf": from.part, "page": page})
}
