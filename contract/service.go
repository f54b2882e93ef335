package contract

// Service is one producer or consumer of events, as services.yaml says it.
// Read only.
type Service struct {
	// Name is the service's identity: producer field and broker principal.
	Name string `json:"name"`
	// Description says what the service is for.
	Description string `json:"description"`
	// Team runs it.
	Team string `json:"team"`
	// Trust is CORE, EDGE (calls systems outside), PLATFORM or LOW. LOW may
	// read no topic of class high and no retry or dead-letter topic.
	Trust string `json:"trust"`
	// Tenants are the tenants it may handle, "all" for every business tenant.
	Tenants []string `json:"tenants"`
	// Runbook is where the people read who are called about dead letters that
	// the service owns: a path in the repository or a URL.
	Runbook string `json:"runbook,omitempty"`
	// Groups are its consumer groups.
	Groups []Group `json:"groups"`

	position
}

// Group is one consumer group: one responsibility of one service.
type Group struct {
	// Name is the group id, <service>.<stream>.consumer.
	Name string `json:"name"`
	// Purpose says what the group does with the events.
	Purpose string `json:"purpose"`
	// SideEffects says that the group calls systems outside or moves business
	// state, so that a replay must keep it closed.
	SideEffects bool `json:"sideEffects"`
	// Topics are what the group, and so the service, may read.
	Topics []Subscription `json:"topics"`
	// Service is the service that the group belongs to.
	Service string `json:"service" yaml:"-"`
}

// Subscription is one topic of a group.
type Subscription struct {
	// Name is the topic.
	Name string `json:"name"`
	// Mode is ordered, unordered or latest.
	Mode string `json:"mode"`
}

// File is the path of the service's record inside the folder.
func (s *Service) File() string { return s.file }

// Line is the line of a path below the service, such as "groups[0].name", or of
// what would hold it where it is not written.
func (s *Service) Line(path string) int { return s.line(path) }

// MayRead reports whether a group of the service is declared on the topic.
func (s *Service) MayRead(topic string) bool {
	for _, g := range s.Groups {
		if _, ok := g.Mode(topic); ok {
			return true
		}
	}
	return false
}

// Mode returns how the group reads a topic.
func (g *Group) Mode(topic string) (string, bool) {
	for _, t := range g.Topics {
		if t.Name == topic {
			return t.Mode, true
		}
	}
	return "", false
}
