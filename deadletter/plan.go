package deadletter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// maxPlan is the most letters of one redrive.
const maxPlan = 1_000_000

// maxSamples is how many events a plan shows.
const maxSamples = 5

// PlanRequest is what [Store.PlanRedrive] needs. Operator, Team and Reason are
// required.
type PlanRequest struct {
	// Selection chooses the letters; of those the open ones are taken.
	Selection Selection
	// Operator is who plans, Reason why; an auditor reads both.
	Operator, Reason string
	// Team is the one that the operator acts for, as the catalogue names it: letters
	// that it may not bring back are refused. The store cannot tell who somebody is;
	// what they say is audited.
	Team string
}

// Plan is the preview of a redrive. It is stored and holds until a letter in it
// changes.
type Plan struct {
	// ID names the redrive from now on.
	ID string `json:"redriveId"`
	// Hash is of the letters that would go, in their order.
	Hash      string    `json:"contentHash"`
	PlannedAt time.Time `json:"plannedAt"`
	Operator  string    `json:"operator"`
	Team      string    `json:"team"`
	Reason    string    `json:"reason"`
	Selection Selection `json:"selection"`
	// Letters were selected, of which Ready would go and the others are refused.
	Letters int `json:"letters"`
	Ready   int `json:"ready"`
	// Keys is how many keys the ready ones have; those of one key go one by one.
	Keys     int         `json:"keys"`
	Groups   []PlanGroup `json:"groups"`
	Refusals []Refusal   `json:"refusals"`
	// Rights say who may bring these events back, and what their contracts warn of.
	// Warned is true where that concerns one that would go: see [Apply].
	Rights []Right `json:"rights"`
	Warned bool    `json:"warned"`
	// Samples are a few of the events that would go, with personal data hidden.
	Samples []Sample `json:"samples"`
}

// PlanGroup is the share of one [Group].
type PlanGroup struct {
	Topic         string `json:"topic"`
	ConsumerGroup string `json:"consumerGroup"`
	Fingerprint   string `json:"fingerprint"`
	Letters       int    `json:"letters"`
	Ready         int    `json:"ready"`
}

// Refusal is why letters would not go.
type Refusal struct {
	// Code is one of the Refused constants.
	Code    string `json:"code"`
	Letters int    `json:"letters"`
	// Sample is one of them, Detail its reason in words.
	Sample string `json:"sample"`
	Detail string `json:"detail"`
}

// Why a letter is not redriven.
const (
	// RefusedContract breaks the contract of today.
	RefusedContract = "CONTRACT"
	// RefusedHorizon is too old to be deduplicated.
	RefusedHorizon = "HORIZON"
	// RefusedOrder would overtake an earlier event of its key.
	RefusedOrder = "ORDER"
	// RefusedSettled is not open in its group's database.
	RefusedSettled = "SETTLED"
	// RefusedNoAccess is of a group whose database is not at hand or does not know it.
	RefusedNoAccess = "NO_ACCESS"
	// RefusedIncomplete lacks a part of the original record.
	RefusedIncomplete = "INCOMPLETE"
	// RefusedRights is none of those that the operator's team may bring back.
	RefusedRights = "RIGHTS"
	// RefusedRoute has no retry topic that takes it.
	RefusedRoute = "ROUTE"
)

// Sample is one event of a plan.
type Sample struct {
	LetterID  string          `json:"deadLetterId"`
	EventType string          `json:"eventType"`
	Payload   json.RawMessage `json:"payload"`
}

// planned is one letter while a plan is made.
type planned struct {
	Reference
	letterID, tenantID, fingerprint, class string
	eventType                              string
	right                                  *Right
	orderKey                               []byte
	version                                int64
	failures                               int
	omitted                                []string
	firstFailedAt                          time.Time
	recordBytes                            int
	standing                               Standing
	retryTopic, lane                       string
	code, detail                           string
}

func (p *planned) refuse(code, format string, args ...any) {
	if p.code == "" {
		p.code, p.detail = code, fmt.Sprintf(format, args...)
	}
}

func (r PlanRequest) validate() error {
	var problems []error
	if strings.TrimSpace(r.Operator) == "" {
		problems = append(problems, errors.New("deadletter.PlanRequest.Operator: it is empty; say who decides"))
	}
	if strings.TrimSpace(r.Team) == "" {
		problems = append(problems, errors.New("deadletter.PlanRequest.Team: it is empty; say which team the operator acts for"))
	}
	if strings.TrimSpace(r.Reason) == "" {
		problems = append(problems, errors.New("deadletter.PlanRequest.Reason: it is empty; say why the events should succeed now"))
	}
	return errors.Join(problems...)
}

// PlanRedrive looks at every selected open letter, checks it against the rights of
// the operator's team, the contracts of today, its group's database, the order of its key and the dedupe
// horizon, and stores what would go. It sends nothing. Errors: [ErrNothing].
func (s *Store) PlanRedrive(ctx context.Context, r PlanRequest) (Plan, error) {
	if err := errors.Join(r.validate(), s.cfg.validateRedrive()); err != nil {
		return Plan{}, fmt.Errorf("deadletter: plan a redrive: %w", err)
	}
	r.Selection.State = Open
	all, err := s.selected(ctx, r.Selection)
	if err != nil {
		return Plan{}, fmt.Errorf("deadletter: plan a redrive: %w", err)
	}
	if len(all) == 0 {
		return Plan{}, ErrNothing
	}
	plan := Plan{
		ID: "rdr_" + envelope.NewID(), PlannedAt: s.cfg.Now().UTC(), Operator: r.Operator, Team: r.Team, Reason: r.Reason, Selection: r.Selection,
	}
	s.checkRights(&plan, all)
	for chunk := range slices.Chunk(all, 500) {
		if err := s.check(ctx, &plan, chunk); err != nil {
			return Plan{}, fmt.Errorf("deadletter: plan a redrive: %w", err)
		}
	}
	checkOrder(all)
	plan.summarise(all)
	if err := s.storePlan(ctx, plan, all); err != nil {
		return Plan{}, fmt.Errorf("deadletter: store the plan of a redrive: %w", err)
	}
	return plan, nil
}

func (c StoreConfig) validateRedrive() error {
	var problems []error
	for _, f := range []struct {
		name    string
		missing bool
	}{{"Contracts", c.Contracts == nil}, {"Outbox", c.Outbox == nil}, {"Outcomes", c.Outcomes == nil}} {
		if f.missing {
			problems = append(problems, fmt.Errorf("deadletter.StoreConfig.%s: it is nil; a redrive needs it", f.name))
		}
	}
	return errors.Join(problems...)
}

func (s *Store) selected(ctx context.Context, sel Selection) ([]planned, error) {
	args := sel.args()
	args["limit"] = maxPlan + 1
	all, err := query(ctx, s, "plan_letters", args, func(row pgx.CollectableRow) (p planned, err error) {
		err = row.Scan(&p.letterID, &p.ConsumerGroup, &p.Topic, &p.Partition, &p.Offset, &p.tenantID, &p.orderKey, &p.version,
			&p.fingerprint, &p.class, &p.eventType, &p.failures, &p.omitted, &p.firstFailedAt, &p.recordBytes)
		return p, err
	})
	if len(all) > maxPlan {
		return nil, fmt.Errorf("more than %d letters are selected; narrow the selection", maxPlan)
	}
	return all, err
}

func (p *Plan) summarise(all []planned) {
	p.Letters = len(all)
	groups, refusals, lanes := map[PlanGroup]*PlanGroup{}, map[string]*Refusal{}, map[string]bool{}
	sum := sha256.New()
	for i := range all {
		a := &all[i]
		key := PlanGroup{Topic: a.Topic, ConsumerGroup: a.ConsumerGroup, Fingerprint: a.fingerprint}
		if groups[key] == nil {
			group := key
			groups[key] = &group
		}
		groups[key].Letters++
		if a.code != "" {
			if refusals[a.code] == nil {
				refusals[a.code] = &Refusal{Code: a.code, Sample: a.letterID, Detail: a.detail}
			}
			refusals[a.code].Letters++
			continue
		}
		groups[key].Ready++
		p.Ready++
		p.Warned = p.Warned || a.right.Warning != ""
		lanes[a.lane] = true
		hashItem(sum, a.letterID, a.failures)
	}
	p.Keys, p.Hash = len(lanes), hex.EncodeToString(sum.Sum(nil))
	p.Groups, p.Refusals = values(groups), values(refusals)
	slices.SortFunc(p.Groups, func(a, b PlanGroup) int {
		return cmp.Or(b.Letters-a.Letters, strings.Compare(a.Topic+a.ConsumerGroup+a.Fingerprint, b.Topic+b.ConsumerGroup+b.Fingerprint))
	})
	slices.SortFunc(p.Refusals, func(a, b Refusal) int { return cmp.Or(b.Letters-a.Letters, strings.Compare(a.Code, b.Code)) })
}

func values[K comparable, V any](m map[K]*V) []V {
	all := make([]V, 0, len(m))
	for v := range maps.Values(m) {
		all = append(all, *v)
	}
	return all
}

// hashItem adds what makes a letter the one that was previewed: it has not
// failed again since.
func hashItem(sum hash.Hash, letterID string, failures int) {
	_, _ = fmt.Fprintf(sum, "%s %d\n", letterID, failures)
}

func (s *Store) storePlan(ctx context.Context, plan Plan, all []planned) error {
	text, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, statement("insert_redrive"), named.Args{
			"redrive_id": plan.ID, "operator": plan.Operator, "reason": plan.Reason, "content_hash": plan.Hash,
			"plan": text, "planned_at": plan.PlannedAt,
		})
		if err != nil {
			return err
		}
		if err := s.followSettled(ctx, tx, all); err != nil {
			return err
		}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"deadletter", "redrive_item"}, itemColumns(), pgx.CopyFromSlice(len(all), func(i int) ([]any, error) {
			return all[i].columns(plan.ID, i), nil
		}))
		return err
	})
}

func itemColumns() []string {
	return []string{
		"redrive_id", "seq", "letter_id", "group_letter_id", "retry_topic", "lane", "failures", "record_bytes", "state", "code", "detail",
	}
}

func (p *planned) columns(redriveID string, seq int) []any {
	state := itemPending
	if p.code != "" {
		state = itemRefused
	}
	return []any{
		redriveID, seq, p.letterID, p.standing.ID, p.retryTopic, p.lane, p.failures, p.recordBytes, state, p.code, p.detail,
	}
}

// followSettled lets the store learn what was settled in the groups' databases
// without it.
func (s *Store) followSettled(ctx context.Context, tx pgx.Tx, all []planned) error {
	settled := map[string][]string{}
	for i := range all {
		if state := all[i].standing.State; isSettled(state) {
			settled[state] = append(settled[state], all[i].letterID)
		}
	}
	return s.moveSettled(ctx, tx, settled)
}
