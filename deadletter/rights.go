package deadletter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"factline.dev/contract"
)

// Right says who may bring events back to a group, by the catalogue, and what its
// contract warns of.
type Right struct {
	Topic         string `json:"topic"`
	ConsumerGroup string `json:"consumerGroup"`
	EventType     string `json:"eventType"`
	// Teams are those of the event's owner, of the consumer and of the owner of the
	// topic's dead letters. Sorted.
	Teams []string `json:"teams"`
	// Warning is what the event does in this group beyond its own database. Empty
	// where nothing is known of.
	Warning string `json:"sideEffectWarning,omitempty"`
}

// allows reports whether a team may.
func (r Right) allows(team string) bool { return slices.Contains(r.Teams, team) }

func (r Right) refusal(team string) string {
	if len(r.Teams) == 0 {
		return fmt.Sprintf("the catalogue names no team for %s in %s, so nobody may bring it back; add them to it", r.EventType, r.ConsumerGroup)
	}
	return fmt.Sprintf("%s may not bring %s back to %s; %s may", team, r.EventType, r.ConsumerGroup, strings.Join(r.Teams, ", "))
}

// rightOf derives it from the catalogue. Of an event that nobody could read, what
// its topic says holds.
func rightOf(c Contracts, topic, group, eventType string) Right {
	right := Right{Topic: topic, ConsumerGroup: group, EventType: eventType, Teams: []string{}}
	service, _, _ := strings.Cut(group, ".")
	owners := []string{service}
	if t, ok := c.Topic(topic); ok {
		owners = append(owners, t.Owner, t.DeadLetter.Owner)
	}
	for _, e := range c.Events() {
		if e.Type == eventType { // in each of its versions: a letter does not say which
			owners = append(owners, e.OwnerService)
			right.Warning = cmp.Or(right.Warning, warningOf(c, e, group, service))
		}
	}
	for _, owner := range owners {
		if s, ok := c.Service(owner); ok && s.Team != "" && !slices.Contains(right.Teams, s.Team) {
			right.Teams = append(right.Teams, s.Team)
		}
	}
	slices.Sort(right.Teams)
	return right
}

// warningOf is what the record of an event says of a group.
func warningOf(c Contracts, e *contract.Event, group, service string) string {
	g, known := c.Group(group)
	switch {
	case strings.Contains(e.SideEffectWarning, service):
		return e.SideEffectWarning
	case !e.ReplaySafe && (!known || g.SideEffects):
		return "it is not safe to repeat, and the group acts beyond its own database"
	}
	return ""
}

// sameRight is by what letters have a right in common.
type sameRight struct{ topic, group, eventType string }

// checkRights refuses the letters that the operator's team may not bring back, and
// lists the rights of all.
func (s *Store) checkRights(plan *Plan, all []planned) {
	known := map[sameRight]*Right{}
	for i := range all {
		p := &all[i]
		key := sameRight{p.Topic, p.ConsumerGroup, p.eventType}
		if known[key] == nil {
			right := rightOf(s.cfg.Contracts, p.Topic, p.ConsumerGroup, p.eventType)
			known[key] = &right
			plan.Rights = append(plan.Rights, right)
		}
		p.right = known[key]
		if !p.right.allows(plan.Team) {
			p.refuse(RefusedRights, "%s", p.right.refusal(plan.Team))
		}
	}
}
