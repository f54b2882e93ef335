package deadletter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// headerBytes is room for the headers that a redrive adds.
const headerBytes = 4 << 10

// check looks at a chunk of letters, each by itself.
func (s *Store) check(ctx context.Context, plan *Plan, chunk []planned) error {
	references := make([]Reference, len(chunk))
	for i := range chunk {
		references[i] = chunk[i].Reference
	}
	standings, err := s.cfg.Outcomes.Look(ctx, references)
	if err != nil {
		return err
	}
	for i := range chunk {
		chunk[i].standing = standings[i]
		chunk[i].lane = chunk[i].laneOf()
		chunk[i].checkStanding()
		s.checkHorizon(&chunk[i])
		s.checkRoute(&chunk[i])
	}
	return s.checkContracts(ctx, plan, chunk)
}

// laneOf is the letter's key where order matters, else the letter alone.
func (p *planned) laneOf() string {
	if !p.standing.Blocks {
		return p.letterID
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", p.ConsumerGroup, p.Topic, p.tenantID, p.orderKey))
	return hex.EncodeToString(sum[:12])
}

func (p *planned) checkStanding() {
	service, _, _ := strings.Cut(p.ConsumerGroup, ".")
	switch {
	case !p.standing.Reachable:
		p.refuse(RefusedNoAccess, "the database of %s is not at hand, so nobody could tell whether the event was applied", service)
	case !p.standing.Found:
		p.refuse(RefusedNoAccess, "the database of %s has no such dead letter; was it restored from a backup?", service)
	case p.standing.State != Open:
		p.refuse(RefusedSettled, "its group says that it is %s", p.standing.State)
	}
	if len(p.omitted) > 0 {
		p.refuse(RefusedIncomplete, "its record had no room for the original %s; only the group's database has it", strings.Join(p.omitted, " and "))
	}
}

func (s *Store) checkHorizon(p *planned) {
	age := s.cfg.Now().Sub(p.firstFailedAt)
	if s.cfg.DedupeHorizon >= 0 && age > s.cfg.DedupeHorizon {
		p.refuse(RefusedHorizon, "it failed %s ago, and effects are deduplicated for %s: a repeated effect could not be told from a new one",
			days(age), days(s.cfg.DedupeHorizon))
	}
}

func days(d time.Duration) string {
	if d < 48*time.Hour {
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func (s *Store) checkRoute(p *planned) {
	topic, ok := s.cfg.Contracts.Topic(p.Topic)
	if !ok || len(topic.RetryTopics()) == 0 {
		p.refuse(RefusedRoute, "the catalogue knows no retry topic of %s", p.Topic)
		return
	}
	retry := topic.RetryTopics()[0]
	if p.recordBytes+headerBytes > retry.MaxMessageBytes {
		p.refuse(RefusedRoute, "its record has %d bytes, and %s takes %d", p.recordBytes, retry.Name, retry.MaxMessageBytes)
	}
	p.retryTopic = retry.Name
}

// original is the bytes of a letter.
type original struct {
	LetterID, EventType       string
	RecordKey, Headers, Value []byte
}

// checkContracts reads the values of a chunk, at most [maxBatchBytes] of them at
// once, or one that is larger.
func (s *Store) checkContracts(ctx context.Context, plan *Plan, chunk []planned) error {
	byID, bytes := map[string]*planned{}, 0
	for i := range chunk {
		p := &chunk[i]
		if p.code != "" {
			continue
		}
		if bytes += p.recordBytes; bytes > maxBatchBytes && len(byID) > 0 {
			if err := s.checkValues(ctx, plan, byID); err != nil {
				return err
			}
			byID, bytes = map[string]*planned{}, p.recordBytes
		}
		byID[p.letterID] = p
	}
	return s.checkValues(ctx, plan, byID)
}

func (s *Store) checkValues(ctx context.Context, plan *Plan, byID map[string]*planned) error {
	args := named.Args{"letter_ids": mapKeys(byID)}
	originals, err := query(ctx, s, "get_originals", args, pgx.RowToStructByPos[original])
	if err != nil {
		return err
	}
	for _, o := range originals {
		p := byID[o.LetterID]
		if o.Value == nil {
			p.refuse(RefusedRoute, "it is a tombstone, which groups do not try again: it would delete what came after it")
			continue
		}
		if fault := s.contractFault(o.Value); fault != "" {
			p.refuse(RefusedContract, "%s", fault)
			continue
		}
		if len(plan.Samples) < maxSamples {
			plan.Samples = append(plan.Samples, Sample{o.LetterID, o.EventType, maskPayload(s.cfg.Contracts, o.Value)})
		}
	}
	return nil
}

func mapKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// contractFault says what is wrong with a value today, or nothing.
func (s *Store) contractFault(value []byte) string {
	e, err := envelope.DecodeRaw(value)
	if err == nil {
		err = s.cfg.Contracts.Validate(e.EventType, e.EventVersion, value)
	}
	if err != nil {
		return storable(err.Error(), 1<<10)
	}
	return ""
}

// checkOrder refuses what would overtake an earlier event of its key. all is in
// the order of plan_letters, so the letters of a key follow each other.
func checkOrder(all []planned) {
	selected := make(map[string]bool, len(all))
	for i := range all {
		selected[all[i].standing.ID] = true
	}
	var before *planned
	for i := range all {
		p := &all[i]
		if !p.standing.Found || !p.standing.Blocks {
			continue
		}
		if before != nil && before.lane == p.lane {
			if before.code != "" {
				p.refuse(RefusedOrder, "it waits behind %s, which is not redriven", before.letterID)
			}
		} else {
			p.checkFirst(selected)
		}
		before = p
	}
}

// checkFirst looks at what is to go before the first letter of a key.
func (p *planned) checkFirst(selected map[string]bool) {
	s := p.standing
	if s.BlockedBy != "" && !selected[s.BlockedBy] {
		p.refuse(RefusedOrder, "its key waits for %s, which is not selected", s.BlockedBy)
	}
	if s.Applied == nil || s.Version == 0 {
		return
	}
	if s.Version > *s.Applied+1 {
		p.refuse(RefusedOrder, "it is version %d, and of its aggregate only %d is applied: find the versions between first", s.Version, *s.Applied)
	}
	if s.Version <= *s.Applied {
		p.refuse(RefusedOrder, "it is version %d, and its aggregate is at %d already; skip it", s.Version, *s.Applied)
	}
}
