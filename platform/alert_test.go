package platform_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/platform/contracts"
)

const alertsTopic = "platform.security-alerts.v1"

// foreign is an event in the platform's name, which no business service may
// process, with whatever else its producer claims.
func foreign(t *testing.T, s *stack, change func(e map[string]any)) (eventID string) {
	t.Helper()
	text, err := fs.ReadFile(contracts.FS(), "events/cpq.quote.events/QuoteAccepted/examples/minimal.json")
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	eventID = envelope.NewID()
	e["eventId"], e["tenantId"], e["aggregateId"], e["aggregateVersion"] = eventID, "platform", "q_"+eventID, 1
	e["payload"].(map[string]any)["quoteId"] = "q_" + eventID
	change(e)
	eventID = e["eventId"].(string)
	value, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	err = s.cluster.Client(t).ProduceSync(t.Context(), &kgo.Record{Topic: quoteTopic, Key: []byte("q_" + eventID), Value: value}).FirstErr()
	if err != nil {
		t.Fatal(err)
	}
	return eventID
}

func TestAnEventOfAForeignTenantRaisesASecurityAlert(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	db := s.db(t, "order-service")
	for _, tt := range []struct {
		name   string
		change func(e map[string]any)
		// want are fields of the alert's payload, tenant its own.
		tenant string
		want   map[string]any
		named  bool
	}{
		{"with its coordinates", func(map[string]any) {}, "platform", map[string]any{"principal": "quote-service", "subjectTenantId": "platform"}, true},
		{"also where what it claims fits no contract", func(e map[string]any) {
			e["correlationId"], e["eventId"] = strings.Repeat("c", 2000), "no identifier: "+envelope.NewID()
			e["metadata"] = map[string]any{"actorId": strings.Repeat("a", 5000)}
		}, "platform", map[string]any{"sourceEventId": nil}, false},
	} {
		eventID := foreign(t, s, tt.change)
		var row struct {
			tenant, detail, letter string
			payload                map[string]any
			together               bool
		}
		factlinetest.Eventually(t, 60*time.Second, tt.name, func() (bool, error) {
			var value []byte
			err := db.QueryRow(t.Context(), `SELECT e.value, d.dead_letter_id, e.xmin = d.xmin
				FROM factline.outbox_event e, factline.dead_letter d
				WHERE e.topic = $1 AND d.event_id = $2 AND d.error_class = 'TENANT_VIOLATION' AND position(d.dead_letter_id in convert_from(e.value, 'UTF8')) > 0`,
				alertsTopic, eventID).Scan(&value, &row.letter, &row.together)
			if err != nil {
				return false, fmt.Errorf("no alert yet: %w", err)
			}
			e, err := envelope.DecodeRaw(value)
			row.tenant = e.TenantID
			return err == nil, json.Unmarshal(e.Payload, &row.payload)
		})
		if !row.together {
			t.Errorf("%s: the alert and its dead letter are of two transactions", tt.name)
		}
		if row.tenant != tt.tenant || tt.named && row.payload["sourceEventId"] != eventID || row.payload["sourceTopic"] != quoteTopic || row.payload["serviceName"] != "order-service" ||
			row.payload["alertType"] != "TENANT_VIOLATION" || !strings.Contains(row.payload["detail"].(string), row.letter) {
			t.Errorf("%s: alert of %s: %v", tt.name, row.tenant, row.payload)
		}
		for field, want := range tt.want {
			if row.payload[field] != want {
				t.Errorf("%s: %s = %v, want %v", tt.name, field, row.payload[field], want)
			}
		}
	}
	for _, r := range factlinetest.Consume(t, s.cluster.Addrs(), alertsTopic, 2) {
		e, err := envelope.DecodeRaw(r.Value)
		if err == nil {
			err = catalogue(t).Validate(e.EventType, e.EventVersion, r.Value)
		}
		if err != nil || e.EventType != "SecurityAlertRaised" || string(r.Key) != e.AggregateID {
			t.Errorf("on the log: %s of key %s, %v", e.EventType, r.Key, err)
		}
	}
}
