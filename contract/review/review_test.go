package review

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
	"factline.dev/contract/lint"
	"factline.dev/platform/contracts"
)

var update = flag.Bool("update", false, "write the golden file")

const (
	paid  = "events/shop.basket.events/BasketPaid/"
	topic = "events/shop.basket.events/topic.yaml"
)

func today() time.Time { return time.Date(2026, 7, 2, 15, 0, 0, 0, time.UTC) }

func TestEveryRuleAnswersAQuestion(t *testing.T) {
	t.Parallel()
	if n := len(questions()); n != 14 {
		t.Fatalf("there are %d questions", n)
	}
	for _, rule := range lint.Rules() {
		asked := slices.ContainsFunc(questions(), func(q question) bool { return q.asks(lint.Finding{Rule: rule.Name}) })
		if !asked && rule.Name != lint.WaiverRule {
			t.Errorf("no question asks for %s, so a review passes what lint refuses", rule.Name)
		}
	}
	known := map[string]bool{}
	for _, rule := range lint.Rules() {
		known[rule.Name] = true
	}
	for _, q := range questions() {
		for _, rule := range q.rules {
			if name, _, _ := strings.Cut(rule, " "); !known[name] {
				t.Errorf("%q asks for %s, which is no rule", q.text, name)
			}
		}
	}
}

type edit struct{ file, old, new string }

// planted is a mistake for each question, in its order.
func planted() [][]edit {
	return [][]edit{
		{{paid + "event.yaml", "", ""}}, // renamed below
		{{paid + "event.yaml", "ownerService: basket-service", "ownerService: mail-service"}},
		{{topic, "businessOwner: Shop\n", ""}},
		{{paid + "event.yaml", "keyReason: All that happens to one of them is read in order; none is hot.", "keyReason: the id"}},
		{{"envelope.schema.json", `"tenantId",`, ""}},
		{{paid + "v1.schema.json", `"contactName": {`, `"data": {}, "contactName": {`}},
		{{paid + "event.yaml", "BasketPaid/1", "BasketPaid/2"}},
		{{paid + "event.yaml", "group: mail-service.basket-events.consumer", "group: mail-service.unknown.consumer"}},
		{{topic, "retentionMs: 2592000000", "retentionMs: 60000"}},
		{{paid + "event.yaml", "sideEffectWarning: mail-service dedupes by eventId\n", ""}},
		{{topic, "retryTiers: [1m, 15m]", "retryTiers: [1m, 15m]\ndeadLetter: { owner: nobody }"}},
		{{"services.yaml", "purpose: Sends receipts.", "purpose: \"\""}},
		{{paid + "v1.schema.json", `"x-pii": true`, `"x-pii": false`}},
		{{"services.yaml", "    runbook: https://shop.example/runbooks/baskets\n", ""}},
	}
}

func TestEveryQuestionCanBeAnsweredNo(t *testing.T) {
	t.Parallel()
	for i, edits := range planted() {
		t.Run(questions()[i].text, func(t *testing.T) {
			t.Parallel()
			files, subject := shop(t), "BasketPaid"
			for _, e := range edits {
				replace(t, files, e)
			}
			if i == 0 {
				subject = "SubmitBasket"
				rename(files, "BasketPaid", subject)
			}
			c := load(t, files)
			e, _ := c.Event(subject, 1)
			answer := New(c, today()).Event(e).Answers[i]
			if answer.Verdict != No || len(answer.Problems) == 0 || len(answer.Evidence) == 0 || answer.Number != i+1 {
				t.Errorf("it is answered %+v", answer)
			}
			for _, p := range answer.Problems {
				if p.File == "" || p.Message == "" {
					t.Errorf("a problem without file or message: %+v", p)
				}
			}
		})
	}
}

// The golden file is the whole review of an event and of its topic.
func TestAReview(t *testing.T) {
	t.Parallel()
	files := shop(t)
	replace(t, files, edit{topic, "retentionMs: 2592000000\n", ""})
	files["waivers.yaml"] = &fstest.MapFile{Data: []byte(
		"waivers:\n  - rule: retention\n    subject: shop.basket.events.v1\n    owner: Shop Team\n    reason: How long is decided with the auditors in August.\n    expires: \"2026-09-01\"\n")}
	c := load(t, files)
	e, _ := c.Event("BasketPaid", 1)
	tp, _ := c.Topic("shop.basket.events.v1")
	reviewer := New(c, today())
	var said strings.Builder
	for _, r := range []Review{reviewer.Event(e), reviewer.Topic(tp)} {
		fmt.Fprintf(&said, "# %s %s v%d: %s\n", r.Kind, r.Subject, r.Version, r.Verdict)
		for _, a := range r.Answers {
			fmt.Fprintf(&said, "%d. %s %s\n", a.Number, a.Question, a.Verdict)
			for _, evidence := range a.Evidence {
				fmt.Fprintf(&said, "   %s\n", evidence)
			}
			for _, p := range a.Problems {
				fmt.Fprintf(&said, "   ! %s:%d %s [%s]\n", p.File, p.Line, p.Message, p.Waived)
			}
		}
	}
	if *update {
		if err := os.WriteFile("testdata/review.golden", []byte(said.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/review.golden")
	if err != nil {
		t.Fatal(err)
	}
	if said.String() != string(want) {
		t.Errorf("it is not testdata/review.golden; see whether that is meant, then go test ./contract/review -update. Got:\n%s", said.String())
	}
}

func TestEveryEventAndTopicOfThePlatformPasses(t *testing.T) {
	t.Parallel()
	c := load(t, contracts.FS())
	reviewer := New(c, time.Now())
	for _, e := range c.Events() {
		refused(t, reviewer.Event(e))
	}
	for _, tp := range c.Topics() {
		refused(t, reviewer.Topic(tp))
		book := subject{catalogue: c, topic: tp}.runbook()
		if _, err := os.Stat("../../" + book); err != nil && !strings.Contains(book, "://") {
			t.Errorf("%s: the runbook %q is not in the repository", tp.Name, book)
		}
	}
}

func refused(t *testing.T, r Review) {
	t.Helper()
	for _, a := range r.Answers {
		if a.Verdict == No {
			t.Errorf("%s: %s %v", r.Subject, a.Question, a.Problems)
		}
	}
}

func TestTheMetricsOfTheEvidenceExist(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/guide/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(producerMetrics+", "+consumerMetrics, ", ") {
		if !strings.Contains(string(guide), "`"+name+"`") {
			t.Errorf("there is no metric %s", name)
		}
	}
}

func TestAFindingAboutAnotherGroupOfAServiceIsNotTheTopics(t *testing.T) {
	t.Parallel()
	files := shop(t)
	replace(t, files, edit{"services.yaml", "purpose: Knows what is in stock.", `purpose: ""`})
	c := load(t, files)
	reviewer := New(c, today())
	for name, want := range map[string]Verdict{"shop.stock.current-state.v1": No, "shop.basket.events.v1": Yes} {
		tp, _ := c.Topic(name)
		if got := reviewer.Topic(tp).Answers[11].Verdict; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		edit           edit
		topics, events string
	}{
		{"nothing", edit{}, "", ""},
		{"an example", edit{paid + "examples/full.json", "12.00", "13.00"}, "", "BasketPaid"},
		{"a changelog", edit{paid + "CHANGELOG.md", "", "x"}, "", "BasketPaid"},
		{"a topic", edit{topic, "archive: true", "archive: false"}, "shop.basket.events.v1", ""},
		{"a shared schema", edit{"envelope.schema.json", `"eventId",`, ``}, "", "BasketOpened BasketPaid StockSnapshotted"},
		{"a reader", edit{"services.yaml", "Sends receipts.", "Sends thanks."}, "shop.basket.events.v1", "BasketOpened BasketPaid"},
		{"a reader of another topic", edit{"services.yaml", "trust: LOW", "trust: EDGE"}, "shop.stock.current-state.v1", "StockSnapshotted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := shop(t)
			if tt.edit.file != "" {
				replace(t, now, tt.edit)
			}
			changes, err := Changed(shop(t), now, load(t, now))
			if err != nil {
				t.Fatal(err)
			}
			if topics, events := names(changes); topics != tt.topics || events != tt.events {
				t.Errorf("got topics %q and events %q", topics, events)
			}
		})
	}
}

func TestEverythingIsChangedWhereNothingWas(t *testing.T) {
	t.Parallel()
	changes, err := Changed(fstest.MapFS{}, shop(t), load(t, shop(t)))
	if err != nil || len(changes.Topics) != 2 || len(changes.Events) != 3 {
		t.Errorf("got %+v, %v", changes, err)
	}
}

func names(c Changes) (topics, events string) {
	var t, e []string
	for _, topic := range c.Topics {
		t = append(t, topic.Name)
	}
	for _, event := range c.Events {
		e = append(e, event.Type)
	}
	return strings.Join(t, " "), strings.Join(e, " ")
}

func shop(t *testing.T) fstest.MapFS {
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
	return files
}

func replace(t *testing.T, files fstest.MapFS, e edit) {
	t.Helper()
	text := string(files[e.file].Data)
	if !strings.Contains(text, e.old) {
		t.Fatalf("%s does not hold %q", e.file, e.old)
	}
	files[e.file] = &fstest.MapFile{Data: []byte(strings.Replace(text, e.old, e.new, 1))}
}

func rename(files fstest.MapFS, from, to string) {
	for name, file := range maps.Clone(files) {
		delete(files, name)
		files[strings.ReplaceAll(name, from, to)] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(file.Data), from, to))}
	}
}

func load(t *testing.T, fsys fs.FS) *contract.Catalogue {
	t.Helper()
	c, err := contract.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
