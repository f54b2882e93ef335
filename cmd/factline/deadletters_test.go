package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/consumer"
	"factline.dev/deadletter"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/platform"
	"factline.dev/platform/contracts"
)

const (
	deadGroup = "projection-service.order-read-model.consumer"
	deadTopic = "oms.order.events.v1"
)

// giveUp makes the read model's group have given up the first event of an
// order, for a reason that has passed.
func giveUp(t *testing.T, folder, order string) consumer.DeadLetter {
	t.Helper()
	text, err := fs.ReadFile(contracts.FS(), "events/oms.order.events/OrderCaptured/examples/minimal.json")
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.ReplaceAll(string(text), "ord_9f5c0b4a", order))
	event, err := envelope.DecodeRaw(text)
	if err != nil {
		t.Fatal(err)
	}
	event.EventID, event.AggregateVersion, event.CorrelationID, event.SchemaRef = envelope.NewID(), 1, "c", "schema://oms.order.events/OrderCaptured/1"
	value, err := envelope.Encode(event)
	if err != nil {
		t.Fatal(err)
	}
	d := consumer.DeadLetter{
		ID: "dlt_" + envelope.NewID(), Blocks: true, TenantID: event.TenantID, AggregateType: "Order", AggregateID: event.AggregateID,
		AggregateVersion: 1, FailedAt: time.Now().Add(-time.Minute).Truncate(time.Millisecond), SourceTopic: deadTopic, SourceOffset: 1<<40 + int64(len(order)), ConsumerGroup: deadGroup,
		EventID: event.EventID, EventType: event.EventType, ErrorClass: consumer.HandlerFailed, ErrorMessage: "it was broken", AttemptCount: 5,
		OriginalKey: []byte(event.AggregateID), OriginalHeaders: envelope.Headers(event, ""), OriginalValue: value,
	}
	bury(t, folder, d)
	return d
}

func bury(t *testing.T, folder string, d consumer.DeadLetter) {
	t.Helper()
	c := connect(t, folder)
	services, err := c.Only(platform.ProjectionService)
	if err != nil {
		t.Fatal(err)
	}
	_, err = services[0].Pool.Exec(t.Context(), `INSERT INTO factline.dead_letter (dead_letter_id, consumer, topic, partition, "offset", tenant_id,
		aggregate_type, aggregate_id, aggregate_version, event_id, event_type, error_class, error_message, attempts, blocks, block_key, record_key,
		headers, value, failed_at, state)
		VALUES ($1, $2, $3, 0, $4, $5, 'Order', $6, 1, $7, $8, 'HANDLER_FAILED', 'it was broken', 5, true, $9, $9, $10, $11, $12, 'OPEN')`,
		d.ID, d.ConsumerGroup, d.SourceTopic, d.SourceOffset, d.TenantID, d.AggregateID, d.EventID, d.EventType, d.OriginalKey,
		envelope.EncodeHeaders(d.OriginalHeaders), d.OriginalValue, d.FailedAt)
	if err != nil {
		t.Fatal(err)
	}
	letter, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	_, brokers, err := stack.Target{Folder: folder}.Find()
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	err = client.ProduceSync(t.Context(), &kgo.Record{Topic: "oms.order.events.dlt.v1", Key: d.OriginalKey, Value: letter}).FirstErr()
	if err != nil {
		t.Fatal(err)
	}
}

// redrives takes a dead letter from the list to its receipt, on a running stack.
func redrives(t *testing.T, folder string) {
	t.Helper()
	d := giveUp(t, folder, "ord_given_up")
	in := func(into any, want int, args ...string) {
		t.Helper()
		r := runProgram(t, nil, append([]string{"deadletters"}, append(args, "--json", "--folder", folder)...)...)
		if err := json.Unmarshal([]byte(r.stdout), into); err != nil || r.code != want {
			t.Fatalf("deadletters %v: exit code %d, %v\n%s%s", args, r.code, err, r.stdout, r.stderr)
		}
	}
	factlinetest.Eventually(t, 30*time.Second, "the letter being collected", func() (bool, error) {
		var groups []deadletter.Group
		in(&groups, exitOK, "list", "--group-by", "cause", "--group", deadGroup)
		return len(groups) == 1 && groups[0].Letters == 1, nil
	})
	var page deadletter.Page
	in(&page, exitOK, "list", "--tenant", "tenant_001", "--since", "1h")
	if len(page.Letters) != 1 || page.Letters[0].ID != d.ID {
		t.Fatalf("list = %+v, want %s", page, d.ID)
	}
	var plan deadletter.Plan
	in(&plan, exitOK, "redrive", "--id", d.ID, "--team", "Platform Team", "--reason", "fixed", "--operator", "kim")
	var receipt deadletter.Receipt
	in(&receipt, exitOK, "redrive", "abandon", plan.ID, "--reason", "planned by mistake", "--operator", "kim")
	if receipt.State != deadletter.Abandoned || receipt.Abandoned != 1 {
		t.Errorf("abandoned = %+v, want its letter", receipt)
	}
	in(&plan, exitOK, "redrive", "--id", d.ID, "--team", "Platform Team", "--reason", "fixed", "--operator", "kim")
	in(&receipt, exitOK, "redrive", "--yes", plan.ID, "--operator", "kim")
	if receipt.State != deadletter.Done || receipt.Applied != 1 {
		t.Errorf("receipt = %+v", receipt)
	}
	in(&receipt, exitOK, "redrive", "resume", plan.ID)
	in(&receipt, exitFound, "redrive", "abandon", plan.ID, "--reason", "it is done already", "--operator", "kim")
	if receipt.State != deadletter.Done || receipt.Applied != 1 {
		t.Errorf("abandoned = %+v, want it as it was", receipt)
	}
	var status statusReport
	in(&status, exitOK, "redrive", "status", plan.ID, "--state", "ALL")
	if len(status.Outcomes) != 1 || status.Outcomes[0].State != deadletter.Applied {
		t.Errorf("status = %+v", status)
	}
	var l letter
	in(&l, exitOK, "show", d.ID)
	if l.State != deadletter.Applied || l.GroupState != deadletter.Applied || len(l.History) != 3 {
		t.Errorf("show = %+v", l)
	}
	if r := runProgram(t, nil, "deadletters", "redrive", "--team", "Platform Team", "--reason", "again", "--folder", folder); r.code != exitFound || r.lastLine() != "deadletters list --all" {
		t.Errorf("a redrive of nothing: exit code %d\n%s", r.code, r.stderr)
	}
}

// corrects gives a payload that its group cannot take another one, on a running stack.
func corrects(t *testing.T, folder string) {
	t.Helper()
	d := giveUp(t, folder, "ord_corrected")
	var fields map[string]any
	if err := json.Unmarshal(d.OriginalValue, &fields); err != nil {
		t.Fatal(err)
	}
	fields["payload"].(map[string]any)["customerId"] = "cust_corrected"
	event, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(file, event, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"deadletters", "correct", d.ID, "--event", file, "--reason", "wrong customer", "--operator", "kim", "--json", "--folder", folder}
	if r := runProgram(t, nil, append(args, "--team", "CPQ Quote Team")...); r.code != exitFailed || !strings.Contains(r.stderr, "OMS Platform Team, Platform Team may") {
		t.Errorf("a team without the right: exit code %d\n%s", r.code, r.stderr)
	}
	var first, second deadletter.Correction
	for _, into := range []*deadletter.Correction{&first, &second} {
		r := runProgram(t, nil, append(args, "--team", "Platform Team")...)
		if err := json.Unmarshal([]byte(r.stdout), into); err != nil || r.code != exitOK {
			t.Fatalf("exit code %d, %v\n%s%s", r.code, err, r.stdout, r.stderr)
		}
	}
	if first != second || first.ReplacedID != d.EventID {
		t.Errorf("corrections = %+v and %+v, want one", first, second)
	}
	factlinetest.Eventually(t, 60*time.Second, "the corrected event having its effect", func() (bool, error) {
		r := runProgram(t, nil, "deadletters", "show", d.ID, "--json", "--folder", folder)
		var l letter
		err := json.Unmarshal([]byte(r.stdout), &l)
		return l.GroupState == deadletter.Corrected && len(l.Corrections) == 1 && l.Corrections[0] == first, err
	})
	if r := runProgram(t, nil, "deadletters", "show", d.ID, "--folder", folder); !strings.Contains(r.stdout, "event "+first.EventID+" in the place of "+d.EventID) {
		t.Errorf("show does not tell of the correction:\n%s", r.stdout)
	}
}
