package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/contract/compat"
)

// diffFlags are the flags that one pair and a batch have in common.
type diffFlags struct {
	mode, batch string
	options     compat.Options
}

func newContractsDiff(a *app, folder *string) *cobra.Command {
	f := &diffFlags{}
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say whether one JSON Schema can follow another; 3 when not surely",
		Long: `Say whether one JSON Schema can follow another.

The verdict is compatible; breaking, with a document that one schema accepts and
the other refuses; or unknown, which is to be treated as breaking. It compares
what the schemas accept and needs no catalogue and no network. References lead
into the folder of the file, or into --folder.

  backward  new readers, old events: what is valid under OLD is valid under NEW
  forward   old readers, new events: the other way round
  full      both`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case f.batch != "" && len(args) > 0:
				return usagef("--batch takes its schemas from the file; leave %s out", args[0])
			case f.batch == "" && len(args) != 2:
				return usagef("give the old and the new schema, or --batch FILE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.options.Direction = compat.Direction(f.mode)
			if !slices.Contains([]compat.Direction{compat.Backward, compat.Forward, compat.Full}, f.options.Direction) {
				return usagef("--mode: %q is none of backward, forward, full", f.mode)
			}
			if f.batch != "" {
				return a.diffBatch(cmd.Context(), f)
			}
			return a.diffPair(cmd.Context(), *folder, args[0], args[1], f.options)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.mode, "mode", string(compat.Backward), "backward, forward or full")
	flags.StringVar(&f.batch, "batch", "", "compare the pairs of a `FILE` with a JSON object a line: id, old, new")
	flags.BoolVar(&f.options.IgnoreFormats, "ignore-formats", false, "take format for an annotation that no reader checks")
	flags.BoolVar(&f.options.Evolvable, "evolvable", false, "trust writers and readers to leave undeclared properties alone")
	flags.BoolVar(&f.options.AppliesDefaults, "applies-defaults", false, "readers fill in the default of a missing property before they check")
	return cmd
}

func (a *app) diffPair(ctx context.Context, folder, oldFile, newFile string, o compat.Options) error {
	old, err := loadSchema(folder, oldFile)
	if err != nil {
		return err
	}
	next, err := loadSchema(folder, newFile)
	if err != nil {
		return err
	}
	result := compat.Compare(ctx, old, next, o)
	if err := a.print(result, func(w io.Writer) error { return writeDiff(w, result) }); err != nil {
		return err
	}
	return diffVerdict(result, "contracts diff --help")
}

// diffVerdict is what the exit code says.
func diffVerdict(r compat.Result, next string) error {
	if r.Verdict == compat.Compatible {
		return nil
	}
	return foundf(next, "contracts: the new schema is %s in %s", word(r.Verdict == compat.Breaking, "breaking", "not surely compatible"), render.Count(len(r.Findings), "place"))
}

// loadSchema reads a schema with its own folder around it, or with the one that
// was named.
func loadSchema(folder, file string) (*compat.Schema, error) {
	if folder == "" {
		return compat.Load(os.DirFS(filepath.Dir(file)), filepath.Base(file))
	}
	within, err := filepath.Rel(folder, file)
	if err != nil || !fs.ValidPath(filepath.ToSlash(within)) {
		return nil, usagef("--folder: %s is not in %s", file, folder)
	}
	return compat.Load(os.DirFS(folder), filepath.ToSlash(within))
}

func writeDiff(w io.Writer, r compat.Result) error {
	if _, err := fmt.Fprintf(w, "%s (%s)\n", r.Verdict, r.Direction); err != nil {
		return err
	}
	for _, f := range r.Findings {
		lines := []string{"", string(f.Verdict) + " " + f.Rule, "  " + render.Safe(f.Message)}
		for _, fact := range []struct{ name, text string }{{"old", f.OldPath}, {"new", f.NewPath}, {"example", shortened(string(f.Witness))}} {
			if fact.text != "" {
				lines = append(lines, fmt.Sprintf("  %-8s %s", fact.name, render.Safe(fact.text)))
			}
		}
		if _, err := fmt.Fprintln(w, strings.Join(lines, "\n")); err != nil {
			return err
		}
	}
	return nil
}

const maxShownExample = 2000

func shortened(text string) string {
	if len(text) <= maxShownExample {
		return text
	}
	return strings.ToValidUTF8(text[:maxShownExample], "") + "… (all of it with --json)"
}
