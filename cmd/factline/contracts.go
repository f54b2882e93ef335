package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/contract"
	"factline.dev/platform/contracts"
)

func newContracts(a *app) *cobra.Command {
	var folder string
	group := newGroup("contracts", "Topics and events: what they carry, who owns and reads them",
		newContractsList(a, &folder), newContractsShow(a, &folder), newContractsLint(a, &folder),
		newContractsCheck(a, &folder), newContractsReview(a, &folder), newContractsDiff(a, &folder),
		newContractsNew(a, &folder), newContractsGenerate(a, &folder), newContractsPush(a, &folder))
	group.PersistentFlags().StringVar(&folder, "folder", "", "contracts folder (default the platform's, built in)")
	return group
}

// loadContracts needs neither broker nor database.
func loadContracts(folder string) (*contract.Catalogue, error) {
	if folder == "" {
		return contract.Load(contracts.FS())
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, usagef("--folder: %s is no folder", folder)
	}
	return contract.Load(os.DirFS(folder))
}

type topicRow struct {
	*contract.Topic
	Events []string `json:"events"`
}

func newContractsList(a *app, folder *string) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List topics and their events",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			catalogue, err := loadContracts(*folder)
			if err != nil {
				return err
			}
			rows := topicRows(catalogue)
			return a.print(rows, func(w io.Writer) error { return writeTopics(w, catalogue, rows) })
		},
	}
}

func topicRows(catalogue *contract.Catalogue) []topicRow {
	rows := []topicRow{}
	for _, t := range catalogue.Topics() {
		row := topicRow{Topic: t, Events: []string{}}
		for _, e := range catalogue.Events() {
			if e.Topic == t.Name {
				row.Events = append(row.Events, eventName(e))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func eventName(e *contract.Event) string { return fmt.Sprintf("%s v%d", e.Type, e.Version) }

func writeTopics(w io.Writer, catalogue *contract.Catalogue, rows []topicRow) error {
	topics := render.NewTable("TOPIC", "OWNER", "KEY", "PARTITIONS", "RETENTION", "CLASS", "EVENTS")
	for _, r := range rows {
		topics.Row(r.Name, r.Owner, r.Key, r.Partitions.Local, retention(r.Topic), r.Classification, len(r.Events))
	}
	events := render.NewTable("EVENT", "VERSION", "TOPIC", "KEY", "READ BY")
	for _, e := range catalogue.Events() {
		events.Row(e.Type, e.Version, e.Topic, strings.Join(e.Key, " or "), readers(e))
	}
	if err := table(w, topics, "the folder has no topics"); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	return table(w, events, "the folder has no events")
}

func retention(t *contract.Topic) string {
	if t.RetentionMs == 0 {
		return t.CleanupPolicy
	}
	return render.Duration(t.Retention())
}

func readers(e *contract.Event) string {
	return strings.Join(servicesOf(e.Consumers), ", ")
}

func newContractsShow(a *app, folder *string) *cobra.Command {
	return &cobra.Command{
		Use:   "show TOPIC|EVENT",
		Short: "Show one topic, or one event with its fields and readers",
		Args:  exactly("a topic or an event type"),
		RunE: func(_ *cobra.Command, args []string) error {
			catalogue, err := loadContracts(*folder)
			if err != nil {
				return err
			}
			if t, ok := catalogue.Topic(args[0]); ok {
				return a.showTopic(catalogue, t)
			}
			if e, ok := newest(catalogue, args[0]); ok {
				return a.showEvent(catalogue, e)
			}
			return failed(fmt.Errorf("contracts: show %q: no topic and no event has this name", args[0]), "contracts list")
		},
	}
}

func newest(catalogue *contract.Catalogue, eventType string) (found *contract.Event, ok bool) {
	for _, e := range catalogue.Current() {
		if strings.EqualFold(e.Type, eventType) && (!ok || e.Version > found.Version) {
			found, ok = e, true
		}
	}
	return found, ok
}

func (a *app) showTopic(catalogue *contract.Catalogue, t *contract.Topic) error {
	derived := append(t.RetryTopics(), t.DeadLetters())
	var events []string
	for _, row := range topicRows(catalogue) {
		if row.Name == t.Name {
			events = row.Events
		}
	}
	value := struct {
		*contract.Topic
		Events  []string                `json:"events"`
		Derived []contract.DerivedTopic `json:"derivedTopics"`
		Groups  []reader                `json:"groups"`
	}{t, events, derived, groupsOn(catalogue, t.Name)}
	return a.print(value, func(w io.Writer) error {
		facts := render.NewTable("TOPIC", t.Name)
		facts.Row("description", t.Description)
		facts.Row("category", t.Category+", "+t.Visibility)
		facts.Row("owner", t.Owner)
		facts.Row("people", t.BusinessOwner+" (business), "+t.TechnicalOwner+" (technical)")
		facts.Row("record key", t.Key)
		facts.Row("partitions", fmt.Sprintf("%d in production, %d local", t.Partitions.Production, t.Partitions.Local))
		facts.Row("retention", retention(t))
		facts.Row("classification", t.Classification)
		facts.Row("largest record", render.Bytes(int64(t.MaxMessageBytes)))
		facts.Row("a dead letter", t.OnDeadLetter+"s its key")
		facts.Row("events", strings.Join(events, ", "))
		for _, d := range derived {
			facts.Row("derived topic", d.Name)
		}
		for _, g := range value.Groups {
			facts.Row("read by", fmt.Sprintf("%s (%s)", g.Group, g.Mode))
		}
		_, err := facts.WriteTo(w)
		return err
	})
}

type reader struct {
	Group string `json:"group"`
	Mode  string `json:"mode"`
}

func groupsOn(catalogue *contract.Catalogue, topic string) []reader {
	found := []reader{}
	for _, g := range catalogue.GroupsOn(topic) {
		mode, _ := g.Mode(topic)
		found = append(found, reader{g.Name, mode})
	}
	return found
}

func (a *app) showEvent(catalogue *contract.Catalogue, e *contract.Event) error {
	value := struct {
		*contract.Event
		Fields []fieldRow `json:"fields"`
	}{e, fieldRows(e)}
	return a.print(value, func(w io.Writer) error {
		if err := writeEventFacts(w, e); err != nil {
			return err
		}
		fields := render.NewTable("FIELD", "TYPE", "REQUIRED", "PERSONAL", "READ BY")
		for _, f := range value.Fields {
			fields.Row(f.Path, f.text(), word(f.Required, "yes"), word(f.Personal, "yes"), strings.Join(f.ReadBy, ", "))
		}
		_, _ = fmt.Fprintln(w)
		return table(w, fields, "the payload has no fields")
	})
}

func writeEventFacts(w io.Writer, e *contract.Event) error {
	facts := render.NewTable("EVENT", eventName(e))
	facts.Row("description", e.Description)
	facts.Row("topic", e.Topic)
	facts.Row("owner", e.OwnerService)
	facts.Row("people", e.BusinessOwner+" (business), "+e.TechnicalOwner+" (technical)")
	facts.Row("aggregate", e.AggregateType)
	facts.Row("record key", strings.Join(e.Key, " or ")+": "+e.KeyReason)
	facts.Row("schema", e.SchemaRef())
	facts.Row("compatibility", e.Compatibility)
	facts.Row("classification", e.DataClassification+", "+word(e.ContainsPII, "holds personal data", "no personal data"))
	facts.Row("retention", e.Retention)
	facts.Row("replay", replayFact(e))
	if d := e.Deprecation; d != nil {
		facts.Row("deprecated", fmt.Sprintf("since %s, goes after %s, replaced by %s: %s", d.Since, d.RemoveAfter, d.ReplacedBy, d.Reason))
	}
	_, err := facts.WriteTo(w)
	return err
}

func replayFact(e *contract.Event) string {
	safe := word(e.ReplaySafe, "safe", "not safe")
	if e.SideEffectWarning == "" {
		return safe
	}
	return safe + ", " + e.SideEffectWarning
}

type fieldRow struct {
	Path     string   `json:"path"`
	Type     string   `json:"type"`
	Format   string   `json:"format,omitempty"`
	Enum     []string `json:"enum,omitempty"`
	Required bool     `json:"required"`
	Personal bool     `json:"personal"`
	ReadBy   []string `json:"readBy"`
}

func fieldRows(e *contract.Event) []fieldRow {
	rows := []fieldRow{}
	for _, f := range e.Fields() {
		rows = append(rows, fieldRow{f.Path, f.Type, f.Format, f.Enum, f.Required, f.PII, servicesOf(e.ReadersOf(f.Path))})
	}
	return rows
}

func (f fieldRow) text() string {
	text := f.Type
	if f.Format != "" {
		text += " (" + f.Format + ")"
	}
	if len(f.Enum) > 0 {
		text += ": " + strings.Join(f.Enum, "|")
	}
	return text
}

// servicesOf names each service once, however many groups of it read.
func servicesOf(readers []contract.Consumer) []string {
	names := []string{}
	for _, c := range readers {
		if !slices.Contains(names, c.Service) {
			names = append(names, c.Service)
		}
	}
	return names
}

// word returns yes, or otherwise no where one is given.
func word(is bool, yes string, no ...string) string {
	if is {
		return yes
	}
	return strings.Join(no, "")
}
