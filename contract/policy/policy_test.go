package policy_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"factline.dev/contract"
	"factline.dev/contract/policy"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	paid     = "events/shop.basket.events/BasketPaid/"
	schema   = paid + "v1.schema.json"
	record   = paid + "event.yaml"
	topic    = "events/shop.basket.events/topic.yaml"
	services = "services.yaml"
	group    = "mail-service.basket-events.consumer"
)

// payload is what a paid basket says in these tests. mail-service reads
// everything of it but the note and the terminal.
const payload = `"payload": {
      "type": "object",
      "required": ["basketId", "total", "state", "paidAt"],
      "properties": {
        "basketId": {"type": "string"},
        "total": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"},
        "state": {"type": "string", "enum": ["PAID", "PARTLY_PAID"], "description": "How much of it is paid."},
        "paidAt": {"type": "string", "format": "date-time", "description": "When the money arrived."},
        "voucherCode": {"type": "string"},
        "note": {"type": "string", "maxLength": 100},
        "terminal": {"type": "object", "required": ["till"], "properties": {"till": {"type": "integer"}, "city": {"type": "string"}}},
        "contactName": {"type": "string", "x-pii": true}
      }
    }
  }
}
`

type edit struct{ file, old, new string }

// planted is a change and what must be said about it.
type planted struct {
	name  string
	edits []edit
	drop  string // a folder or file that goes
	kind  policy.Kind
	path  string
	// verdict and failed are those on a public topic.
	verdict policy.Verdict
	failed  bool
	hurt    []string
	// row is the line of the compatibility matrix, empty for none.
	row string
}

func in(old, new string) []edit { return []edit{{schema, old, new}} }

func plantedCases() []planted {
	mail := []string{group}
	return []planted{
		{name: "an optional field comes", row: "add optional field", edits: in(`"note":`, `"channel": {"type": "string"}, "note":`), kind: policy.OptionalAdded, path: "channel", verdict: policy.Compatible},
		{name: "a required field comes", row: "add required field", edits: []edit{{schema, `"note":`, `"channel": {"type": "string"}, "note":`}, {schema, `"paidAt"]`, `"paidAt", "channel"]`}}, kind: policy.RequiredAdded, path: "channel", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an optional field goes that is read", row: "remove optional field, read", edits: in(`"voucherCode": {"type": "string"},`, ``), kind: policy.OptionalRemoved, path: "voucherCode", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an optional field goes that nobody reads", row: "remove optional field, unread", edits: in(`"note": {"type": "string", "maxLength": 100},`, ``), kind: policy.OptionalRemoved, path: "note", verdict: policy.Compatible},
		{name: "a required field goes", row: "remove required field", edits: []edit{{schema, `"total": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"},`, ``}, {schema, `"total", `, ``}}, kind: policy.RequiredRemoved, path: "total", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "a field is renamed", row: "rename field", edits: in(`"voucherCode": {"type": "string"},`, `"voucher": {"type": "object", "properties": {"code": {"type": "string"}}},`), kind: policy.FieldRenamed, path: "voucherCode", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an enum gets other words", row: "change enum semantics", edits: in("How much of it is paid.", "Whether the bank has confirmed it."), kind: policy.EnumMeaning, path: "state", verdict: policy.Unknown, failed: true, hurt: mail},
		{name: "an enum gets a value", row: "add enum value", edits: in(`"PARTLY_PAID"]`, `"PARTLY_PAID", "OVERPAID"]`), kind: policy.EnumValueAdded, path: "state", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "an amount gets more digits", row: "change numeric precision", edits: in(`{2}$`, `{2,4}$`), kind: policy.NumberPrecision, path: "total", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an instant gets other words", row: "change timestamp meaning", edits: in("When the money arrived.", "When the customer pressed the button."), kind: policy.TimeMeaning, path: "paidAt", verdict: policy.Unknown, failed: true, hurt: mail},

		{name: "an enum loses a value", edits: in(`["PAID", "PARTLY_PAID"]`, `["PAID"]`), kind: policy.EnumValueRemoved, path: "state", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an optional field becomes required", edits: in(`"paidAt"]`, `"paidAt", "note"]`), kind: policy.MadeRequired, path: "note", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "a required field becomes optional", edits: in(`"state", "paidAt"]`, `"state"]`), kind: policy.MadeOptional, path: "paidAt", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "a field changes its type", edits: in(`"voucherCode": {"type": "string"}`, `"voucherCode": {"type": "integer"}`), kind: policy.TypeChanged, path: "voucherCode", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an integer becomes a number", edits: in(`"till": {"type": "integer"}`, `"till": {"type": "number"}`), kind: policy.NumberPrecision, path: "terminal.till", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an instant becomes a day", edits: in(`"format": "date-time", "description": "When`, `"format": "date", "description": "When`), kind: policy.TypeChanged, path: "paidAt", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "a bound becomes narrower", edits: in(`"maxLength": 100`, `"maxLength": 50`), kind: policy.SchemaBroken, path: "note", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "a rule between fields comes", edits: in(`"type": "object",
      "required": ["basketId"`, `"type": "object", "dependentRequired": {"note": ["voucherCode"]},
      "required": ["basketId"`), kind: policy.SchemaBroken, verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "the shared envelope asks for more", edits: []edit{{"envelope.schema.json", `"eventId",`, `"eventId", "traceId",`}}, kind: policy.SchemaBroken, path: "envelope", verdict: policy.Breaking, failed: true, hurt: mail},

		{name: "another key", edits: []edit{{record, "key: basketId", "key: total"}}, kind: policy.KeyChanged, path: "key", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "another aggregate", edits: []edit{{record, "aggregateType: Basket", "aggregateType: Cart"}}, kind: policy.AggregateChanged, path: "aggregateType", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "another owner", edits: []edit{{record, "ownerService: basket-service", "ownerService: mail-service"}}, kind: policy.OwnerChanged, path: "ownerService", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "an event's class lowered", edits: []edit{{record, "dataClassification: high", "dataClassification: low"}}, kind: policy.ClassLowered, path: "dataClassification", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "personal data denied", edits: []edit{{record, "containsPII: true", "containsPII: false"}}, kind: policy.PersonalDataChanged, path: "containsPII", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "an event that goes", drop: paid, kind: policy.VersionRemoved, verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "a topic that goes", drop: "events/shop.basket.events/", kind: policy.TopicRemoved, verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "shorter retention", edits: []edit{{topic, "retentionMs: 2592000000", "retentionMs: 864000000"}}, kind: policy.RetentionShortened, path: "retentionMs", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "no archive any more", edits: []edit{{topic, "archive: true", "archive: false"}}, kind: policy.ArchiveDropped, path: "archive", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "compaction", edits: []edit{{topic, "cleanupPolicy: delete", "cleanupPolicy: compact"}}, kind: policy.CompactionChanged, path: "cleanupPolicy", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "more partitions", edits: []edit{{topic, "production: 6", "production: 12"}}, kind: policy.PartitionsChanged, path: "partitions.production", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "a topic's class raised", edits: []edit{{"events/shop.stock.current-state/topic.yaml", "classification: low", "classification: medium"}}, kind: policy.ClassRaised, path: "classification", verdict: policy.Risky, failed: true, hurt: []string{"basket-service.stock.consumer", "partner-feed.stock.consumer"}},
		{name: "a topic's class lowered", edits: []edit{{topic, "classification: high", "classification: low"}}, kind: policy.ClassLowered, path: "classification", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "a dead letter that others overtake", edits: []edit{{topic, "retryTiers:", "onDeadLetter: continue\nretryTiers:"}}, kind: policy.DeadLetterPasses, path: "onDeadLetter", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "smaller records", edits: []edit{{topic, "retryTiers:", "maxMessageBytes: 65536\nretryTiers:"}}, kind: policy.RecordSizeLowered, path: "maxMessageBytes", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "larger records", edits: []edit{{topic, "retryTiers:", "maxMessageBytes: 2097152\nretryTiers:"}}, kind: policy.RecordSizeRaised, path: "maxMessageBytes", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "CloudEvents", edits: []edit{{topic, "retryTiers:", "cloudEvents: true\nretryTiers:"}}, kind: policy.CloudEventsAdded, path: "cloudEvents", verdict: policy.Compatible},
		{name: "dead letters kept for shorter", edits: []edit{{topic, "retryTiers:", "deadLetter: {retentionMs: 3456000000}\nretryTiers:"}}, kind: policy.RetentionShortened, path: "deadLetter.retentionMs", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "a group that reads in another mode", edits: []edit{{services, "mode: unordered", "mode: ordered"}}, kind: policy.ModeChanged, path: "groups[0].topics[0].mode", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "any producer", edits: []edit{{record, "ownerService:", "anyProducer: true\nownerService:"}}, kind: policy.OwnerChanged, path: "anyProducer", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "a weaker promise", edits: []edit{{record, "compatibility: additive", "compatibility: backward"}}, kind: policy.PromiseWeakened, path: "compatibility", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "a public topic made private", edits: []edit{{topic, "visibility: public", "visibility: private"}}, kind: policy.VisibilityNarrowed, path: "visibility", verdict: policy.Breaking, failed: true, hurt: mail},
	}
}

// The golden file holds what is said about every planted change.
func TestPlantedChangesAreJudged(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	for _, p := range plantedCases() {
		changes := check(t, base(t), p.plant(t, base(t)), today())
		at := slices.IndexFunc(changes, func(c policy.Change) bool { return c.Kind == p.kind && c.Path == p.path })
		if at < 0 {
			t.Errorf("%s: no %s of %q among %v", p.name, p.kind, p.path, changes)
			continue
		}
		c := changes[at]
		if c.Verdict != p.verdict || c.Failed != p.failed || !slices.Equal(c.Hurt, p.hurt) {
			t.Errorf("%s: %s, failed %t, hurts %v", p.name, c.Verdict, c.Failed, c.Hurt)
		}
		fmt.Fprintf(&said, "# %s\n", p.name)
		for _, c := range changes {
			fmt.Fprintln(&said, c)
		}
	}
	golden(t, "planted.golden", said.String())
}

// The matrix by the visibility of the topic, each cell from a real check.
func TestTheMatrixByVisibility(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	fmt.Fprintf(&said, "%-30s %-12s %-12s %-12s %-12s\n", "change", "public", "integration", "private", "operational")
	for _, p := range plantedCases() {
		if p.row == "" {
			continue
		}
		fmt.Fprintf(&said, "%-30s", p.row)
		for _, visibility := range []string{"public", "integration", "private", "operational"} {
			old := base(t)
			replace(t, old, topic, "visibility: public", "visibility: "+visibility)
			changes := check(t, old, p.plant(t, maps.Clone(old)), today())
			at := slices.IndexFunc(changes, func(c policy.Change) bool { return c.Kind == p.kind })
			if at < 0 {
				t.Fatalf("%s on a topic that is %s: %v", p.row, visibility, changes)
			}
			text := string(changes[at].Verdict)
			if changes[at].Failed {
				text += " !"
			}
			fmt.Fprintf(&said, " %-12s", text)
		}
		said.WriteString("\n")
	}
	said.WriteString("! must not pass without an approval\n")
	golden(t, "matrix.golden", said.String())
}

func TestEveryKindOfChangeHasARule(t *testing.T) {
	t.Parallel()
	judged := map[policy.Kind]bool{}
	for _, r := range policy.Rules() {
		if judged[r.Kind] || r.Why == "" {
			t.Errorf("%s has two rules or no reason", r.Kind)
		}
		judged[r.Kind] = true
	}
	for _, p := range plantedCases() {
		if !judged[p.kind] {
			t.Errorf("no rule judges %s", p.kind)
		}
	}
}

func TestAnUnchangedCatalogueHasNoChanges(t *testing.T) {
	t.Parallel()
	if changes := check(t, base(t), base(t), today()); len(changes) != 0 {
		t.Errorf("got %v", changes)
	}
}

func TestAReaderThatLeavesInTheSameChangeIsStillHurt(t *testing.T) {
	t.Parallel()
	now := base(t)
	replace(t, now, schema, `"voucherCode": {"type": "string"},`, ``)
	replace(t, now, record, "voucherCode, ", "")
	changes := check(t, base(t), now, today())
	if len(changes) != 1 || changes[0].Verdict != policy.Breaking || !slices.Equal(changes[0].Hurt, []string{group}) {
		t.Errorf("in one change: %v", changes)
	}
	old := base(t)
	replace(t, old, record, "voucherCode, ", "")
	if changes := check(t, old, now, today()); len(changes) != 1 || changes[0].Verdict != policy.Compatible {
		t.Errorf("afterwards: %v", changes)
	}
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	broken := func() fstest.MapFS {
		files := base(t)
		replace(t, files, schema, `"voucherCode": {"type": "string"},`, ``)
		return files
	}
	fingerprint := check(t, base(t), broken(), today())[0].Fingerprint
	for _, tt := range []struct {
		name                    string
		fingerprint, who, until string
		passes                  bool
		says                    string
	}{
		{"on its last day", fingerprint, group, "2026-07-02", true, "approved by: Shop Team until 2026-07-02"},
		{"a day later", fingerprint, group, "2026-07-01", false, "its approval by Shop Team ended on 2026-07-01"},
		{"without the one who is hurt", fingerprint, "partner-feed.stock.consumer", "2026-12-31", false, "does not name " + group},
		{"of another change", strings.Repeat("ab", 32), group, "2026-12-31", false, "fingerprint: " + fingerprint},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := broken()
			files["approvals.yaml"] = &fstest.MapFile{Data: fmt.Appendf(nil,
				"approvals:\n  - fingerprint: %q\n    change: the voucher goes\n    consumers: [%s]\n    owner: Shop Team\n    reason: No voucher was used for two years.\n    expires: %q\n",
				tt.fingerprint, tt.who, tt.until)}
			changes := check(t, base(t), files, today())
			if len(changes) != 1 || changes[0].Failed == tt.passes || !strings.Contains(changes[0].Text(), tt.says) {
				t.Errorf("got %v", changes)
			}
		})
	}
}

func TestAVersionMayGoWhenNothingOfItIsLeft(t *testing.T) {
	t.Parallel()
	deprecated := func(until string) fstest.MapFS {
		files := base(t)
		text := string(files[record].Data)
		text, _, _ = strings.Cut(text, "consumers:")
		text += fmt.Sprintf("reasonToExist: on its way out\ndeprecation:\n  since: \"2025-01-01\"\n  removeAfter: %q\n  replacedBy: \"\"\n  reason: Nobody pays any more.\n", until)
		files[record] = &fstest.MapFile{Data: []byte(text)}
		return files
	}
	without := func() fstest.MapFS { return planted{drop: paid}.plant(t, base(t)) }
	// dead letters are kept for 90 days, longer than the topic keeps records
	if changes := check(t, deprecated("2026-03-01"), without(), today()); len(changes) != 1 || changes[0].Kind != policy.VersionExpired || changes[0].Failed {
		t.Errorf("after retention: %v", changes)
	}
	changes := check(t, deprecated("2026-05-01"), without(), today())
	if len(changes) != 1 || changes[0].Kind != policy.VersionRemoved || !strings.Contains(changes[0].Message, "can be read until 2026-07-30") {
		t.Errorf("while its events can be redriven: %v", changes)
	}
}

func TestANewVersionOnTheSameTopicIsHeldToAllBefore(t *testing.T) {
	t.Parallel()
	versions := func(edits ...string) fstest.MapFS {
		files := base(t)
		for i, to := range edits {
			text := string(files[schema].Data)
			text = strings.ReplaceAll(text, "BasketPaid/v1", fmt.Sprintf("BasketPaid/v%d", i+2))
			text = strings.ReplaceAll(text, `"const": 1`, fmt.Sprintf(`"const": %d`, i+2))
			text = strings.Replace(text, `"note":`, to+`"note":`, 1)
			files[paid+fmt.Sprintf("v%d.schema.json", i+2)] = &fstest.MapFile{Data: []byte(text)}
		}
		return files
	}
	if changes := check(t, base(t), versions(`"channel": {"type": "string"}, `), today()); len(changes) != 1 || changes[0].Kind != policy.VersionCompared || changes[0].Failed {
		t.Errorf("an additive version: %v", changes)
	}
	changes := check(t, versions(`"tip": {"type": "string"}, `), versions(`"tip": {"type": "string"}, `, `"tip": {"type": "integer"}, `), today())
	if len(changes) != 1 || changes[0].Kind != policy.VersionAdded || changes[0].Subject != "BasketPaid v3" ||
		!strings.Contains(changes[0].Message, "not compatible with BasketPaid v2 on the same topic") || !strings.Contains(changes[0].Message, "shop.basket.events.v3") || changes[0].Witness == nil {
		t.Errorf("a version that breaks the one before: %v", changes)
	}
}

func (p planted) plant(t testing.TB, files fstest.MapFS) fstest.MapFS {
	t.Helper()
	for _, e := range p.edits {
		replace(t, files, e.file, e.old, e.new)
	}
	for file := range maps.Clone(files) {
		if p.drop != "" && strings.HasPrefix(file, p.drop) {
			delete(files, file)
		}
	}
	return files
}

func today() time.Time { return time.Date(2026, 7, 2, 15, 0, 0, 0, time.UTC) }

func check(t testing.TB, old, now fs.FS, day time.Time) []policy.Change {
	t.Helper()
	changes, err := policy.Check(t.Context(), state(t, old), state(t, now), day)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

func state(t testing.TB, fsys fs.FS) policy.State {
	t.Helper()
	c, err := contract.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return policy.State{FS: fsys, Catalogue: c}
}

func base(t testing.TB) fstest.MapFS {
	t.Helper()
	root, files := os.DirFS("../lint/testdata/shop"), fstest.MapFS{}
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, path)
		files[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(files[schema].Data), `"payload":`)
	if !ok {
		t.Fatal("the shop's schema has no payload")
	}
	files[schema] = &fstest.MapFile{Data: []byte(head + payload)}
	replace(t, files, record, "reads: [basketId, total]", "reads: [basketId, total, state, paidAt, voucherCode, terminal.till]")
	return files
}

func replace(t testing.TB, files fstest.MapFS, file, old, new string) {
	t.Helper()
	text := string(files[file].Data)
	if !strings.Contains(text, old) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	files[file] = &fstest.MapFile{Data: []byte(strings.Replace(text, old, new, 1))}
}

func golden(t *testing.T, name, text string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with go test ./contract/policy -update", err)
	}
	if text != string(want) {
		t.Errorf("%s differs; see whether that is meant, then go test ./contract/policy -update. Got:\n%s", path, text)
	}
}
