package scaffold_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"factline.dev/contract"
	"factline.dev/contract/generate"
	"factline.dev/contract/lint"
	"factline.dev/contract/scaffold"
	"factline.dev/platform/contracts"
)

func today() time.Time { return time.Date(2026, 7, 2, 8, 15, 30, 481e6, time.UTC) }

func config(t testing.TB, folder fs.FS) scaffold.Config {
	t.Helper()
	envelope, err := fs.ReadFile(contracts.FS(), "envelope.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return scaffold.Config{Folder: folder, Envelope: envelope, Address: "https://example.org/contracts", Now: today()}
}

// handedOver is an event about which its author has said everything.
func handedOver(t testing.TB, folder fs.FS) scaffold.EventConfig {
	t.Helper()
	return scaffold.EventConfig{
		Config: config(t, folder), Type: "ParcelHandedOver", Topic: "post.parcel.events.v1", Owner: "parcel-service",
		Description: "A customer handed a parcel over at a counter.", BusinessOwner: "Parcels", TechnicalOwner: "Parcel Team",
		KeyReason: "All that happens to one parcel is read in order; no parcel is hot.",
		Fields: []scaffold.Field{
			{Name: "counter", Type: "string", Description: "Where."},
			{Name: "handedOverAt", Type: "date-time", Description: "When."},
			{Name: "weightGrams", Type: "integer", Optional: true, Description: "What it weighs."},
			{Name: "insured", Type: "boolean", Optional: true, Description: "Whether it is insured."},
			{Name: "fee", Type: "decimal", Optional: true, Description: "What it costs."},
			{Name: "dueOn", Type: "date", Optional: true, Description: "When it is to arrive."},
		},
		Readers: []scaffold.Reader{{Group: "tracking-service.parcel-events.consumer", Reads: []string{"counter"}}, {Group: "parcel-service.own.consumer"}},
	}
}

func write(t *testing.T, d scaffold.Draft, err error, folder string) *contract.Catalogue {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write(folder); err != nil {
		t.Fatal(err)
	}
	c, err := contract.Load(os.DirFS(folder))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnEventInAnEmptyFolderIsWholeAndCompiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	d, err := scaffold.Event(handedOver(t, os.DirFS(folder)))
	c := write(t, d, err, folder)
	found := lint.Check(c, today()).Findings
	for _, f := range found {
		if f.Rule != "undecided" || f.File != "services.yaml" && f.File != "events/post.parcel.events/topic.yaml" {
			t.Error(f)
		}
	}
	if len(found) != 7 || len(d.Open) != 7 { // a topic, two services with description and team, two groups
		t.Errorf("open are %v, found %v", d.Open, found)
	}
	for _, service := range []string{"parcel-service", "tracking-service"} {
		compile(t, c, service)
	}
	another := handedOver(t, os.DirFS(folder))
	another.Type, another.Address, another.Owner, another.BusinessOwner, another.TechnicalOwner = "ParcelDelivered", "", "", "", ""
	d, err = scaffold.Event(another)
	c = write(t, d, err, folder)
	if len(d.Files) != 5 || len(d.Open) != 0 {
		t.Errorf("beside another it drafts %d files and leaves open %v", len(d.Files), d.Open)
	}
	if e, _ := c.Event("ParcelDelivered", 1); e == nil || e.BusinessOwner != "Parcels" || e.AggregateType != "Parcel" || e.KeyName() != "parcelId" {
		t.Errorf("it is drafted as %+v", e)
	}
}

func compile(t *testing.T, c *contract.Catalogue, service string) {
	t.Helper()
	text, err := generate.Go(c, generate.Config{Service: service, Package: "probe"})
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, overlay := filepath.Join(dir, "event_gen.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "probe", "event_gen.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{file: text, overlay: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "./probe").CombinedOutput(); err != nil {
		t.Errorf("the types of %s: %v\n%s", service, err, out)
	}
}

func TestAnEventOfThePlatformFollowsItsNeighbours(t *testing.T) {
	t.Parallel()
	d, err := scaffold.Event(scaffold.EventConfig{
		Config: config(t, contracts.FS()), Type: "OrderArchived", Topic: "oms.order.events.v1",
		Readers: []scaffold.Reader{{Group: "audit-service.all-domain-events.consumer"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	record := string(d.Files["events/oms.order.events/OrderArchived/event.yaml"])
	for _, want := range []string{"ownerService: order-service\n", "aggregateType: Order\n", "key: orderId\n", "technicalOwner: OMS Platform Team\n", "retention: 365 days plus archive\n", "service: audit-service\n"} {
		if !strings.Contains(record, want) {
			t.Errorf("it lacks %q:\n%s", want, record)
		}
	}
	if schema := string(d.Files["events/oms.order.events/OrderArchived/v1.schema.json"]); !strings.Contains(schema, `"https://factline.dev/contracts/events/oms.order.events/OrderArchived/v1.schema.json"`) {
		t.Errorf("its schema has another address:\n%s", schema)
	}
	rules := map[string]bool{}
	for _, f := range d.Open {
		rules[f.Rule] = true
	}
	if !rules["undecided"] || !rules["event-thin"] {
		t.Errorf("what its author did not say is not asked for: %v", d.Open)
	}
}

func TestATopicOfItsOwn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	d, err := scaffold.Topic(scaffold.TopicConfig{
		Config: config(t, os.DirFS(folder)), Name: "post.parcel.current-state.v1", Owner: "parcel-service", Key: "parcelId", Category: "current-state",
	})
	c := write(t, d, err, folder)
	if topic, ok := c.Topic("post.parcel.current-state.v1"); !ok || topic.RetentionMs != 0 || topic.CleanupPolicy != "compact" {
		t.Errorf("it is %+v", topic)
	}
	for _, f := range lint.Check(c, today()).Findings {
		if f.Rule != "undecided" {
			t.Error(f)
		}
	}
}

func TestWhatCannotBeDraftedIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		edit func(*scaffold.EventConfig)
		want string
	}{
		{"a type that leads out of the folder", func(e *scaffold.EventConfig) { e.Type = "../../ParcelHandedOver" }, "no name of one"},
		{"a type that is a path", func(e *scaffold.EventConfig) { e.Type = "Parcel/HandedOver" }, "no name of one"},
		{"a type in lower case", func(e *scaffold.EventConfig) { e.Type = "parcelHandedOver" }, "no name of one"},
		{"a type with a line break", func(e *scaffold.EventConfig) { e.Type = "ParcelHandedOver\n" }, "no name of one"},
		{"a command", func(e *scaffold.EventConfig) { e.Type = "DeliverParcel" }, "ParcelDelivered"},
		{"no past tense", func(e *scaffold.EventConfig) { e.Type = "ParcelDelivery" }, "no fact in the past tense"},
		{"a topic that leads out of the folder", func(e *scaffold.EventConfig) { e.Topic = "../post.parcel.events.v1" }, "no name of one"},
		{"a topic of dots", func(e *scaffold.EventConfig) { e.Topic = ".." }, "no name of one"},
		{"a topic in upper case", func(e *scaffold.EventConfig) { e.Topic = "Post.parcel.events.v1" }, "no name of one"},
		{"a topic without a version", func(e *scaffold.EventConfig) { e.Topic = "post.parcel.events" }, "must be <domain>.<area>.<kind>.v<N>"},
		{"a topic of nobody", func(e *scaffold.EventConfig) { e.Topic = "post.misc.events.v1" }, "belongs to no one"},
		{"no owner", func(e *scaffold.EventConfig) { e.Owner = "" }, "no owner"},
		{"an owner with structure", func(e *scaffold.EventConfig) { e.Owner = "parcel\n  - name: x" }, "no name of one"},
		{"an aggregate with structure", func(e *scaffold.EventConfig) { e.Aggregate = "Parcel: x" }, "no name of one"},
		{"a key with structure", func(e *scaffold.EventConfig) { e.Key = "a: b" }, "must be in camelCase"},
		{"a key that is a number", func(e *scaffold.EventConfig) { e.Key = "weightGrams" }, "a record key is a string"},
		{"a field with structure", func(e *scaffold.EventConfig) { e.Fields[0].Name = `a": {}, "b` }, "must be in camelCase"},
		{"a field of no type", func(e *scaffold.EventConfig) { e.Fields[0].Type = "money" }, "none of boolean, date, date-time"},
		{"a field twice", func(e *scaffold.EventConfig) { e.Fields[1].Name = "counter" }, "the field counter twice"},
		{"a reader that is no group", func(e *scaffold.EventConfig) { e.Readers[0].Group = "../x.y.consumer" }, "it is no group"},
		{"a read with structure", func(e *scaffold.EventConfig) { e.Readers[0].Reads = []string{"a]\nx: [y"} }, "no field of the payload"},
		{"no address", func(e *scaffold.EventConfig) { e.Address = "" }, "is no https:// address"},
		{"an address of another kind", func(e *scaffold.EventConfig) { e.Address = "file:///etc" }, "is no https:// address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := handedOver(t, fstest.MapFS{})
			tt.edit(&e)
			if d, err := scaffold.Event(e); err == nil || !strings.Contains(err.Error(), tt.want) || len(d.Files) > 0 {
				t.Errorf("want %q, got %d files and %v", tt.want, len(d.Files), err)
			}
		})
	}
}

func TestWhatIsThereIsRefused(t *testing.T) {
	t.Parallel()
	platform := config(t, contracts.FS())
	_, same := scaffold.Event(scaffold.EventConfig{Config: platform, Type: "OrderCaptured", Topic: "oms.order.events.v1"})
	_, cased := scaffold.Event(scaffold.EventConfig{Config: platform, Type: "OrdercaptureD", Topic: "oms.order.events.v1"})
	_, elsewhere := scaffold.Event(scaffold.EventConfig{Config: platform, Type: "OrderCaptured", Topic: "cpq.quote.events.v1"})
	_, topic := scaffold.Topic(scaffold.TopicConfig{Config: platform, Name: "oms.order.events.v1", Owner: "order-service", Key: "orderId"})
	_, owner := scaffold.Event(scaffold.EventConfig{Config: platform, Type: "OrderArchived", Topic: "oms.order.events.v1", Owner: "orders-svc"})
	_, reader := scaffold.Event(scaffold.EventConfig{Config: platform, Type: "OrderArchived", Topic: "oms.order.events.v1", Readers: []scaffold.Reader{{Group: "a.b.consumer"}}})
	stray, err := scaffold.Event(handedOver(t, fstest.MapFS{"events/post.parcel.events/ParcelHandedOver/v1.schema.json": {Data: []byte("mine")}}))
	if len(stray.Files) > 0 {
		t.Errorf("it drafts over a file: %v", err)
	}
	broken, err2 := scaffold.Event(handedOver(t, fstest.MapFS{"services.yaml": {Data: []byte("services: 1")}}))
	if len(broken.Files) > 0 {
		t.Errorf("it drafts into a broken folder: %v", err2)
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{same, "OrderCaptured/event.yaml is there already"},
		{cased, "OrderCaptured/event.yaml is there already"},
		{elsewhere, "OrderCaptured/event.yaml is there already"},
		{topic, "topic.yaml is there already"},
		{owner, "services.yaml does not declare it"},
		{reader, "services.yaml does not declare it"},
		{err, "read the folder"},
		{err2, "mend that first"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("want %q, got %v", tt.want, tt.err)
		}
	}
}

func TestWritingKeepsInsideTheFolderAndTakesBackWhatItBegan(t *testing.T) {
	t.Parallel()
	folder, outside := t.TempDir(), t.TempDir()
	d, err := scaffold.Event(handedOver(t, os.DirFS(folder)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(folder, "events")); err != nil {
		t.Fatal(err)
	}
	if written, err := d.Write(folder); err == nil {
		t.Errorf("it writes through a link: %v", written)
	}
	for dir, want := range map[string]int{outside: 0, folder: 1} {
		if left, err := os.ReadDir(dir); err != nil || len(left) != want {
			t.Errorf("it leaves %v (%v)", left, err)
		}
	}
	mine := filepath.Join(folder, "services.yaml")
	if err := os.Remove(filepath.Join(folder, "events")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if written, err := d.Write(folder); err == nil {
		t.Errorf("it overwrites: %v", written)
	}
	if text, err := os.ReadFile(mine); err != nil || string(text) != "mine" {
		t.Errorf("what was there is %q (%v)", text, err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("beside what was there it leaves %v (%v)", left, err)
	}
}

func TestWritingTakesBackTheFoldersThatItMade(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	d := scaffold.Draft{Files: map[string][]byte{"a/b/c": nil, "a/d": nil, "e": nil, "e/f": nil}}
	if written, err := d.Write(filepath.Join(outer, "of", "its", "own")); err == nil || !strings.Contains(err.Error(), "nothing was kept") {
		t.Errorf("it writes %v (%v)", written, err)
	}
	if left, err := os.ReadDir(outer); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v (%v)", left, err)
	}
}

// Whatever an author writes stays text.
func FuzzTexts(f *testing.F) {
	for _, text := range []string{"plain words", "null", "true", "a: b # c", "- x", "\"'\\\n\t", "{{.Type}}", "\u2028\u0085\x00", "é <b>", "2026-01-01", "%", "&a *b !c", "TBD"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := handedOver(t, fstest.MapFS{})
		e.Description, e.KeyReason, e.BusinessOwner, e.Fields[0].Description = text, text, text, text
		d, err := scaffold.Event(e)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		files := fstest.MapFS{}
		for name, content := range d.Files {
			files[name] = &fstest.MapFile{Data: content}
		}
		c, err := contract.Load(files)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		got, _ := c.Event("ParcelHandedOver", 1)
		if want := string([]rune(text)); text != "" && (got.Description != want || got.KeyReason != want || got.BusinessOwner != want) {
			t.Errorf("%q became %q, %q, %q", text, got.Description, got.KeyReason, got.BusinessOwner)
		}
	})
}
