package render_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"factline.dev/contract"
	"factline.dev/contract/render"
	"factline.dev/platform/contracts"
)

var info = render.Info{Title: "A platform", Version: "7"}

func load(t *testing.T, files fs.FS) *contract.Catalogue {
	t.Helper()
	c, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shop is a small catalogue in memory in which texts may be replaced.
func shop(t *testing.T, file string, replace ...string) *contract.Catalogue {
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
	for i := 0; i < len(replace); i += 2 {
		old := string(files[file].Data)
		if !strings.Contains(old, replace[i]) {
			t.Fatalf("%s does not hold %q", file, replace[i])
		}
		files[file].Data = []byte(strings.Replace(old, replace[i], replace[i+1], 1))
	}
	return load(t, files)
}

func write(t *testing.T, form func(*contract.Catalogue, render.Info) (map[string][]byte, error), c *contract.Catalogue) map[string][]byte {
	t.Helper()
	files, err := form(c, info)
	if err != nil {
		t.Fatal(err)
	}
	again, err := form(c, info)
	if err != nil || !maps.EqualFunc(files, again, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Errorf("the second time it is another text (%v)", err)
	}
	return files
}

var links = map[string]*regexp.Regexp{
	".md":   regexp.MustCompile(`\]\(([^)]+)\)`),
	".html": regexp.MustCompile(`(?:href|src)="([^"#]+)(?:#[^"]*)?"`),
}

func TestEveryLinkLeadsToAPage(t *testing.T) {
	t.Parallel()
	c := load(t, contracts.FS())
	for suffix, files := range map[string]map[string][]byte{".md": write(t, render.Markdown, c), ".html": write(t, render.Site, c)} {
		pages, followed := 0, 0
		for file, text := range files {
			if path.Ext(file) != suffix {
				continue
			}
			pages++
			for _, found := range links[suffix].FindAllStringSubmatch(string(text), -1) {
				followed++
				if target := path.Join(path.Dir(file), found[1]); files[target] == nil {
					t.Errorf("%s links to %s, which is not there", file, found[1])
				}
			}
		}
		if want := 1 + len(c.Topics()) + len(c.Events()); pages != want || followed < want {
			t.Errorf("%d pages with %d links, want %d pages", pages, followed, want)
		}
	}
}

// hostile holds markup of every kind that a description could smuggle in.
const hostile = `<script>alert(1)</script> | cell](javascript:x) **bold** ![x](http://evil.example/x.png) "quoted" &amp; {{.}}`

func TestADescriptionIsTextAndNothingElse(t *testing.T) {
	t.Parallel()
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	const file = "events/shop.basket.events/BasketPaid/event.yaml"
	c := shop(t, file, "description: ", "description: "+string(quoted)+" #")
	for name, text := range write(t, render.Site, c) {
		if strings.Contains(string(text), "<script>") || strings.Contains(string(text), `"http`) {
			t.Errorf("%s holds markup of a description:\n%s", name, text)
		}
		if path.Ext(name) == ".html" && !strings.Contains(string(text), "default-src 'none'") {
			t.Errorf("%s lets scripts in", name)
		}
	}
	for name, text := range write(t, render.Markdown, c) {
		for _, bare := range []string{"<script>", " | cell]", "](javascript", "**bold", "![x]"} {
			if strings.Contains(strings.ReplaceAll(string(text), `\`+bare[:1], ""), bare) {
				t.Errorf("%s holds %q of a description bare:\n%s", name, bare, text)
			}
		}
	}
	if page := write(t, render.Markdown, c)["events/BasketPaid.md"]; !strings.Contains(string(page), `\<script\>alert(1)\</script\> \| cell\](javascript:x)`) {
		t.Errorf("the page does not say what the description says:\n%s", page)
	}
}

func TestACodeBlockCannotBeClosedFromInside(t *testing.T) {
	t.Parallel()
	const file = "events/shop.basket.events/BasketPaid/CHANGELOG.md"
	c := shop(t, file, "# BasketPaid", "# BasketPaid\n````\n<b>out</b>\n```\n")
	page := string(write(t, render.Markdown, c)["events/BasketPaid.md"])
	if !strings.Contains(page, "`````text\n# BasketPaid\n````\n<b>out</b>") || !strings.HasSuffix(page, "\n`````\n") {
		t.Errorf("the block ends early:\n%s", page)
	}
}

func TestAnEventPageSaysWhoReadsWhichField(t *testing.T) {
	t.Parallel()
	page := string(write(t, render.Markdown, load(t, contracts.FS()))["events/OrderCaptured.md"])
	for _, line := range []string{
		"| `totals.oneTimeTotal` | string | required | ",
		"| owner | order-service |",
		"| quote-service | `quote-service.order-events.consumer` | unordered |",
		"## Example: minimal",
		"First version.",
	} {
		if !strings.Contains(page, line) {
			t.Errorf("the page of OrderCaptured does not hold %q:\n%.4000s", line, page)
		}
	}
	row := regexp.MustCompile("(?m)^\\| `totals.oneTimeTotal` .*$").FindString(page)
	if !strings.Contains(row, "analytics-ingestion-service") || strings.Contains(row, "notification-service") {
		t.Errorf("readers of totals.oneTimeTotal: %s", row)
	}
}

type document struct {
	Channels map[string]struct {
		Messages map[string]any
		Bindings struct {
			Kafka struct {
				Topic              string
				Partitions         int
				TopicConfiguration map[string]any
			}
		}
	}
	Operations map[string]struct {
		Action   string
		Messages []map[string]string
	}
	Components struct {
		Messages map[string]struct{ Examples []any }
		Schemas  map[string]any
	}
}

func TestAsyncAPIHoldsTheWholeCatalogue(t *testing.T) {
	t.Parallel()
	c := load(t, contracts.FS())
	text, err := render.AsyncAPI(c, info)
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	var tree any
	if json.Unmarshal(text, &doc) != nil || json.Unmarshal(text, &tree) != nil {
		t.Fatal("it is no JSON")
	}
	for _, ref := range references(tree, nil) {
		if !resolves(tree, ref) {
			t.Errorf("%s leads nowhere", ref)
		}
	}
	for _, topic := range c.Topics() {
		ch := doc.Channels[topic.Name]
		if ch.Bindings.Kafka.Topic != topic.Name || ch.Bindings.Kafka.Partitions != topic.Partitions.Production {
			t.Errorf("channel %s: %+v", topic.Name, ch.Bindings)
		}
	}
	for _, e := range c.Events() {
		name := fmt.Sprintf("%s.v%d", e.Type, e.Version)
		sent := doc.Operations[e.OwnerService+".sends."+e.Topic]
		isIt := func(ref map[string]string) bool { return strings.HasSuffix(ref["$ref"], "/"+name) }
		if len(doc.Components.Messages[name].Examples) != len(e.Examples) || doc.Channels[e.Topic].Messages[name] == nil ||
			sent.Action != "send" || !slices.ContainsFunc(sent.Messages, isIt) {
			t.Errorf("%s is not whole", name)
		}
		for _, r := range e.Consumers {
			if received := doc.Operations[r.Group+".receives."+e.Topic]; received.Action != "receive" || !slices.ContainsFunc(received.Messages, isIt) {
				t.Errorf("%s does not receive %s", r.Group, name)
			}
		}
	}
}

func references(node any, found []string) []string {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if ref, ok := value.(string); ok && key == "$ref" {
				found = append(found, ref)
			}
			found = references(value, found)
		}
	case []any:
		for _, value := range node {
			found = references(value, found)
		}
	}
	return found
}

func resolves(tree any, ref string) bool {
	node := tree
	for token := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		object, _ := node.(map[string]any)
		if node = object[token]; node == nil {
			return false
		}
	}
	return true
}

// A reference spells a name for a URL, and what it led to was not found.
func TestAsyncAPIFollowsReferencesToAnyName(t *testing.T) {
	t.Parallel()
	const file = "events/shop.basket.events/BasketPaid/v1.schema.json"
	for name, ref := range map[string]string{
		"straße": "#/$defs/straße", "a b": "#/$defs/a b", "a/b": "#/$defs/a~1b", "a~b": "#/$defs/a~0b", "a%b": "#/$defs/a%25b",
		"b c": "#/$defs/b%20c", "list": "#/$defs/list/allOf/0",
	} {
		c := shop(t, file, `"$ref":`, fmt.Sprintf(`"$defs": {%q: {"title": "found", "allOf": [{"title": "found"}]}}, "$ref":`, name),
			`"basketId": {`, fmt.Sprintf(`"extra": {"$ref": %q}, "basketId": {`, ref))
		text, err := render.AsyncAPI(c, info)
		if err != nil || !strings.Contains(string(text), `"title": "found"`) {
			t.Errorf("%s: %v in %.200s", name, err, text)
		}
	}
}

// Two definitions whose names differ in what a component's name may not hold were
// one schema, that of the first.
func TestAsyncAPIKeepsDefinitionsApart(t *testing.T) {
	t.Parallel()
	const file = "events/shop.basket.events/BasketPaid/v1.schema.json"
	names := []string{"a b", "a.20b", "a.b", "a~1b", "a%b", "ß", "ü", "", "2", "a.b.2"}
	var defs, fields strings.Builder
	for i, name := range names {
		pointed := strings.NewReplacer("~1", "/").Replace(name)
		fmt.Fprintf(&defs, `%q: {"title": "definition %d"},`, pointed, i)
		fmt.Fprintf(&fields, `"extra%d": {"$ref": %q}, `, i, "#/$defs/"+strings.ReplaceAll(name, "%", "%25"))
	}
	c := shop(t, file, `"$ref":`, `"$defs": {`+strings.TrimSuffix(defs.String(), ",")+`}, "$ref":`, `"basketId": {`, fields.String()+`"basketId": {`)
	text, err := render.AsyncAPI(c, info)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct{ Schemas map[string]map[string]any }
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(doc.Components.Schemas["shop.basket.events.BasketPaid.v1"])
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		ref := regexp.MustCompile(fmt.Sprintf(`"extra%d":\{"\$ref":"#/components/schemas/([A-Za-z0-9._-]+)"`, i)).FindSubmatch(payload)
		if ref == nil || doc.Components.Schemas[string(ref[1])]["title"] != fmt.Sprintf("definition %d", i) {
			t.Errorf("%q leads to %s", names[i], ref)
		}
	}
}

// The title is the catalogue's where none is given.
func TestADocumentBearsTheCataloguesTitle(t *testing.T) {
	t.Parallel()
	c := shop(t, "services.yaml", "services:", "title: A shop\nservices:")
	for name, form := range map[string]func(*contract.Catalogue, render.Info) (map[string][]byte, error){
		"README.md": render.Markdown, "index.html": render.Site,
		"asyncapi.json": func(c *contract.Catalogue, info render.Info) (map[string][]byte, error) {
			text, err := render.AsyncAPI(c, info)
			return map[string][]byte{"asyncapi.json": text}, err
		},
	} {
		for want, info := range map[string]render.Info{"A shop": {}, "A platform": info} {
			if files, err := form(c, info); err != nil || !strings.Contains(string(files[name]), want) {
				t.Errorf("%s is not titled %q (%v)", name, want, err)
			}
		}
	}
}

func TestAsyncAPIWritesSchemasInItsOwnLanguage(t *testing.T) {
	t.Parallel()
	const file = "events/shop.basket.events/BasketPaid/v1.schema.json"
	payload := func(property string) (any, error) {
		c := shop(t, file, `"$ref":`, `"$defs": {"x": {"type": "string"}}, "$ref":`, `"payload": {`, `"payload": { "dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"type": "object"}}, "unevaluatedProperties": true,`,
			`"properties": {
        "basketId"`, `"properties": { "extra": `+property+`,
        "basketId"`)
		text, err := render.AsyncAPI(c, info)
		if err != nil {
			return nil, err
		}
		var doc document
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		schema, _ := json.Marshal(doc.Components.Schemas["shop.basket.events.BasketPaid.v1"])
		var found struct {
			Properties struct {
				Payload struct {
					Dependencies          map[string]any
					UnevaluatedProperties any
					Properties            map[string]any
				}
			}
		}
		if err := json.Unmarshal(schema, &found); err != nil {
			t.Fatal(err)
		}
		p := found.Properties.Payload
		if got := fmt.Sprint(p.Dependencies, p.UnevaluatedProperties); got != "map[a:[b] c:map[type:object]] <nil>" {
			t.Errorf("dependencies are %s", got)
		}
		return p.Properties["extra"], nil
	}
	for _, tt := range []struct{ property, want string }{
		{`{"prefixItems": [{"type": "string"}], "items": false}`, `{"additionalItems":false,"items":[{"type":"string"}]}`},
		{`{"items": {"type": "integer"}}`, `{"items":{"type":"integer"}}`},
		{`{"title": "T", "$ref": "#/$defs/x", "allOf": [{"minLength": 2}]}`, `{"allOf":[{"$ref":"#/components/schemas/shop.basket.events.BasketPaid.v1.x"},{"minLength":2}],"title":"T"}`},
		{`{"$dynamicAnchor": "a", "type": "string"}`, `{"type":"string"}`},
		{`{"const": {"$ref": "#/$defs/none", "$id": "kept"}}`, `{"const":{"$id":"kept","$ref":"#/$defs/none"}}`},
		{`{"properties": {"$id": {"type": "string"}, "$ref": {"type": "null"}}}`, `{"properties":{"$id":{"type":"string"},"$ref":{"type":"null"}}}`},
	} {
		got, err := payload(tt.property)
		text, _ := json.Marshal(got)
		if err != nil || string(text) != tt.want {
			t.Errorf("%s is written as %s, want %s (%v)", tt.property, text, tt.want, err)
		}
	}
}
