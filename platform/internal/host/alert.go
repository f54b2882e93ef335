package host

import (
	"cmp"
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/outbox"
	"factline.dev/platform/internal/database"
)

const (
	alertEvent = "SecurityAlertRaised"
	// maxText and maxName are the longest text and the longest name of a contract,
	// in characters.
	maxText, maxName = 1000, 200
)

// securityAlert is the payload of SecurityAlertRaised.
type securityAlert struct {
	AlertID         string    `json:"alertId"`
	AlertType       string    `json:"alertType"`
	Severity        string    `json:"severity"`
	ServiceName     string    `json:"serviceName"`
	Principal       string    `json:"principal"`
	SubjectTenantID string    `json:"subjectTenantId,omitempty"`
	SourceTopic     string    `json:"sourceTopic"`
	SourcePartition int32     `json:"sourcePartition"`
	SourceOffset    int64     `json:"sourceOffset"`
	SourceEventID   string    `json:"sourceEventId,omitempty"`
	Detail          string    `json:"detail"`
	RaisedAt        time.Time `json:"raisedAt"`
}

// raiseAlert appends an alert to the outbox of the service that noticed, in the
// transaction that gives the event up. The event may say anything of itself: what
// no contract would take is left out, so that an alert never fails and holds up
// the partition. There is no alert about an alert, or two services that refuse a
// tenant would tell each other for ever.
func (h Host) raiseAlert(ob *outbox.Outbox) func(ctx context.Context, tx pgx.Tx, a consumer.Alert) error {
	return func(ctx context.Context, tx pgx.Tx, a consumer.Alert) error {
		if a.EventType == alertEvent {
			return nil
		}
		ctx = envelope.WithCause(ctx, causeOf(a, envelope.CauseFrom(ctx)))
		now := h.Now().UTC().Truncate(time.Millisecond)
		alertID := "alrt_" + envelope.NewID()
		return ob.Append(ctx, tx, outbox.Event{
			Type: alertEvent, AggregateID: alertID, OccurredAt: now,
			Payload: securityAlert{
				AlertID: alertID, AlertType: "TENANT_VIOLATION", Severity: "HIGH", ServiceName: a.Service,
				Principal: cmp.Or(cut(a.Producer, maxName), "unknown"), SubjectTenantID: id(a.TenantID),
				SourceTopic: a.Topic, SourcePartition: a.Partition, SourceOffset: a.Offset, SourceEventID: id(a.EventID),
				Detail:   cut(a.Group+" gave the event up as "+a.DeadLetterID+": "+a.Reason, maxText),
				RaisedAt: now,
			},
		})
	}
}

// causeOf keeps of what led to the event what an alert may repeat.
func causeOf(a consumer.Alert, event envelope.Cause) envelope.Cause {
	return envelope.Cause{
		TenantID: cmp.Or(id(a.TenantID), database.Platform), CorrelationID: id(event.CorrelationID), CausationID: id(a.EventID),
		Metadata: map[string]string{"actorType": "SERVICE", "actorId": a.Service},
	}
}

// identifier is what contracts take as one.
var identifier = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$`)

// id is text where it is an identifier, else empty.
func id(text string) string {
	if !identifier.MatchString(text) {
		return ""
	}
	return text
}

// cut shortens text to so many characters.
func cut(text string, most int) string {
	characters := []rune(strings.ToValidUTF8(text, "\uFFFD"))
	return string(characters[:min(len(characters), most)])
}
