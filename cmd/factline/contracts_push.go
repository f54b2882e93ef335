package main

import (
	"errors"
	"io"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/sr"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/contract/registry"
)

// push is the flags of the command.
type push struct {
	*app
	folder         *string
	user, password string
	token          string
	dryRun         bool
}

func newContractsPush(a *app, folder *string) *cobra.Command {
	p := &push{app: a, folder: folder}
	cmd := &cobra.Command{
		Use:   "push URL",
		Short: "Register the schemas in a Confluent-compatible registry; 3 when it refuses one",
		Long: `Register the schemas in a Confluent-compatible registry: each version of each
event under the subject TOPIC-EVENT, as one document without references. What
the registry holds already stays as it is, so the command may be run again.`,
		Args: exactly("the registry's URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return p.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&p.dryRun, "dry-run", false, "only say what is missing, and under which version it would be registered")
	flags.StringVar(&p.user, "user", "", "user of the registry")
	environment(flags, "user", "FACTLINE_REGISTRY_USER")
	flags.StringVar(&p.password, "password", "", "its password; prefer the variable, which no list of processes shows")
	environment(flags, "password", "FACTLINE_REGISTRY_PASSWORD")
	flags.StringVar(&p.token, "token", "", "bearer token, instead of user and password")
	environment(flags, "token", "FACTLINE_REGISTRY_TOKEN")
	return cmd
}

func (p *push) run(cmd *cobra.Command, address string) error {
	catalogue, err := loadContracts(*p.folder)
	if err != nil {
		return err
	}
	client, err := p.client(address)
	if err != nil {
		return err
	}
	report, err := registry.Push(cmd.Context(), client, catalogue, p.dryRun)
	if printed := p.print(report, func(w io.Writer) error { return writePushed(w, report) }); printed != nil {
		return printed
	}
	if _, refused := errors.AsType[*registry.PushError](err); refused {
		return foundf("contracts push --help", "%w", err)
	}
	return err
}

func (p *push) client(address string) (*sr.Client, error) {
	p.secrets.LearnURL(address)
	p.secrets.Learn(p.password, p.token)
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, usagef("contracts push: the address is no http or https URL such as http://127.0.0.1:8081")
	}
	if p.token != "" && p.user != "" {
		return nil, usagef("contracts push: give a token, or a user and a password, not both")
	}
	options := []sr.ClientOpt{sr.UserAgent("factline"), sr.URLs(address)}
	switch {
	case p.token != "":
		options = append(options, sr.BearerToken(p.token))
	case p.user != "":
		options = append(options, sr.BasicAuth(p.user, p.password))
	}
	return sr.NewClient(options...)
}

// given is a number of the registry, or a dash where it gave none.
func given(number int) any {
	if number == 0 {
		return "-"
	}
	return number
}

func writePushed(w io.Writer, report []registry.Pushed) error {
	rows := render.NewTable("SUBJECT", "EVENT VERSION", "VERSION", "ID", "OUTCOME")
	for _, r := range report {
		rows.Row(r.Subject, r.EventVersion, given(r.Version), given(r.ID), string(r.Outcome))
	}
	return table(w, rows, "nothing was pushed")
}
