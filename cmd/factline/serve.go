package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/outbox"
	"factline.dev/platform"
)

// serve is the flags of the command.
type serve struct {
	*app
	target    *target
	databases []string
	http      string
	lineDelay time.Duration
	leaseTTL  time.Duration
	skipSeed  bool
}

func newServe(a *app) *cobra.Command {
	s := &serve{app: a}
	cmd := &cobra.Command{
		Use:   "serve [SERVICE...]",
		Short: "Run services on databases and brokers that exist, as a further process",
		Long: `Run services on databases and brokers that exist, as a further process: all
services when none is named. Without flags they join the stack of the folder.
The log goes to stderr.`,
		Args: services,
		RunE: func(cmd *cobra.Command, args []string) error { return s.run(cmd.Context(), args) },
	}
	s.target = targetFlags(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&s.databases, "database", nil, "SERVICE=URL of one database; may be repeated (default those of the stack)")
	environment(flags, "database", "FACTLINE_DATABASE")
	flags.StringVar(&s.http, "http", "127.0.0.1:0", "host:port for HTTP; port 0 picks one")
	environment(flags, "http", "FACTLINE_HTTP")
	flags.DurationVar(&s.lineDelay, "line-delay", 200*time.Millisecond, "how long an order line takes to be fulfilled; negative is no time")
	flags.DurationVar(&s.leaseTTL, "lease-ttl", 10*time.Second, "how long a relay keeps its lanes without a sign of life")
	flags.BoolVar(&s.skipSeed, "skip-seed", false, "start with empty mirrors")
	return cmd
}

func services(_ *cobra.Command, args []string) error {
	for _, name := range args {
		if !slices.Contains(platform.Services(), name) {
			return usagef("serve: there is no service %q; there are %s", name, strings.Join(platform.Services(), ", "))
		}
	}
	return nil
}

func (s *serve) run(ctx context.Context, names []string) error {
	urls, brokers, err := s.find(names)
	if err != nil {
		return err
	}
	for _, url := range urls {
		s.secrets.LearnURL(url)
	}
	err = platform.Run(ctx, platform.Config{
		Databases: urls, Brokers: brokers, Listen: s.http, Services: names, LineDelay: s.lineDelay, SkipSeed: s.skipSeed,
		Relay: outbox.RelayConfig{LeaseTTL: s.leaseTTL}, Logger: slog.New(slog.NewJSONHandler(s.err, nil)), Ready: s.ready,
	})
	if err != nil {
		return failed(err, "serve --help")
	}
	return nil
}

// ready tells whoever started the process where it listens.
func (s *serve) ready(addr string) {
	_ = s.print(map[string]string{"http": "http://" + addr}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "listening on http://%s\n", addr)
		return err
	})
}

// find returns where the databases and brokers are, those of the stack where
// nothing else is said.
func (s *serve) find(names []string) (urls map[string]string, brokers []string, err error) {
	urls = map[string]string{}
	if t := (stack.Target{Folder: *s.target.folder, Postgres: s.target.postgres, Kafka: addresses(s.target.kafka)}); s.needsStack(names) {
		if urls, brokers, err = t.Find(); err != nil {
			return nil, nil, failed(err, withFolder("up", *s.target.folder))
		}
	}
	if given := addresses(s.target.kafka); len(given) > 0 {
		brokers = given
	}
	for _, pair := range s.databases {
		name, url, ok := strings.Cut(pair, "=")
		if !ok || !slices.Contains(platform.Services(), name) {
			return nil, nil, usagef("--database: it is no SERVICE=URL with one of the services %s", strings.Join(platform.Services(), ", "))
		}
		urls[name] = url
	}
	return urls, brokers, nil
}

// needsStack is false where flags say everything.
func (s *serve) needsStack(names []string) bool {
	if s.target.kafka == "" || s.target.postgres != "" {
		return true
	}
	if len(names) == 0 {
		names = platform.Services()
	}
	given := map[string]bool{}
	for _, pair := range s.databases {
		name, _, _ := strings.Cut(pair, "=")
		given[name] = true
	}
	return slices.ContainsFunc(names, func(name string) bool { return !given[name] })
}
