package main

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/contract/lint"
	"factline.dev/contract/scaffold"
	"factline.dev/platform/contracts"
)

func newContractsNew(a *app, folder *string) *cobra.Command {
	return newGroup("new", "Draft the files of a new topic or event", newNewTopic(a, folder), newNewEvent(a, folder))
}

// draft is the flags that both commands share.
type draft struct {
	*app
	folder  *string
	address string
}

func (d *draft) config() (scaffold.Config, error) {
	if *d.folder == "" {
		return scaffold.Config{}, usagef("--folder: is required, the contracts folder to write into; it is made where it is missing")
	}
	envelope, err := fs.ReadFile(contracts.FS(), "envelope.schema.json")
	if err != nil {
		return scaffold.Config{}, err
	}
	cfg := scaffold.Config{Folder: os.DirFS(*d.folder), Envelope: envelope, Address: d.address, Now: time.Now()}
	switch info, err := os.Stat(*d.folder); {
	case errors.Is(err, fs.ErrNotExist):
		cfg.Folder = embed.FS{} // which is empty
	case err != nil || !info.IsDir():
		return cfg, usagef("--folder: %s is no folder", *d.folder)
	}
	return cfg, nil
}

func newNewTopic(a *app, folder *string) *cobra.Command {
	d := &draft{app: a, folder: folder}
	var t scaffold.TopicConfig
	cmd := &cobra.Command{
		Use:   "topic NAME",
		Short: "Draft a topic",
		Long: "Writes the file of a topic into --folder, and services.yaml into a folder without one. Nothing is\n" +
			"overwritten. What you do not say and only you can know is marked TBD, and lint asks for it.",
		Args: exactly("the name of a topic"),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			t.Name = args[0]
			if t.Config, err = d.config(); err != nil {
				return err
			}
			made, err := scaffold.Topic(t)
			return d.write(made, err, "contracts new event --help")
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&t.Owner, "owner", "", "service that produces the topic")
	flags.StringVar(&t.Key, "key", "", "payload field that keys its records, such as parcelId")
	flags.StringVar(&t.Description, "description", "", "what stands on the topic, in a sentence")
	flags.StringVar(&t.BusinessOwner, "business-owner", "", "who in the business answers for it")
	flags.StringVar(&t.TechnicalOwner, "technical-owner", "", "team that answers for it (default the owner's)")
	flags.StringVar(&t.Category, "category", "domain", "domain, integration, private, audit-export, operational or current-state")
	flags.StringVar(&t.Visibility, "visibility", "public", "public, private, integration or operational")
	flags.StringVar(&t.Classification, "classification", "medium", "highest sensitivity on it: low, medium or high")
	flags.IntVar(&t.RetentionDays, "retention-days", 365, "how long records are kept")
	flags.BoolVar(&t.Archive, "archive", false, "whether records are also kept in the archive")
	return cmd
}

func newNewEvent(a *app, folder *string) *cobra.Command {
	d := &draft{app: a, folder: folder}
	var e scaffold.EventConfig
	var fields, readers []string
	cmd := &cobra.Command{
		Use:   "event TYPE",
		Short: "Draft an event",
		Long: "Writes ownership record, schema, examples and changelog of an event into --folder, and its topic,\n" +
			"the envelope and services.yaml where they are missing. Nothing is overwritten. What you do not say\n" +
			"and only you can know is marked TBD, and lint asks for it.",
		Args: exactly("the type of an event"),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			if e.Type = args[0]; e.Topic == "" {
				return usagef("--topic: is required, the topic that carries the event")
			}
			if e.Fields, err = parsed(fields, scaffold.ParseField); err != nil {
				return usagef("--field: %w", err)
			}
			if e.Readers, err = parsed(readers, scaffold.ParseReader); err != nil {
				return usagef("--reader: %w", err)
			}
			if e.Config, err = d.config(); err != nil {
				return err
			}
			made, err := scaffold.Event(e)
			return d.write(made, err, "contracts review "+e.Type+" --folder "+quoted(*folder))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&e.Topic, "topic", "", "topic that carries it, such as post.parcel.events.v1")
	flags.StringVar(&e.Description, "description", "", "which fact it states, in a sentence")
	flags.StringVar(&e.Owner, "owner", "", "service that produces it (default the topic's owner)")
	flags.StringVar(&e.BusinessOwner, "business-owner", "", "who in the business answers for it (default the topic's)")
	flags.StringVar(&e.TechnicalOwner, "technical-owner", "", "team that answers for it (default the topic's)")
	flags.StringVar(&e.Aggregate, "aggregate", "", "kind of entity that it happens to, such as Parcel (default read off its name)")
	flags.StringVar(&e.Key, "key", "", "payload field that keys its records (default the topic's)")
	flags.StringVar(&e.KeyReason, "key-reason", "", "why that field: what stays in order, and what can become hot")
	flags.StringArrayVar(&fields, "field", nil, "`FIELD` of the payload, name[?][:type][=description]: ? where it is optional, type string (default),\ninteger, boolean, decimal, date or date-time; may be repeated")
	flags.StringArrayVar(&readers, "reader", nil, "`GROUP` that reads it, with the fields it depends on: group[=field,field]; may be repeated")
	flags.StringVar(&d.address, "address", "", "https:// address that the ids of schemas begin with, in a folder without schemas; nothing is fetched from it")
	return cmd
}

func parsed[T any](texts []string, parse func(string) (T, error)) (all []T, err error) {
	for _, text := range texts {
		one, err := parse(text)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// drafted is what the commands say.
type drafted struct {
	Written []string       `json:"written"`
	Open    []lint.Finding `json:"open"`
}

func (d *draft) write(made scaffold.Draft, err error, next string) error {
	if err != nil {
		return failed(err, "contracts new --help")
	}
	written, err := made.Write(*d.folder)
	if err != nil {
		return failed(err, "contracts new --help")
	}
	if len(made.Open) > 0 {
		next = "contracts lint --folder " + quoted(*d.folder)
	}
	return d.print(drafted{written, append([]lint.Finding{}, made.Open...)}, func(w io.Writer) error {
		for _, file := range written {
			if _, err := fmt.Fprintln(w, "wrote "+render.Safe(filepath.Join(*d.folder, file))); err != nil {
				return err
			}
		}
		if len(made.Open) > 0 {
			_, _ = fmt.Fprintln(w, "yours to decide:")
		}
		if err := printLines(w, made.Open); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w, "next: "+programName(os.Args[0])+" "+render.Safe(next))
		return err
	})
}
