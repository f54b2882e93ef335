package lint_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"factline.dev/contract"
	"factline.dev/contract/lint"
	"factline.dev/platform/contracts"
)

const (
	paid     = "events/shop.basket.events/BasketPaid/"
	opened   = "events/shop.basket.events/BasketOpened/"
	basket   = "events/shop.basket.events/topic.yaml"
	stock    = "events/shop.stock.current-state/"
	services = "services.yaml"
)

// today is the day on which every waiver and deprecation here is judged.
func today() time.Time { return time.Date(2026, 7, 2, 15, 0, 0, 0, time.UTC) }

func TestThePlatformIsClean(t *testing.T) {
	t.Parallel()
	for _, f := range lint.Check(load(t, contracts.FS()), today()).Findings {
		t.Error(f)
	}
}

func TestTheShopIsClean(t *testing.T) {
	t.Parallel()
	for _, f := range lint.Check(load(t, shop(t)), today()).Findings {
		t.Error(f)
	}
}

func TestEveryRuleExplainsItself(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, r := range lint.Rules() {
		if r.Title == "" || r.Why == "" || r.Good == "" || r.Bad == "" {
			t.Errorf("rule %s lacks a title, why, good or bad", r.Name)
		}
		if names[r.Name] {
			t.Errorf("two rules are named %s", r.Name)
		}
		names[r.Name] = true
	}
}

// edit replaces the first occurrence of a text in a file of the shop.
type edit struct{ file, old, new string }

// planted is a mistake and the finding that it must lead to.
type planted struct {
	name    string
	rule    string
	edits   []edit
	rename  [2]string
	topic   string // what the topic of baskets is called instead
	more    int    // how many events of other aggregates stand on it
	drop    string
	subject string
	message string
}

func plantedCases() []planted {
	return []planted{
		{name: "a name without a participle", rule: "event-past-tense", rename: [2]string{"BasketPaid", "BasketPayment"}, subject: "BasketPayment", message: "no fact in the past tense"},
		{name: "a draft without a reason", rule: "undecided", edits: []edit{{paid + "event.yaml", "keyReason: All that happens", "keyReason: TBD, all that happens"}}, subject: "BasketPaid", message: "still to be written"},
		{name: "a draft of a topic", rule: "undecided", edits: []edit{{basket, "description: ", "description: TBD "}}, subject: "shop.basket.events.v1", message: "still to be written"},
		{name: "a draft of a field", rule: "undecided", edits: []edit{{opened + "v1.schema.json", `"shop": {`, `"shop": {"description": "TBD", `}}, subject: "BasketOpened", message: "description that is still to be written"},
		{name: "a draft of a group", rule: "undecided", edits: []edit{{services, "purpose: ", "purpose: TBD "}}, subject: "basket-service", message: "still to be written"},
		{name: "a name without a subject", rule: "event-past-tense", rename: [2]string{"BasketPaid", "Paid"}, subject: "Paid", message: "BasketPaid"},
		{name: "a word that only looks like a participle", rule: "event-past-tense", rename: [2]string{"BasketPaid", "BasketNeed"}, subject: "BasketNeed", message: "participle"},
		{name: "a command", rule: "event-command", rename: [2]string{"BasketPaid", "SubmitBasket"}, subject: "SubmitBasket", message: "BasketSubmitted"},
		{name: "a bare command", rule: "event-command", rename: [2]string{"BasketPaid", "Pay"}, subject: "Pay", message: "BasketPaid"},
		{name: "half of a call", rule: "event-request-response", rename: [2]string{"BasketPaid", "PriceRequest"}, subject: "PriceRequest", message: "one half of a call"},
		{name: "a vague word", rule: "event-vague", rename: [2]string{"BasketPaid", "BasketDataProcessed"}, subject: "BasketDataProcessed", message: `"Data"`},
		{name: "only ids and times", rule: "event-thin", edits: []edit{{opened + "v1.schema.json", `"shop": {`, `"shopId": {`}, {opened + "v1.schema.json", `"shop"`, `"shopId"`}}, subject: "BasketOpened", message: "only ids"},
		{name: "no consumer", rule: "event-unread", edits: []edit{{stock + "StockSnapshotted/event.yaml", "consumers:\n  - service: basket-service\n    group: basket-service.stock.consumer\n    reads: [\"*\"]\n  - service: partner-feed\n    group: partner-feed.stock.consumer\n    reads: [articleId, available]\n", ""}}, subject: "StockSnapshotted", message: "names no consumer"},
		{name: "an owner that nobody declared", rule: "owner-declared", edits: []edit{{basket, "owner: basket-service", "owner: basket-svc"}}, subject: "shop.basket.events.v1", message: "basket-svc"},
		{name: "no business owner", rule: "owner-declared", edits: []edit{{paid + "event.yaml", "businessOwner: Shop\n", ""}}, subject: "BasketPaid", message: "businessOwner"},
		{name: "two owners on a topic", rule: "topic-shared", edits: []edit{{paid + "event.yaml", "ownerService: basket-service", "ownerService: mail-service"}}, subject: "BasketPaid", message: "a topic of basket-service"},
		{name: "no visibility", rule: "topic-visibility", edits: []edit{{basket, "visibility: public\n", ""}}, subject: "shop.basket.events.v1", message: "visibility"},
		{name: "a stranger on a private topic", rule: "topic-visibility", edits: []edit{{basket, "visibility: public", "visibility: private"}}, subject: "BasketPaid", message: "mail-service"},
		{name: "a domain topic without events in its name", rule: "topic-name", edits: []edit{{stock + "topic.yaml", "category: current-state", "category: domain"}}, subject: "shop.stock.current-state.v1", message: "current-state"},
		{name: "a key without a reason", rule: "key-justified", edits: []edit{{paid + "event.yaml", "keyReason: All that happens to one of them is read in order; none is hot.", "keyReason: the id"}}, subject: "BasketPaid", message: "does not say why"},
		{name: "two keys in one aggregate", rule: "key-justified", edits: []edit{{opened + "event.yaml", "key: basketId", "key: shop"}}, subject: "BasketOpened", message: "keyed by shop"},
		{name: "compacted evidence", rule: "compaction", edits: []edit{{basket, "cleanupPolicy: delete", "cleanupPolicy: compact"}}, subject: "shop.basket.events.v1", message: "domain"},
		{name: "expiring state", rule: "compaction", edits: []edit{{stock + "topic.yaml", "cleanupPolicy: compact", "cleanupPolicy: delete"}}, subject: "shop.stock.current-state.v1", message: "use compact"},
		{name: "no retention", rule: "retention", edits: []edit{{basket, "retentionMs: 2592000000\n", ""}}, subject: "shop.basket.events.v1", message: "retentionMs"},
		{name: "retention below the retry chain", rule: "retention", edits: []edit{{basket, "retentionMs: 2592000000", "retentionMs: 60000"}}, subject: "shop.basket.events.v1", message: "retry chain of 16m0s"},
		{name: "words and number that differ", rule: "retention", edits: []edit{{paid + "event.yaml", "retention: 30 days", "retention: 60 days"}}, subject: "BasketPaid", message: "says 60 days"},
		{name: "an archive that is none", rule: "retention", edits: []edit{{paid + "event.yaml", " plus archive", ""}}, subject: "BasketPaid", message: "archive"},
		{name: "a topic classed below its event", rule: "classification", edits: []edit{{basket, "classification: high", "classification: medium"}}, subject: "BasketPaid", message: `classed "medium"`},
		{name: "no class", rule: "classification", edits: []edit{{paid + "event.yaml", "dataClassification: high\n", ""}}, subject: "BasketPaid", message: "missing"},
		{name: "no minimal example", rule: "examples", drop: paid + "examples/minimal.json", subject: "BasketPaid", message: "minimal.json"},
		{name: "an example that breaks the schema", rule: "examples", edits: []edit{{paid + "examples/full.json", `"total": "12.00"`, `"total": 12`}}, subject: "BasketPaid", message: "payload.total must be string"},
		{name: "a minimal example with more", rule: "examples", edits: []edit{{paid + "examples/minimal.json", `"total": "12.00"`, `"total": "12.00", "contactName": "enc:1"`}}, subject: "BasketPaid", message: "payload.contactName, which is optional"},
		{name: "a full example with less", rule: "examples", edits: []edit{{paid + "examples/full.json", `"traceId"`, `"trace"`}}, subject: "BasketPaid", message: "lacks traceId"},
		{name: "an example with another schema", rule: "examples", edits: []edit{{paid + "examples/full.json", "BasketPaid/1", "BasketPaid/2"}}, subject: "BasketPaid", message: "schemaRef"},
		{name: "a changelog that stops early", rule: "changelog", drop: paid + "CHANGELOG.md", subject: "BasketPaid", message: "## Version 1"},
		{name: "a schema of another event", rule: "agreement", edits: []edit{{paid + "v1.schema.json", `"const": "BasketPaid"`, `"const": "BasketSold"`}}, subject: "BasketPaid", message: "must fix eventType to BasketPaid"},
		{name: "a public event that promises nothing", rule: "compatibility", edits: []edit{{paid + "event.yaml", "compatibility: additive", "compatibility: none"}}, subject: "BasketPaid", message: "promises nothing (none) on a topic that is public"},
		{name: "a record of another schema", rule: "agreement", edits: []edit{{paid + "event.yaml", "BasketPaid/1", "BasketPaid/2"}}, subject: "BasketPaid", message: "schema://shop.basket.events/BasketPaid/1"},
		{name: "an aggregate in two topics", rule: "aggregate-topic", edits: []edit{{stock + "topic.yaml", "category: current-state", "category: operational"}, {stock + "StockSnapshotted/event.yaml", "aggregateType: Stock", "aggregateType: Basket"}}, subject: "StockSnapshotted", message: "shop.basket.events"},
		{name: "a group that nobody declared", rule: "consumer-declared", edits: []edit{{paid + "event.yaml", "group: mail-service.basket-events.consumer", "group: mail-service.unknown.consumer"}}, subject: "BasketPaid", message: "mail-service.unknown.consumer"},
		{name: "a service that nobody declared", rule: "consumer-declared", edits: []edit{{paid + "event.yaml", "service: mail-service", "service: post-service"}}, subject: "BasketPaid", message: "post-service"},
		{name: "a group on a topic it does not list", rule: "consumer-declared", edits: []edit{{services, "{ name: shop.basket.events.v1, mode: unordered }", "{ name: shop.stock.current-state.v1, mode: latest }"}}, subject: "BasketPaid", message: "does not list"},
		{name: "a group on a topic that is none", rule: "consumer-declared", edits: []edit{{services, "{ name: shop.basket.events.v1,", "{ name: shop.baskets.events.v1,"}}, subject: "mail-service", message: "no topic of the catalogue"},
		{name: "a read of one place of a list", rule: "consumer-reads", edits: []edit{{paid + "v1.schema.json", `"contactName": {`, `"window": {"prefixItems": [{"type": "string"}]}, "contactName": {`}, {paid + "event.yaml", "reads: [basketId, total]", `reads: [basketId, "window[0]"]`}}, subject: "BasketPaid", message: "reads window[0], a part of a list or map that is read whole; declare window"},
		{name: "a read below a pattern of names", rule: "consumer-reads", edits: []edit{{paid + "v1.schema.json", `"contactName": {`, `"labels": {"patternProperties": {"^x\\.": {"properties": {"a": {}}}}}, "contactName": {`}, {paid + "event.yaml", "reads: [basketId, total]", `reads: [basketId, 'labels./^x\./.a']`}}, subject: "BasketPaid", message: "declare labels"},
		{name: "a field that does not exist", rule: "consumer-reads", edits: []edit{{paid + "event.yaml", "reads: [basketId, total]", "reads: [basketId, totals]"}}, subject: "BasketPaid", message: "reads totals"},
		{name: "an ordered reader of state", rule: "consumer-mode", edits: []edit{{services, "shop.stock.current-state.v1, mode: latest", "shop.stock.current-state.v1, mode: ordered"}}, subject: "basket-service", message: "use latest"},
		{name: "a latest reader of evidence", rule: "consumer-mode", edits: []edit{{services, "mode: unordered", "mode: latest"}}, subject: "mail-service", message: "skips transitions"},
		{name: "a group name that says nothing", rule: "group-name", edits: []edit{{services, "name: partner-feed.stock.consumer", "name: group1"}}, subject: "partner-feed", message: `"group1"`},
		{name: "a group of another service", rule: "group-name", edits: []edit{{services, "name: partner-feed.stock.consumer", "name: other-feed.stock.consumer"}}, subject: "partner-feed", message: "begin it with partner-feed."},
		{name: "a low-trust reader of high", rule: "low-trust", edits: []edit{{services, "trust: EDGE", "trust: LOW"}}, subject: "mail-service", message: "shop.basket.events.v1 of class high"},
		{name: "no warning", rule: "side-effects", edits: []edit{{paid + "event.yaml", "sideEffectWarning: mail-service dedupes by eventId\n", ""}}, subject: "BasketPaid", message: "mail-service.basket-events.consumer"},
		{name: "unmarked personal data", rule: "personal-data", edits: []edit{{paid + "v1.schema.json", `"x-pii": true`, `"x-pii": false`}}, subject: "BasketPaid", message: "contactName"},
		{name: "personal data denied", rule: "personal-data", edits: []edit{{paid + "event.yaml", "containsPII: true", "containsPII: false"}}, subject: "BasketPaid", message: "containsPII: false"},
		{name: "personal data claimed", rule: "personal-data", edits: []edit{{opened + "event.yaml", "containsPII: false", "containsPII: true"}}, subject: "BasketOpened", message: "marks no field"},
		{name: "a secret", rule: "secrets", edits: []edit{{opened + "v1.schema.json", `"shop": {`, `"apiKey": {"type": "string"}, "shop": {`}}, subject: "BasketOpened", message: "apiKey"},
		{name: "a topic for everything of a domain", rule: "topic-name", topic: "shop.events.v1", subject: "shop.events.v1", message: "names no area"},
		{name: "a topic of nobody", rule: "topic-name", topic: "backend.misc.events.v1", subject: "backend.misc.events.v1", message: `"backend"`},
		{name: "ten kinds of aggregate on a topic", rule: "topic-shared", more: 10, subject: "shop.basket.events.v1", message: "11 kinds of aggregate"},
		{name: "a place to answer to", rule: "event-request-response", edits: []edit{{opened + "v1.schema.json", `"shop": {`, `"replyTo": {"type": "string"}, "shop": {`}}, subject: "BasketOpened", message: "waits for an answer"},
		{name: "the request of a call", rule: "event-request-response", rename: [2]string{"BasketPaid", "GetPriceRequest"}, subject: "GetPriceRequest", message: "one half of a call"},
		{name: "a field that may hold anything", rule: "payload-typed", edits: []edit{{opened + "v1.schema.json", `"shop": {`, `"data": {}, "shop": {`}}, subject: "BasketOpened", message: "data, which may hold anything (any)"},
		{name: "an object without fields", rule: "payload-typed", edits: []edit{{opened + "v1.schema.json", `"shop": {`, `"data": {"type": "object"}, "shop": {`}}, subject: "BasketOpened", message: "(object)"},
		{name: "a field in a header alone", rule: "header-only", edits: []edit{{opened + "event.yaml", "containsPII", "headers: [tenantId, campaign]\ncontainsPII"}}, subject: "BasketOpened", message: "campaign into a header"},
		{name: "a reader of a header", rule: "header-only", edits: []edit{{paid + "event.yaml", "reads: [basketId, total]", "reads: [basketId, header.campaign]"}}, subject: "BasketPaid", message: "reads the header campaign"},
		{name: "retention below that of dead letters", rule: "retention", edits: []edit{{basket, "archive: true", "archive: false"}}, subject: "shop.basket.events.v1", message: "30 days but dead letters for 90"},
		{name: "a tier longer than its topic keeps records", rule: "retention", edits: []edit{{basket, "[1m, 15m]", "[1m, 100h]"}}, subject: "shop.basket.events.v1", message: "shorten the tier"},
		{name: "no safe replay and no warning", rule: "side-effects", edits: []edit{{stock + "StockSnapshotted/event.yaml", "replaySafe: true", "replaySafe: false"}}, subject: "StockSnapshotted", message: "what a replay would repeat"},
		{name: "a mail address in an example", rule: "personal-data", edits: []edit{{opened + "examples/full.json", `"shop": "`, `"shop": "jo@example.com `}}, subject: "BasketOpened", message: "a mail address in shop"},
		{name: "a card number in an example", rule: "personal-data", edits: []edit{{opened + "examples/minimal.json", `"shop": "north"`, `"shop": "4111 1111 1111 1111"`}}, subject: "BasketOpened", message: "a card number in shop"},
		{name: "an account number in an example", rule: "personal-data", edits: []edit{{opened + "examples/minimal.json", `"shop": "north"`, `"shop": "DE89 3704 0044 0532 0130 00"`}}, subject: "BasketOpened", message: "a bank account number in shop"},
		{name: "a token in an example", rule: "secrets", edits: []edit{{opened + "examples/full.json", `"shop": "`, `"shop": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl`}}, subject: "BasketOpened", message: "a signed token in shop"},
		{name: "a password in the URL of an example", rule: "secrets", edits: []edit{{opened + "examples/minimal.json", `"shop": "north"`, `"shop": "https://joe:pass@shop.example"`}}, subject: "BasketOpened", message: "a URL with a password in shop"},
		{name: "an end before the beginning", rule: "deprecation", edits: []edit{{opened + "event.yaml", "containsPII", deprecated("2026-09-01", "2026-08-01", "") + "containsPII"}}, subject: "BasketOpened", message: "is before 2026-09-01"},
		{name: "a successor that does not exist", rule: "deprecation", edits: []edit{{opened + "event.yaml", "containsPII", deprecated("2026-01-01", "2026-08-01", "BasketOpened2") + "containsPII"}}, subject: "BasketOpened", message: "no schema of the catalogue"},
		{name: "a reader after the end", rule: "deprecation", edits: []edit{{paid + "event.yaml", "containsPII", deprecated("2026-01-01", "2026-06-30", "") + "containsPII"}}, subject: "BasketPaid", message: "mail-service.basket-events.consumer still read it"},
		{name: "a waiver of no rule", rule: "waiver", edits: []edit{{"waivers.yaml", "", waive("event-tin", "BasketPaid", "2026-12-31")}}, subject: "BasketPaid", message: "no rule that can be waived"},
		{name: "a waiver of waivers", rule: "waiver", edits: []edit{{"waivers.yaml", "", waive("waiver", "BasketPaid", "2026-12-31")}}, subject: "BasketPaid", message: "no rule that can be waived"},
		{name: "a waiver that nothing needs", rule: "waiver", edits: []edit{{"waivers.yaml", "", waive("event-thin", "BasketPaid", "2026-12-31")}}, subject: "BasketPaid", message: "take the waiver out"},
		{name: "an expired waiver", rule: "waiver", edits: []edit{{"waivers.yaml", "", waive("retention", "shop.basket.events.v1", "2026-07-01")}, {basket, "retentionMs: 2592000000\n", ""}}, subject: "shop.basket.events.v1", message: "ended on 2026-07-01"},
		{name: "what an expired waiver covered", rule: "retention", edits: []edit{{"waivers.yaml", "", waive("retention", "shop.basket.events.v1", "2026-07-01")}, {basket, "retentionMs: 2592000000\n", ""}}, subject: "shop.basket.events.v1", message: "retentionMs is missing"},
		{name: "a waiver for ever", rule: "waiver", edits: []edit{{"waivers.yaml", "", waive("retention", "shop.basket.events.v1", "2199-12-31")}, {basket, "retentionMs: 2592000000\n", ""}}, subject: "shop.basket.events.v1", message: "a year at most"},
	}
}

func deprecated(since, until, by string) string {
	return fmt.Sprintf("deprecation:\n  since: %s\n  removeAfter: %s\n  replacedBy: %q\n  reason: Superseded by the event of the new checkout.\n", quote(since), quote(until), by)
}

func waive(rule, subject, until string) string {
	return fmt.Sprintf("waivers:\n  - rule: %s\n    subject: %s\n    owner: Shop Team\n    reason: The old shop still needs it until it is moved.\n    expires: %s\n", rule, subject, quote(until))
}

func quote(text string) string { return strconv.Quote(text) }

var update = flag.Bool("update", false, "write the golden file")

// The golden file holds the message of every planted mistake, for the reader of
// a change to the words.
func TestPlantedMistakesAreFound(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	for _, p := range plantedCases() {
		found := lint.Check(load(t, p.plant(t)), today()).Findings
		at := slices.IndexFunc(found, func(f lint.Finding) bool {
			return f.Rule == p.rule && f.Subject == p.subject && strings.Contains(f.Path+" "+f.Message, p.message)
		})
		if at < 0 {
			t.Errorf("%s: no finding of %s on %s with %q; found %v", p.name, p.rule, p.subject, p.message, found)
			continue
		}
		fmt.Fprintf(&said, "# %s\n%s\n", p.name, found[at])
	}
	if *update {
		if err := os.WriteFile("testdata/planted.golden", []byte(said.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/planted.golden")
	if err != nil {
		t.Fatal(err)
	}
	if said.String() != string(want) {
		t.Errorf("the messages are not those of testdata/planted.golden; look at the difference after go test ./contract/lint -update\n%s", said.String())
	}
}

func TestAWaiverTakesOutWhatItCovers(t *testing.T) {
	t.Parallel()
	files := shop(t)
	files["waivers.yaml"] = &fstest.MapFile{Data: []byte(waive("retention", "shop.basket.events.v1", "2026-07-02"))}
	topic := string(files[basket].Data)
	files[basket].Data = []byte(strings.Replace(topic, "retentionMs: 2592000000\n", "", 1))
	got := lint.Check(load(t, files), today())
	if len(got.Findings) != 0 || len(got.Waived) != 1 || got.Waived[0].Rule != "retention" || got.Waived[0].Waiver.Owner != "Shop Team" {
		t.Errorf("on its last day: %+v", got)
	}
}

func TestEveryRuleHasAPlantedMistake(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, p := range plantedCases() {
		covered[p.rule] = true
	}
	for _, r := range lint.Rules() {
		if !covered[r.Name] {
			t.Errorf("rule %s has no planted mistake", r.Name)
		}
	}
}

func TestTopicNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		ok   bool
	}{
		{"shop.basket.events.v1", true},
		{"shop.basket.events.v2", true},
		{"orders", false},
		{"events.v1", false},
		{"Shop.Basket.events.v1", false},
		{"backend.basket.events.v1", false},
		{"shop.shared.events.v1", false},
		{"shop.basket.events", false},
		{"shop.retry.events.v1", false},
		{"shop.basket.updates.v1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := shop(t)
			renameTopic(files, tt.name)
			found := slices.ContainsFunc(lint.Check(load(t, files), today()).Findings, func(f lint.Finding) bool {
				return f.Rule == "topic-name" && f.Subject == tt.name
			})
			if found == tt.ok {
				t.Errorf("found %t, want %t", found, !tt.ok)
			}
		})
	}
}

func TestARequestAndItsResponseAreFoundAsAPair(t *testing.T) {
	t.Parallel()
	files := shop(t)
	rename(files, "BasketPaid", "PriceRequested")
	rename(files, "BasketOpened", "PriceResponded")
	for _, f := range lint.Check(load(t, files), today()).Findings {
		if f.Rule == "event-request-response" && f.Subject == "PriceResponded" && strings.Contains(f.Message, "PriceRequested") {
			return
		}
	}
	t.Error("the pair was not found")
}

func (p planted) plant(t *testing.T) fs.FS {
	t.Helper()
	files := shop(t)
	for _, e := range p.edits {
		if files[e.file] == nil {
			files[e.file] = &fstest.MapFile{}
		}
		text := string(files[e.file].Data)
		if !strings.Contains(text, e.old) {
			t.Fatalf("%s does not hold %q", e.file, e.old)
		}
		files[e.file].Data = []byte(strings.Replace(text, e.old, e.new, 1))
	}
	if p.rename[0] != "" {
		rename(files, p.rename[0], p.rename[1])
	}
	if p.topic != "" {
		renameTopic(files, p.topic)
	}
	for i := range p.more {
		addEvent(files, "Basket"+string(rune('A'+i)))
	}
	delete(files, p.drop)
	return files
}

func renameTopic(files fstest.MapFS, name string) {
	folder := strings.TrimSuffix(name, ".v1")
	move(files, "events/shop.basket.events", "events/"+folder)
	for _, file := range files {
		text := strings.ReplaceAll(string(file.Data), "shop.basket.events.v1", name)
		file.Data = []byte(strings.ReplaceAll(text, "/shop.basket.events/", "/"+folder+"/"))
	}
}

// addEvent puts a copy of BasketOpened of another aggregate beside it.
func addEvent(files fstest.MapFS, aggregate string) {
	for name, file := range maps.Clone(files) {
		if rest, ok := strings.CutPrefix(name, opened); ok {
			text := strings.ReplaceAll(string(file.Data), "BasketOpened", aggregate+"Opened")
			text = strings.ReplaceAll(text, "aggregateType: Basket", "aggregateType: "+aggregate)
			text = strings.ReplaceAll(text, `"Basket"`, strconv.Quote(aggregate))
			files["events/shop.basket.events/"+aggregate+"Opened/"+rest] = &fstest.MapFile{Data: []byte(text)}
		}
	}
}

func rename(files fstest.MapFS, from, to string) {
	move(files, "events/shop.basket.events/"+from, "events/shop.basket.events/"+to)
	for _, file := range files {
		file.Data = []byte(strings.ReplaceAll(string(file.Data), from, to))
	}
}

func move(files fstest.MapFS, from, to string) {
	for name, file := range files {
		if rest, ok := strings.CutPrefix(name, from+"/"); ok && from != to {
			delete(files, name)
			files[to+"/"+rest] = file
		}
	}
}

func shop(t *testing.T) fstest.MapFS {
	t.Helper()
	root, files := os.DirFS("testdata/shop"), fstest.MapFS{}
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
	return files
}

func load(t *testing.T, fsys fs.FS) *contract.Catalogue {
	t.Helper()
	c, err := contract.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
