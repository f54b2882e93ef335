package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/secret"
)

// commands is every command, in the order of the help. Add yours here.
func commands() []func(*app) *cobra.Command {
	return []func(*app) *cobra.Command{
		newUp,
		newServe,
		newConfig,
		newContracts,
		newOutbox,
		newConsumers,
		newDeadLetters,
		newReplay,
		newTrace,
		newProve,
		newBench,
	}
}

// app is what every command prints with. out and err scrub secrets.
type app struct {
	out, err io.Writer
	args     []string
	json     bool
	secrets  *secret.Scrubber
}

// typed is the command line as it was typed, to be typed again with one more
// flag, which wins over an earlier one.
func (a *app) typed() string {
	words := make([]string, len(a.args))
	for i, word := range a.args {
		words[i] = a.secrets.Clean(quoted(word))
	}
	return strings.Join(words, " ")
}

func quoted(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n\"'`$&|;<>()*?[]#~\\!{}") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	secrets := &secret.Scrubber{}
	a := &app{out: secrets.Writer(stdout), err: secrets.Writer(stderr), args: args, secrets: secrets}
	root := newRoot(a)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	return a.report(cmd, err)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "factline",
		Short: "An event backbone on Kafka: run it, look at it, prove it",
		Long: `An event backbone on Kafka: run it, look at it, prove it.

Exit codes: 0 all is well, 1 failed, 2 called wrongly, 3 found something
(go run hides them: build the program where they matter).`,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd.Flags(), os.LookupEnv) },
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print one JSON document instead of text")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%w", err) })
	root.SetGlobalNormalizationFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.TrimSuffix(strings.ReplaceAll(name, "_", "-"), "-url"))
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetHelpCommand(newHelp())
	for _, add := range commands() {
		root.AddCommand(add(a))
	}
	return root
}

// newHelp stands for cobra's, which takes an unknown command for success.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("there is no command %q", strings.Join(args, " "))
			}
			return found.Help()
		},
	}
}

// newGroup is a noun: it only has verbs.
func newGroup(use, short string, verbs ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("%q needs a verb: %s", cmd.CommandPath(), strings.Join(verbsOf(cmd), ", "))
		},
	}
	group.AddCommand(verbs...)
	return group
}

func verbsOf(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// noArgs refuses arguments, of which an unknown verb is one.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return usagef("%q takes no arguments (%q)", cmd.CommandPath(), args[0])
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("%q has no command %q; did you mean %s?", cmd.CommandPath(), args[0], strings.Join(near, " or "))
	}
	return usagef("%q has no command %q; it has: %s", cmd.CommandPath(), args[0], strings.Join(verbsOf(cmd), ", "))
}

// exactly wants one argument of each name.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return usagef("%q wants %s (%d arguments given)", cmd.CommandPath(), strings.Join(names, " and "), len(args))
	}
}

// environment marks a flag that a variable may set. The default shown in the
// help must not be the variable's value, which may hold a password.
func environment(flags *pflag.FlagSet, name, variable string) {
	f := flags.Lookup(name)
	f.Usage += " (or " + variable + ")"
	f.Annotations = map[string][]string{environmentKey: {variable}}
}

const environmentKey = "factline_environment"

func fromEnvironment(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		variable := f.Annotations[environmentKey]
		if len(variable) == 0 || f.Changed {
			return
		}
		if value, ok := lookup(variable[0]); ok && value != "" {
			if err := flags.Set(f.Name, value); err != nil {
				errs = append(errs, usagef("%s: %w", variable[0], err))
			}
		}
	})
	return errors.Join(errs...)
}

// print writes value as JSON where that is asked for, and else calls text.
func (a *app) print(value any, text func(w io.Writer) error) error {
	if a.json {
		return render.JSON(a.out, value)
	}
	return text(a.out)
}

// table writes t, or what to say instead of an empty one.
func table(w io.Writer, t *render.Table, empty string) error {
	if t.Len() == 0 {
		_, err := fmt.Fprintln(w, empty)
		return err
	}
	_, err := t.WriteTo(w)
	return err
}
