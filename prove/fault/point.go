package fault

import "sync"

// Point is where a process can be killed.
type Point struct {
	// Name is one of the constants below.
	Name string `json:"name"`
	// Group limits AfterEffect to one consumer group. Empty is any.
	Group string `json:"group,omitempty"`
	// Skip is how many events pass the point before one is caught.
	Skip int `json:"skip,omitempty"`
}

// The points.
const (
	// BeforePublish is between the commit of an event and its publication.
	BeforePublish = "between commit and publish"
	// AfterPublish is between the publication and its receipt.
	AfterPublish = "between publish and receipt"
	// AfterEffect is between the commit of an effect and the offset commit.
	AfterEffect = "between effect and offset commit"
)

// Hit is an event caught at a point.
type Hit struct {
	Point   string `json:"point"`
	Group   string `json:"group,omitempty"`
	EventID string `json:"eventId"`
}

// Hooks catch events for the relays and consumers of a process. They implement
// outbox.BeforePublishHook, outbox.AfterPublishHook and
// consumer.AfterEffectHook. Safe for concurrent use.
type Hooks struct {
	mu    sync.Mutex
	armed *Point
	// caught is told of a hit and must not return before the process is to go on.
	caught func(Hit)
}

// NewHooks returns hooks that let everything pass until [Hooks.Arm].
func NewHooks(caught func(Hit)) *Hooks { return &Hooks{caught: caught} }

// Arm catches the next event at p, after p.Skip others.
func (h *Hooks) Arm(p Point) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.armed = &p
}

// BeforePublish is called by a relay.
func (h *Hooks) BeforePublish(eventID string) { h.at(BeforePublish, "", eventID) }

// AfterPublish is called by a relay.
func (h *Hooks) AfterPublish(eventID string) { h.at(AfterPublish, "", eventID) }

// AfterEffect is called by a consumer.
func (h *Hooks) AfterEffect(group, eventID string) { h.at(AfterEffect, group, eventID) }

func (h *Hooks) at(point, group, eventID string) {
	if h.catches(point, group) {
		h.caught(Hit{Point: point, Group: group, EventID: eventID})
	}
}

func (h *Hooks) catches(point, group string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.armed
	if p == nil || p.Name != point || (p.Group != "" && p.Group != group) {
		return false
	}
	if p.Skip > 0 {
		p.Skip--
		return false
	}
	h.armed = nil
	return true
}
