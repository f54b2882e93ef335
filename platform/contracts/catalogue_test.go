package contracts_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"factline.dev/contract"
)

// The files below testdata are what the platform was agreed to be, written
// before its contracts and from another source. They change only with that
// agreement.
func agreed(t *testing.T, file string, columns int) [][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(text)) {
		if row := strings.Fields(line); !strings.HasPrefix(line, "#") {
			if len(row) != columns {
				t.Fatalf("%s: %q has %d columns, want %d", file, line, len(row), columns)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func TestEveryAgreedEventHasAContractAndNoOther(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, row := range agreed(t, "catalogue.txt", 4) {
		want = append(want, strings.Join(row, " "))
	}
	for _, e := range load(t).Events() {
		got = append(got, fmt.Sprintf("%s %s %s %s", e.Topic, e.Type, e.AggregateType, strings.Join(e.Key, "|")))
	}
	compareRows(t, want, got)
	if len(got) != 100 {
		t.Errorf("%d events, want 100", len(got))
	}
}

func TestEveryTopicIsAsAgreed(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, row := range agreed(t, "topics.txt", 11) {
		want = append(want, strings.Join(row, " "))
	}
	retries := 0
	for _, topic := range load(t).Topics() {
		archive := "-"
		if topic.Archive {
			archive = "archive"
		}
		got = append(got, fmt.Sprintf("%s %s %s %d %d %d %s %s %s %s %s", topic.Name, topic.Category, topic.Visibility,
			topic.Partitions.Production, topic.Partitions.Local, topic.Retention()/(24*time.Hour), archive, topic.CleanupPolicy,
			topic.Classification, topic.Owner, strings.Join(topic.RetryTiers, ",")))
		retries += len(topic.RetryTopics())
		if topic.DeadLetter.Owner != "platform-operations" || topic.DeadLetters().RetentionMs != (90*24*time.Hour).Milliseconds() {
			t.Errorf("dead letters of %s: %+v", topic.Name, topic.DeadLetter)
		}
	}
	compareRows(t, want, got)
	if len(got) != 19 || retries != 41 {
		t.Errorf("%d topics with %d retry topics, want 19 with 41", len(got), retries)
	}
}

func compareRows(t *testing.T, want, got []string) {
	t.Helper()
	for _, row := range want {
		if !slices.Contains(got, row) {
			t.Errorf("agreed and not so in the contracts: %s", row)
		}
	}
	for _, row := range got {
		if !slices.Contains(want, row) {
			t.Errorf("in the contracts and not agreed: %s", row)
		}
	}
}

// A group that is declared on a topic and reads no event of it would get
// rights, lag and alerts for nothing.
func TestEveryGroupReadsSomethingOfEveryTopicItIsDeclaredOn(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, s := range c.Services() {
		for _, g := range s.Groups {
			for _, sub := range g.Topics {
				if _, derived := c.Derived(sub.Name); derived {
					continue // dead letters are no events
				}
				if !slices.ContainsFunc(c.ReadBy(g.Name), func(e *contract.Event) bool { return e.Topic == sub.Name }) {
					t.Errorf("%s is declared on %s and reads no event of it", g.Name, sub.Name)
				}
			}
		}
	}
}

func TestOperationsReadEveryDeadLetterTopicAndNobodyElseDoes(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, topic := range c.Topics() {
		for _, s := range c.Services() {
			if reads := s.MayRead(topic.DeadLetterTopic()); reads != (s.Name == "platform-operations") {
				t.Errorf("%s reads %s: %t", s.Name, topic.DeadLetterTopic(), reads)
			}
		}
	}
}

// record is what the story of the examples hangs on.
type record struct {
	EventID, EventType, AggregateType, AggregateID, CorrelationID, CausationID string
	AggregateVersion                                                           int
	OccurredAt                                                                 time.Time
	Payload                                                                    struct{ SourceEventID string }
}

// The examples are one story: what one of them refers to by an event's id is
// another that happened before it, in the same business request.
func TestExamplesAgreeWithEachOther(t *testing.T) {
	t.Parallel()
	c := load(t)
	told := map[string]record{}
	versions := map[string]string{}
	for _, e := range c.Events() {
		r := fullExample(t, e)
		told[r.EventID] = r
		if topic, _ := c.Topic(e.Topic); topic.Category == "current-state" {
			continue // repeats the version of the change that it follows
		}
		version := r.AggregateType + " " + r.AggregateID + " " + strconv.Itoa(r.AggregateVersion)
		if other := versions[version]; other != "" {
			t.Errorf("%s and %s are both version %d of %s", other, r.EventType, r.AggregateVersion, r.AggregateID)
		}
		versions[version] = r.EventType
	}
	caused := 0
	for _, r := range told {
		if cause, ok := told[r.CausationID]; ok {
			caused++
			if cause.OccurredAt.After(r.OccurredAt) || cause.CorrelationID != r.CorrelationID {
				t.Errorf("%s does not follow from %s: %s and %s, %s and %s", r.EventType, cause.EventType,
					cause.OccurredAt, r.OccurredAt, cause.CorrelationID, r.CorrelationID)
			}
		}
	}
	if caused < 20 {
		t.Errorf("%d examples name another as their cause, want 20 or more", caused)
	}
}

func fullExample(t *testing.T, e *contract.Event) (r record) {
	t.Helper()
	x, ok := e.Example("full")
	if !ok {
		t.Fatalf("%s has no full example", e.Type)
	}
	if err := json.Unmarshal(x.Value, &r); err != nil {
		t.Fatal(err)
	}
	return r
}
