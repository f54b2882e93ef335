package scaffold

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode"

	"factline.dev/contract"
	"factline.dev/contract/lint"
)

// Config is what every draft needs.
type Config struct {
	// Folder holds the contracts, and may be empty. Required.
	Folder fs.FS
	// Envelope is the schema of what every event carries, for a folder without one.
	Envelope []byte
	// Address is the https:// address that the ids of the schemas begin with. Nothing
	// is fetched from it. Default that of the folder's schemas; required where there
	// are none.
	Address string
	// Now is the day of lint and the time of the examples.
	Now time.Time
}

// Draft is a set of files that are not written yet.
type Draft struct {
	// Files are the texts by path inside the folder.
	Files map[string][]byte
	// Open is what lint finds in them: what their author has to decide.
	Open []lint.Finding
}

const (
	servicesFile = "services.yaml"
	envelopeFile = "envelope.schema.json"
)

// desk is where a draft is made: the folder as it is, and the files to come.
type desk struct {
	Config
	catalogue *contract.Catalogue // of the folder as it is
	files     map[string][]byte
	isNew     bool // the folder has no services yet
}

func newDesk(cfg Config) (*desk, error) {
	d := &desk{Config: cfg, files: map[string][]byte{}}
	before := overlay{cfg.Folder, map[string][]byte{}}
	if _, err := fs.Stat(cfg.Folder, servicesFile); errors.Is(err, fs.ErrNotExist) {
		d.isNew, before.files[servicesFile] = true, []byte("services: []\n")
	}
	var err error
	if d.catalogue, err = contract.Load(before); err != nil {
		return nil, fmt.Errorf("scaffold: read the folder: %w; mend that first", err)
	}
	return d, nil
}

// address is what the ids of the folder's schemas begin with.
func (d *desk) address() (string, error) {
	known := map[string][]byte{}
	if text, err := fs.ReadFile(d.Folder, envelopeFile); err == nil {
		known[envelopeFile] = text
	}
	for _, e := range d.catalogue.Events() {
		if text, ok := d.catalogue.Schema(e.SchemaRef()); ok {
			known[e.SchemaFile()] = text
		}
	}
	for file, text := range known {
		var schema struct {
			ID string `json:"$id"`
		}
		if err := json.Unmarshal(text, &schema); err != nil {
			continue // a folder that loads has no such schema
		}
		return strings.TrimSuffix(schema.ID, "/"+file), nil
	}
	address := strings.TrimSuffix(d.Address, "/")
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery+u.Fragment != "" {
		return "", fmt.Errorf("scaffold: name the schemas: the folder has none to go by, and %q is no https:// address; give one such as https://example.org/contracts, from which nothing is fetched", d.Address)
	}
	return address, nil
}

// envelope adds the envelope's schema where the folder has none.
func (d *desk) envelope(address string) error {
	if _, err := fs.Stat(d.Folder, envelopeFile); err == nil {
		return nil
	}
	var schema struct {
		ID string `json:"$id"`
	}
	if err := json.Unmarshal(d.Envelope, &schema); err != nil || schema.ID == "" {
		return errors.New("scaffold: add " + envelopeFile + ": the envelope supplied has no $id; supply the one of the platform's contracts")
	}
	d.files[envelopeFile] = bytes.Replace(d.Envelope, quote(schema.ID), quote(address+"/"+envelopeFile), 1)
	return nil
}

//go:embed templates
var templates embed.FS

// file fills a template. What stands in it is quoted by the template or a checked
// name, so nothing that the author wrote can become structure.
func (d *desk) file(name, from string, data any) error {
	text, err := templates.ReadFile("templates/" + from + ".tmpl")
	if err != nil {
		return err
	}
	t, err := template.New(from).Funcs(template.FuncMap{
		"json": func(value any) string { return string(quote(value)) },
		"yaml": scalar,
		"todo": func(what string) string { return scalar(todo(what)) },
	}).Parse(string(text))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return err
	}
	d.files[name] = b.Bytes()
	return nil
}

func quote(value any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return []byte(`""`) // of a string or a number there is no error
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// plain is a text of several words that no reader of YAML takes for anything else.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*( [A-Za-z0-9(][A-Za-z0-9,.;'()/-]*)+$`)

// scalar writes a text for YAML, to which a JSON string is one once nothing in it is
// a line end of YAML alone.
func scalar(text string) string {
	if plain.MatchString(text) {
		return text
	}
	var b strings.Builder
	for _, r := range string(quote(text)) {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// finish holds the draft to the loader and to the rules of names.
func (d *desk) finish(what string) (Draft, error) {
	for _, file := range slices.Sorted(maps.Keys(d.files)) {
		if _, err := fs.Stat(d.Folder, file); !errors.Is(err, fs.ErrNotExist) {
			return Draft{}, fmt.Errorf("scaffold: draft %s: %s is there already and is not overwritten; take another name or edit it", what, file)
		}
	}
	catalogue, err := contract.Load(overlay{d.Folder, d.files})
	if err != nil {
		return Draft{}, fmt.Errorf("scaffold: draft %s: %w", what, err)
	}
	draft := Draft{Files: d.files}
	for _, f := range lint.Check(catalogue, d.Now).Findings {
		if _, ours := d.files[f.File]; !ours {
			continue
		}
		if slices.Contains(unmendable(), f.Rule) {
			return Draft{}, fmt.Errorf("scaffold: draft %s: its name %s; see \"factline contracts lint --explain %s\"", what, f.Message, f.Rule)
		}
		draft.Open = append(draft.Open, f)
	}
	return draft, nil
}

// unmendable are the rules about names, which cannot be edited later: the name is
// the folder's.
func unmendable() []string {
	return []string{"event-past-tense", "event-command", "event-request-response", "event-vague", "topic-name"}
}

var serviceName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// service checks that a service is declared, or can be where none is yet.
func (d *desk) service(name string) error {
	switch _, known := d.catalogue.Service(name); {
	case known:
		return nil
	case !d.isNew:
		return fmt.Errorf("scaffold: look up the service %q: services.yaml does not declare it; add it there first", name)
	case !serviceName.MatchString(name) || len(name) > 100:
		return fmt.Errorf("scaffold: declare the service %q: it is no name of one; write it in lower case with dashes, as in parcel-service", name)
	}
	return nil
}

// serviceRecord is a service in a new services.yaml.
type serviceRecord struct {
	Name   string
	Groups []groupRecord
}

type groupRecord struct{ Group, Topic, Mode string }

// services writes services.yaml where there is none.
func (d *desk) services(owner, topic, mode string, readers []Reader) error {
	if !d.isNew {
		return nil
	}
	all := []serviceRecord{{Name: owner}}
	for _, r := range readers {
		at := slices.IndexFunc(all, func(s serviceRecord) bool { return s.Name == r.service() })
		if at < 0 {
			at, all = len(all), append(all, serviceRecord{Name: r.service()})
		}
		all[at].Groups = append(all[at].Groups, groupRecord{r.Group, topic, mode})
	}
	return d.file(servicesFile, servicesFile, all)
}

func topicFile(name string) string {
	return path.Join("events", strings.TrimSuffix(name, ".v1"), "topic.yaml")
}
