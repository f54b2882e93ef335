package main

import (
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/consumer"
	"factline.dev/outbox"
)

func newConfig(a *app) *cobra.Command {
	show := &cobra.Command{
		Use:   "show",
		Short: "Print every setting that really runs",
		Args:  noArgs,
	}
	folder := folderFlag(show)
	show.RunE = func(*cobra.Command, []string) error {
		stackConfig, err := stack.Config{Folder: *folder}.WithDefaults()
		if err != nil {
			return err
		}
		return a.printConfig(stackConfig)
	}
	return newGroup("config", "Settings and their defaults", show)
}

// setting is one value of one configuration struct.
type setting struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
	// Fixed is set where the value cannot be changed.
	Fixed bool `json:"fixed,omitempty"`
}

// section is the settings of one part.
type section struct {
	Title    string    `json:"section"`
	Settings []setting `json:"settings"`
}

func (a *app) printConfig(s stack.Config) error {
	sections := []section{
		{"relay (outbox.RelayConfig)", settings("", outbox.RelayConfig{}.WithDefaults())},
		{"producer baseline", producerBaseline()},
		{"consumer (consumer.Config)", settings("", consumer.Config{}.WithDefaults())},
		{"local stack (factline up)", settings("", s)},
	}
	if last, err := stack.ReadState(s.Folder); err == nil {
		sections = append(sections, section{"last stack of the folder", lastStack(last)})
	}
	return a.print(sections, func(w io.Writer) error {
		for i, section := range sections {
			t := render.NewTable(section.Title, "VALUE")
			for _, one := range section.Settings {
				t.Row(one.Name, shown(one))
			}
			if i > 0 {
				_, _ = io.WriteString(w, "\n")
			}
			if _, err := t.WriteTo(w); err != nil {
				return err
			}
		}
		return nil
	})
}

func lastStack(s stack.State) []setting {
	return []setting{
		{Name: "PID", Value: int64(s.PID)},
		{Name: "StartedAt", Value: render.Time(s.StartedAt)},
		{Name: "HTTP", Value: s.HTTP},
		{Name: "Postgres", Value: s.Postgres},
		{Name: "Brokers", Value: strings.Join(s.Brokers, ",")},
		{Name: "ConnectionsFile", Value: s.ConnectionsFile},
		{Name: "LogFile", Value: s.LogFile},
	}
}

func shown(s setting) string {
	text := ""
	switch v := s.Value.(type) {
	case string:
		text = v
	case bool:
		text = strconv.FormatBool(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	}
	if s.Fixed {
		text += " (fixed)"
	}
	return text
}

// producerBaseline is what the relay's producer is made of beside its Config.
func producerBaseline() []setting {
	return []setting{
		{"acks", "all", true},
		{"enable.idempotence", true, true},
		{"retries", "unlimited", true},
		{"partitioner", "murmur2, as Java's", true},
	}
}

// settings reads the plain values of a configuration struct. Pools, loggers and
// hooks are wiring and not shown; nor is the instance, which differs each time.
func settings(prefix string, config any) []setting {
	var all []setting
	v := reflect.ValueOf(config)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() || field.Tag.Get("show") == "-" || field.Name == "Instance" {
			continue
		}
		name := prefix + field.Name
		switch value := v.Field(i); {
		case value.Type() == reflect.TypeFor[time.Duration]():
			all = append(all, setting{Name: name, Value: value.Interface().(time.Duration).String()})
		case value.CanInt():
			all = append(all, setting{Name: name, Value: value.Int()})
		case value.Kind() == reflect.String && wired(name):
		case value.Kind() == reflect.String:
			all = append(all, setting{Name: name, Value: value.String()})
		case value.Kind() == reflect.Bool:
			all = append(all, setting{Name: name, Value: value.Bool()})
		case value.Kind() == reflect.Struct:
			all = append(all, settings(name+".", value.Interface())...)
		}
	}
	return all
}

// wired names what each consumer sets for itself.
func wired(name string) bool { return name == "Group" || name == "Service" }
