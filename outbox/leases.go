package outbox

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// renew keeps the lanes that are ours and takes those that are free.
func (l *loop) renew(ctx context.Context) {
	ttl := l.relay.cfg.LeaseTTL
	started := time.Now()
	l.renewAt = started.Add(ttl / 3)
	limited, cancel := context.WithTimeout(ctx, ttl/3)
	defer cancel()
	found, leases, err := l.relay.store.lease(limited, ttl)
	if err != nil {
		if ctx.Err() == nil {
			l.relay.metrics.failure("lease", err)
			l.log.Warn("outbox lanes are not renewed; publishing stops when the lease ends", "error", err, "trusted_for", time.Until(l.trustedUntil))
		}
		l.leaseAgain.failed(firstLeaseWait, ttl/3)
		l.renewAt = l.leaseAgain.at
		return
	}
	l.leaseAgain.succeeded()
	l.trustedUntil = started.Add(ttl - ttl/10)
	l.adopt(ctx, leases)
	l.lookForDecisions(limited)
	l.share(found)
	l.relay.metrics.lanes.Set(float64(len(l.lanes)))
	l.relay.store.slabs.trim()
	l.reportStalls()
	l.reportUnaccepted(time.Now())
}

func (l *loop) adopt(ctx context.Context, leases []lease) {
	kept := map[int16]*lane{}
	var fresh []*lane
	for _, lease := range leases {
		if known := l.lanes[lease.lane]; known != nil && known.epoch == lease.epoch {
			kept[lease.lane] = known
			continue
		}
		fresh = append(fresh, newLane(lease.lane, lease.epoch, lease.lowWater))
	}
	for id, known := range l.lanes {
		if kept[id] != known {
			l.log.Warn("outbox lane is lost to another relay", "lane", id)
			l.forgetRead(known)
		}
	}
	for _, lane := range l.load(ctx, fresh) {
		kept[lane.id] = lane
	}
	l.lanes = kept
}

// load takes over lanes one by one: one with a long history of published events
// above its low-water mark must not keep the others from being published. The
// loop waits meanwhile, so it ends while there is time to renew; what is left has
// its turn after the next renewal, and what was too slow comes last then.
func (l *loop) load(ctx context.Context, fresh []*lane) (loaded []*lane) {
	limited, cancel := context.WithDeadline(ctx, l.trustedUntil.Add(-l.relay.cfg.LeaseTTL/3))
	defer cancel()
	slices.SortStableFunc(fresh, func(a, b *lane) int { return cmp.Compare(l.slow[a.id], l.slow[b.id]) })
	for _, known := range fresh {
		if limited.Err() != nil {
			break
		}
		err := errors.Join(l.relay.store.loadShelves(limited, known), l.relay.store.load(limited, []*lane{known}), l.relay.store.exchangePartitions(limited, l.relay.partitions))
		if err != nil {
			l.slow[known.id]++
			l.log.Warn("outbox lane is not taken over yet", "lane", known.id, "error", err)
			continue
		}
		delete(l.slow, known.id)
		loaded = append(loaded, known)
	}
	if len(loaded) > 0 {
		l.log.Info("outbox lanes taken over", "lanes", len(loaded))
		l.nextRead = time.Now()
	}
	return loaded
}

// share stops the lanes above our share, so that they can be handed over once
// what is in flight is settled.
func (l *loop) share(found company) {
	l.company = found
	for i, id := range slices.Sorted(maps.Keys(l.lanes)) {
		l.lanes[id].leaving = i >= found.share
	}
}

// handOver gives up lanes that are to leave and have nothing in flight. What
// was read of them is read again by the next owner.
func (l *loop) handOver(ctx context.Context) {
	var ids []int16
	for id, lane := range l.lanes {
		if lane.leaving && lane.isAtRest() {
			ids = append(ids, id)
			l.forgetRead(lane)
			delete(l.lanes, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, l.relay.cfg.LeaseTTL/3)
	defer cancel()
	if err := l.relay.store.handOver(limited, ids); err != nil {
		// The next renewal finds them ours and loads them anew.
		if ctx.Err() == nil {
			l.relay.metrics.failure("lease", err)
			l.log.Warn("outbox lanes are not handed over yet", "lanes", len(ids), "error", err)
		}
		return
	}
	l.relay.metrics.lanes.Set(float64(len(l.lanes)))
	l.log.Info("outbox lanes handed over", "lanes", len(ids), "relays", l.company.relays)
}

// company is who shares the lanes with us.
type company struct {
	relays int // that live, this one included
	share  int // lanes that are ours to have
}

type companyResult struct {
	relays int
	free   bool // a lane has no owner
	err    error
}

// maxLookPause bounds how long a lane that was given back waits, and how long a
// new relay waits for its share.
const maxLookPause = 500 * time.Millisecond

// lookAround asks from time to time whether relays came or went: reading that
// costs less than renewing leases as often.
func (l *loop) lookAround(ctx context.Context) {
	if l.looking || time.Now().Before(l.lookAt) {
		return
	}
	l.looking = true
	ttl := l.relay.cfg.LeaseTTL
	l.lookAt = time.Now().Add(backoff(0, min(ttl/10, maxLookPause), maxLookPause))
	go func() {
		limited, cancel := context.WithTimeout(ctx, ttl/3)
		defer cancel()
		l.companies <- l.relay.store.company(limited)
	}()
}

// tookCompany renews at once where that changes who has which lane. A failed
// look says nothing: the next renewal will.
func (l *loop) tookCompany(res companyResult) {
	l.looking = false
	if res.err != nil {
		return
	}
	if res.relays != l.company.relays || res.free && len(l.lanes) < l.company.share {
		l.renewAt = time.Now()
	}
}
