package lint_test

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

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

func TestThePlatformIsClean(t *testing.T) {
	t.Parallel()
	for _, f := range lint.Check(load(t, contracts.FS())) {
		t.Error(f)
	}
}

func TestTheShopIsClean(t *testing.T) {
	t.Parallel()
	for _, f := range lint.Check(load(t, shop(t))) {
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
	drop    string
	subject string
	message string
}

func plantedCases() []planted {
	return []planted{
		{name: "a name without a participle", rule: "event-past-tense", rename: [2]string{"BasketPaid", "BasketPayment"}, subject: "BasketPayment", message: "no fact in the past tense"},
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
		{name: "a record of another schema", rule: "agreement", edits: []edit{{paid + "event.yaml", "BasketPaid/1", "BasketPaid/2"}}, subject: "BasketPaid", message: "schema://shop.basket.events/BasketPaid/1"},
		{name: "an aggregate in two topics", rule: "aggregate-topic", edits: []edit{{stock + "topic.yaml", "category: current-state", "category: operational"}, {stock + "StockSnapshotted/event.yaml", "aggregateType: Stock", "aggregateType: Basket"}}, subject: "StockSnapshotted", message: "shop.basket.events"},
		{name: "a group that nobody declared", rule: "consumer-declared", edits: []edit{{paid + "event.yaml", "group: mail-service.basket-events.consumer", "group: mail-service.unknown.consumer"}}, subject: "BasketPaid", message: "mail-service.unknown.consumer"},
		{name: "a service that nobody declared", rule: "consumer-declared", edits: []edit{{paid + "event.yaml", "service: mail-service", "service: post-service"}}, subject: "BasketPaid", message: "post-service"},
		{name: "a group on a topic it does not list", rule: "consumer-declared", edits: []edit{{services, "{ name: shop.basket.events.v1, mode: unordered }", "{ name: shop.stock.current-state.v1, mode: latest }"}}, subject: "BasketPaid", message: "does not list"},
		{name: "a group on a topic that is none", rule: "consumer-declared", edits: []edit{{services, "{ name: shop.basket.events.v1,", "{ name: shop.baskets.events.v1,"}}, subject: "mail-service", message: "no topic of the catalogue"},
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
	}
}

func TestPlantedMistakesAreFound(t *testing.T) {
	t.Parallel()
	for _, p := range plantedCases() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			found := lint.Check(load(t, p.plant(t)))
			if !slices.ContainsFunc(found, func(f lint.Finding) bool {
				return f.Rule == p.rule && f.Subject == p.subject && strings.Contains(f.Path+" "+f.Message, p.message)
			}) {
				t.Errorf("no finding of %s on %s with %q; found %v", p.rule, p.subject, p.message, found)
			}
		})
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
			folder := strings.TrimSuffix(tt.name, ".v1")
			move(files, "events/shop.basket.events", "events/"+folder)
			for name, file := range files {
				text := strings.ReplaceAll(string(file.Data), "shop.basket.events.v1", tt.name)
				files[name].Data = []byte(strings.ReplaceAll(text, "/shop.basket.events/", "/"+folder+"/"))
			}
			found := slices.ContainsFunc(lint.Check(load(t, files)), func(f lint.Finding) bool {
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
	for _, f := range lint.Check(load(t, files)) {
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
		text := string(files[e.file].Data)
		if !strings.Contains(text, e.old) {
			t.Fatalf("%s does not hold %q", e.file, e.old)
		}
		files[e.file].Data = []byte(strings.Replace(text, e.old, e.new, 1))
	}
	if p.rename[0] != "" {
		rename(files, p.rename[0], p.rename[1])
	}
	delete(files, p.drop)
	return files
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
