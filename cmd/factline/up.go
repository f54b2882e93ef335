package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/internal/devstack"
)

// up is the flags of the command.
type up struct {
	*app
	cfg     stack.Config
	kafka   string
	load    float64
	forTime time.Duration
	verbose bool
	result  *summary // of a timed run
}

func newUp(a *app) *cobra.Command {
	u := &up{app: a}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the whole platform on this machine until Ctrl-C",
		Long: `Run the whole platform on this machine until Ctrl-C: PostgreSQL, a Kafka
broker, four services and their HTTP interface. Data stays in the folder; the
next start continues where this one ended, however it ended.

The embedded broker is for development: it speaks the Kafka protocol and keeps
its log on disk, and has no replicas. --kafka uses a real cluster.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return u.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&u.cfg.Folder, "folder", "", "FOLDER for data, passwords and logs (default /var/lib/factline as root, else ~/.local/state/factline)")
	flags.BoolVar(&u.cfg.Fresh, "fresh", false, "delete all data of the folder first")
	flags.StringVar(&u.cfg.Postgres, "postgres", "", "URL of a PostgreSQL server to use; its role needs CREATEDB and CREATEROLE (default an embedded one)")
	flags.StringVar(&u.kafka, "kafka", "", "host:port[,host:port] of a Kafka cluster to use (default an embedded broker)")
	flags.StringVar(&u.cfg.HTTP, "http", stack.DefaultHTTP, "host:port for HTTP; port 0 picks one")
	flags.IntVar(&u.cfg.PostgresPort, "postgres-port", stack.DefaultPostgresPort, "port of the embedded PostgreSQL; -1 picks one")
	flags.IntVar(&u.cfg.BrokerPort, "kafka-port", stack.DefaultBrokerPort, "port of the embedded broker; -1 picks one")
	flags.DurationVar(&u.cfg.LineDelay, "line-delay", 200*time.Millisecond, "how long an order line takes to be fulfilled; negative is no time")
	flags.Float64Var(&u.load, "load", 0, "quotes a second to drive through the platform")
	flags.DurationVar(&u.forTime, "for", 0, "stop after this time, with a summary; 3 when an order has not come to its end")
	flags.BoolVarP(&u.verbose, "verbose", "v", false, "print the platform's log on stderr as well")
	environment(flags, "folder", "FACTLINE_FOLDER")
	environment(flags, "postgres", "FACTLINE_POSTGRES")
	environment(flags, "kafka", "FACTLINE_KAFKA")
	return cmd
}

func (u *up) run(ctx context.Context) error {
	if u.load < 0 || u.forTime < 0 {
		return usagef("--load and --for must not be negative")
	}
	u.cfg.Kafka = addresses(u.kafka)
	u.secrets.LearnURL(u.cfg.Postgres)
	began := time.Now()
	s, err := stack.Open(ctx, u.cfg, u.options())
	if err != nil {
		return u.explain(ctx, err)
	}
	if err := errors.Join(u.live(ctx, s, began), s.Close()); err != nil {
		return err
	}
	u.say("stopped; the data stays in %s", s.Folder())
	if u.result == nil {
		return nil
	}
	return u.conclude(*u.result)
}

func (u *up) options() stack.OpenOptions {
	opts := stack.OpenOptions{Progress: newProgress(u.err, isTerminal(os.Stderr)).update, Learn: func(s string) { u.secrets.Learn(s) }}
	if u.verbose {
		opts.Logs = slog.NewTextHandler(u.err, nil)
	}
	return opts
}

// live runs the platform until ctx ends, the time is over, or it fails. The
// platform has a context of its own: it outlives the load that is driven
// through it.
func (u *up) live(ctx context.Context, s *stack.Stack, began time.Time) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.Run(running, func() { close(ready) }) }()
	select {
	case err := <-ended:
		return u.platformEnded(err, s)
	case <-ctx.Done():
		stop()
		return <-ended
	case <-ready:
	}
	driving, halt := context.WithCancel(ctx)
	defer halt()
	driven := make(chan error, 1)
	go func() { driven <- u.drive(driving, s, began) }()
	select {
	case err := <-ended:
		halt()
		return u.platformEnded(err, s)
	case err := <-driven:
		u.say("stopping")
		stop()
		return errors.Join(err, <-ended)
	}
}

func (u *up) platformEnded(err error, s *stack.Stack) error {
	return failed(fmt.Errorf("%w; the log is %s", err, s.LogFile()), u.typed())
}

// drive does what a person would: look, try one quote, drive load, wait. It
// returns when up is to stop.
func (u *up) drive(ctx context.Context, s *stack.Stack, began time.Time) error {
	if err := u.announce(s, began); err != nil {
		return err
	}
	if err := u.demonstrate(ctx, s); err != nil {
		return err
	}
	if u.forTime == 0 && u.load == 0 {
		u.say("\nCtrl-C stops everything; the next start goes on from here")
	}
	return u.loadAndWait(ctx, s)
}

func (u *up) demonstrate(ctx context.Context, s *stack.Stack) error {
	u.say("\none quote through HTTP:")
	err := stack.Demonstrate(ctx, s.State().HTTP, func(step stack.Step) {
		u.say("  %s  %7s  %s  %s", render.Time(step.At), render.Duration(step.Took), step.ID, step.What)
	})
	var stuck *stack.StuckError
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.As(err, &stuck):
		return u.demonstrationStuck(err, stuck, u.open(ctx, s))
	}
	return err
}

// demonstrationStuck is a failure, except behind quotes that a kill left: there
// the order is only late, and a start must not end for that.
func (u *up) demonstrationStuck(err error, stuck *stack.StuckError, open int64) error {
	if open <= 1 {
		return failed(err, withFolder("trace "+stuck.QuoteID, u.cfg.Folder))
	}
	u.say("  not at its end after %s: it waits among %d accepted quotes; follow it with \"factline trace %s\"",
		render.Duration(stuck.Waited), open, stuck.QuoteID)
	return nil
}

// open is how many accepted quotes have no ended order, 0 where that cannot be
// told.
func (u *up) open(ctx context.Context, s *stack.Stack) int64 {
	c, err := stack.Connect(ctx, stack.Target{Folder: s.Folder()})
	if err != nil {
		return 0
	}
	defer c.Close()
	tally, err := c.Tally(ctx)
	if err != nil {
		return 0
	}
	return tally.Open()
}

// announcement is where everything is.
type announcement struct {
	stack.State
	Parts []part `json:"parts"`
}

type part struct {
	What    string `json:"what"`
	Where   string `json:"where"`
	Connect string `json:"connect"`
}

func (u *up) announce(s *stack.Stack, began time.Time) error {
	a := announcement{State: s.State(), Parts: parts(s)}
	if u.json {
		return render.JSON(u.out, a)
	}
	t := render.NewTable("WHAT", "WHERE", "HOW TO LOOK AT IT")
	for _, p := range a.Parts {
		t.Row(p.What, p.Where, p.Connect)
	}
	if _, err := t.WriteTo(u.out); err != nil {
		return err
	}
	u.say("passwords %s   log %s   up after %s", a.ConnectionsFile, a.LogFile, render.Duration(time.Since(began)))
	return nil
}

func parts(s *stack.Stack) []part {
	st := s.State()
	all := []part{
		{"platform", st.HTTP, "a browser: pages /, /docs and /catalogue/, schemas /registry/subjects, metrics /metrics"},
		{"Kafka, " + s.BrokerKind(), st.Brokers[0], "kafka-console-consumer.sh --bootstrap-server " + st.Brokers[0] + " --topic oms.order.events.v1 --from-beginning"},
	}
	host, port, _ := net.SplitHostPort(st.Postgres)
	for _, d := range s.Databases() {
		all = append(all, part{
			"database of " + d.Service, fmt.Sprintf("%s/%s", st.Postgres, d.Database),
			fmt.Sprintf("psql -h %s -p %s -U %s %s", host, port, d.Role, d.Database),
		})
	}
	return all
}

// say prints for people; programs get JSON documents alone.
func (u *up) say(format string, args ...any) {
	w := u.out
	if u.json {
		w = io.Discard
	}
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}

// explain adds the command that leads on from a failed start.
func (u *up) explain(ctx context.Context, err error) error {
	var port *stack.PortError
	again := u.typed()
	var wrong *stack.ConfigError
	switch {
	case errors.As(err, &wrong):
		return usagef("%w", err)
	case ctx.Err() != nil:
		return failed(errors.New("stack: stopped before it was up"), again)
	case errors.As(err, &port):
		return failed(port, again+" --"+port.Flag+" "+flagValue(port))
	case errors.Is(err, devstack.ErrFolderHeld):
		return failed(fmt.Errorf("%w; it can be looked at from here", err), withFolder("outbox status", u.cfg.Folder))
	case errors.Is(err, devstack.ErrDiskFull):
		return failed(err, again+" --folder DIR")
	case errors.Is(err, devstack.ErrUnsupported):
		return failed(err, again+" --postgres URL")
	case errors.Is(err, devstack.ErrTopicDiffers) && u.kafka == "":
		return failed(err, again+" --fresh")
	}
	return failed(err, again)
}

func flagValue(p *stack.PortError) string {
	free := p.Free()
	if p.Flag == "http" {
		return free
	}
	_, port, _ := net.SplitHostPort(free)
	return port
}
