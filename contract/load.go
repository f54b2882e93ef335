package contract

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	servicesFile = "services.yaml"
	eventsFolder = "events"
	// maxFileBytes is far above any real contract and far below what a
	// mistaken link to a data file would cost.
	maxFileBytes = 4 << 20
)

var (
	topicName  = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
	eventName  = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,99}$`)
	schemaName = regexp.MustCompile(`^v([1-9][0-9]{0,5})\.schema\.json$`)
)

// Load reads a contracts folder. It returns every problem that keeps the
// folder from being used, joined, each a [ProblemError]; whether the contracts
// are good ones is for package lint to say.
func Load(fsys fs.FS) (*Catalogue, error) {
	l := &loader{fsys: fsys, problems: &problems{}}
	title, services := l.services()
	topics, events := l.events()
	l.compile(events)
	c := l.assemble(topics, events, services)
	c.title = title
	c.waivers, c.approvals = l.waivers(), l.approvals()
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	return c, nil
}

type loader struct {
	fsys     fs.FS
	problems *problems
	schemas  *schemaSet
}

func (l *loader) read(file string) ([]byte, bool) {
	text, err := readBounded(l.fsys, file)
	if err != nil {
		l.problems.add(file, 0, "", "cannot be read: %v", pathless(err))
		return nil, false
	}
	return text, true
}

func (l *loader) list(dir string) []fs.DirEntry {
	entries, err := fs.ReadDir(l.fsys, dir)
	if err != nil {
		l.problems.add(dir, 0, "", "cannot be listed: %v", pathless(err))
	}
	return entries
}

func (l *loader) services() (title string, all []*Service) {
	text, ok := l.read(servicesFile)
	if !ok {
		return "", nil
	}
	var doc struct {
		Title    string     `json:"title"`
		Services []*Service `json:"services"`
	}
	pos := readYAML(servicesFile, text, &doc, l.problems)
	for i, s := range doc.Services {
		if s == nil {
			doc.Services[i] = &Service{}
			s = doc.Services[i]
		}
		s.position = pos.below("services[" + strconv.Itoa(i) + "]")
		for g := range s.Groups {
			s.Groups[g].Service = s.Name
		}
	}
	return doc.Title, doc.Services
}

func (l *loader) events() ([]*Topic, []*Event) {
	var topics []*Topic
	var events []*Event
	for _, entry := range l.list(eventsFolder) {
		dir := path.Join(eventsFolder, entry.Name())
		if !entry.IsDir() {
			l.stray(dir, "a folder for each topic")
			continue
		}
		topic := l.topic(dir)
		if topic == nil {
			continue
		}
		topics = append(topics, topic)
		events = append(events, l.eventsOf(dir, topic)...)
	}
	return topics, events
}

func (l *loader) topic(dir string) *Topic {
	file := path.Join(dir, "topic.yaml")
	text, ok := l.read(file)
	if !ok {
		return nil
	}
	t := &Topic{}
	t.position = readYAML(file, text, t, l.problems)
	l.checkTopic(dir, t)
	t.fillDefaults()
	return t
}

func (l *loader) eventsOf(dir string, t *Topic) []*Event {
	var events []*Event
	for _, entry := range l.list(dir) {
		file := path.Join(dir, entry.Name())
		switch {
		case entry.IsDir():
			events = append(events, l.event(file, t)...)
		case entry.Name() != "topic.yaml" && entry.Name() != "README.md":
			l.stray(file, "topic.yaml, README.md and a folder for each event")
		}
	}
	return events
}

// event reads one event's folder: one Event for each version of its schema.
func (l *loader) event(dir string, t *Topic) []*Event {
	file := path.Join(dir, "event.yaml")
	text, ok := l.read(file)
	if !ok {
		return nil
	}
	record := &Event{dir: dir}
	record.position = readYAML(file, text, record, l.problems)
	l.checkEvent(record, t)
	record.Topic = t.Name
	record.Examples = l.examples(path.Join(dir, "examples"))
	changelog, _ := readBounded(l.fsys, path.Join(dir, "CHANGELOG.md")) // lint asks for it
	record.Changelog = string(changelog)
	versions := l.versions(dir, record)
	if len(versions) == 0 {
		l.problems.add(dir, 0, "", "has no schema; write v1.schema.json")
	}
	current := slices.MaxFunc(append(versions, &Event{}), func(a, b *Event) int { return a.Version - b.Version })
	for _, e := range versions {
		if e != current {
			e.Examples = nil
		}
	}
	return versions
}

func (l *loader) versions(dir string, record *Event) []*Event {
	var versions []*Event
	for _, entry := range l.list(dir) {
		file := path.Join(dir, entry.Name())
		match := schemaName.FindStringSubmatch(entry.Name())
		switch {
		case match != nil:
			e := *record
			e.Version, _ = strconv.Atoi(match[1])
			e.ref = schemaRef(path.Base(path.Dir(dir)), e.Type, e.Version)
			e.schemaFile = file
			e.schemaText, _ = l.read(file)
			versions = append(versions, &e)
		case !slices.Contains([]string{"event.yaml", "examples", "CHANGELOG.md"}, entry.Name()):
			l.stray(file, "event.yaml, v<N>.schema.json, examples and CHANGELOG.md")
		}
	}
	return versions
}

func (l *loader) examples(dir string) []Example {
	entries, err := fs.ReadDir(l.fsys, dir)
	if err != nil {
		return nil // lint asks for examples
	}
	var found []Example
	for _, entry := range entries {
		file := path.Join(dir, entry.Name())
		name, isJSON := strings.CutSuffix(entry.Name(), ".json")
		if entry.IsDir() || !isJSON {
			l.stray(file, "examples as .json files")
			continue
		}
		if value, ok := l.read(file); ok {
			found = append(found, Example{Name: name, File: file, Value: value})
		}
	}
	return found
}

func (l *loader) stray(file, expected string) {
	l.problems.add(file, 0, "", "is not expected here; this folder holds %s", expected)
}

func (l *loader) assemble(topics []*Topic, events []*Event, services []*Service) *Catalogue {
	c := &Catalogue{
		topics: topics, events: events, services: services,
		byTopic: map[string]*Topic{}, derived: map[string]DerivedTopic{}, byType: map[string]map[int]*Event{}, bySchema: map[string]*Event{},
		byService: map[string]*Service{}, byGroup: map[string]*Group{},
		schemas: l.schemas,
	}
	l.indexServices(c)
	l.indexTopics(c)
	l.indexEvents(c)
	slices.SortFunc(c.topics, func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.services, func(a, b *Service) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.events, func(a, b *Event) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Type, b.Type), a.Version-b.Version)
	})
	return c
}

func (l *loader) indexServices(c *Catalogue) {
	for _, s := range c.services {
		l.checkService(s)
		if c.byService[s.Name] != nil {
			l.problems.at(s.position, "name", "%s is declared twice; keep one", s.Name)
		}
		c.byService[s.Name] = s
		for i := range s.Groups {
			g := &s.Groups[i]
			if other := c.byGroup[g.Name]; other != nil {
				l.problems.at(s.position, groupPath(i, "name"), "%s is declared twice; keep one", g.Name)
			}
			c.byGroup[g.Name] = g
		}
	}
}

func (l *loader) indexTopics(c *Catalogue) {
	for _, t := range c.topics {
		c.byTopic[t.Name] = t
		for _, d := range append(t.RetryTopics(), t.DeadLetters()) {
			c.derived[d.Name] = d
		}
	}
	for _, t := range c.topics {
		if d, ok := c.derived[t.Name]; ok {
			l.problems.at(t.position, "name", "%s is the name of a topic derived from %s; remove this folder", t.Name, d.Source)
		}
	}
}

func (l *loader) indexEvents(c *Catalogue) {
	for _, e := range c.events {
		versions := c.byType[e.Type]
		if versions == nil {
			versions = map[int]*Event{}
			c.byType[e.Type] = versions
		}
		if other := versions[e.Version]; other != nil {
			l.problems.at(e.position, "eventType", "%s v%d stands in %s too; an event has one home",
				e.Type, e.Version, other.dir)
		}
		versions[e.Version] = e
		c.bySchema[e.SchemaRef()] = e
	}
}

// below returns the position of a part of the document.
func (p position) below(prefix string) position {
	lines := map[string]int{}
	for at, line := range maps.All(p.lines) {
		if rest, ok := strings.CutPrefix(at, prefix+"."); ok {
			lines[rest] = line
		} else if at == prefix {
			lines[""] = line
		}
	}
	return position{file: p.file, prefix: join(p.prefix, prefix), lines: lines}
}

var errTooLarge = errors.New("larger than 4 MiB")

func readBounded(fsys fs.FS, file string) ([]byte, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = errTooLarge
	}
	return text, err
}

// pathless drops the path of a file error, which the problem names already.
func pathless(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}
