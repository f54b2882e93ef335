package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/contract"
	"factline.dev/deadletter"
)

func newDeadLettersCorrect(a *app) *cobra.Command {
	var r deadletter.CorrectRequest
	var file string
	cmd := &cobra.Command{
		Use:   "correct ID --event FILE --team TEAM --reason TEXT",
		Short: "Put an event with a corrected payload in the place of one that was given up; audited",
		Long: `FILE holds the event of the dead letter, as "deadletters show ID --json" prints it
in record.originalRecord.value, with its payload corrected; nothing else may
differ. It is checked against its contract and becomes a new event, caused by the
original, that the failing group alone tries, in the order of its key. The dead
letter is CORRECTED once it had its effect, and open again if it fails.

Where the fact itself is wrong, no group should correct it for itself: have the
event's owner state a new one, and skip this.`,
		Args: exactly("the id of a dead letter"),
	}
	t := targetFlags(cmd)
	cmd.Flags().StringVar(&file, "event", "", "the FILE with the corrected event, - for the standard input")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "what was wrong; an auditor reads this TEXT")
	cmd.Flags().StringVar(&r.Operator, "operator", "", "who decides, a NAME (default the user of the system)")
	environment(cmd.Flags(), "operator", "FACTLINE_OPERATOR")
	teamFlag(cmd, &r.Team)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		r.ID = args[0]
		for _, f := range []struct{ name, value, hint string }{
			{"--event", file, "pass the event with its corrected payload"},
			{"--team", r.Team, "say which team you act for"},
			{"--reason", r.Reason, "say what was wrong"},
		} {
			if f.value == "" {
				return &failure{
					code: exitUsage, err: fmt.Errorf("%s: it is missing; %s", f.name, f.hint),
					next: fmt.Sprintf("deadletters correct %s --event FILE --team TEAM --reason TEXT", r.ID),
				}
			}
		}
		if r.Operator == "" {
			r.Operator = systemUser()
		}
		if r.Event, err = readEvent(file, cmd.InOrStdin()); err != nil {
			return usagef("--event: %w", err)
		}
		return a.correctDeadLetter(cmd.Context(), t, r)
	}
	return cmd
}

// readEvent reads no more than any event has.
func readEvent(file string, stdin io.Reader) ([]byte, error) {
	from := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, contract.MaxValueBytes+1))
	if err == nil && len(text) > contract.MaxValueBytes {
		err = fmt.Errorf("%s holds more than %d bytes, which no event has", file, contract.MaxValueBytes)
	}
	return text, err
}

func (a *app) correctDeadLetter(ctx context.Context, t *target, r deadletter.CorrectRequest) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	if r.Contracts, err = loadContracts(""); err != nil {
		return err
	}
	service, entry, err := findLetter(ctx, c, r.ID)
	if err != nil {
		return err
	}
	correction, err := deadletter.Correct(ctx, service.Pool, r)
	if err != nil {
		return failed(err, "deadletters show "+r.ID)
	}
	if err := recordCorrection(ctx, c, entry, correction); err != nil {
		_, _ = fmt.Fprintln(a.err, render.Safe(err.Error()))
	}
	return a.print(correction, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "event %s takes the place of %s (correction %s)\nits group tries it now; see what becomes of it with: factline deadletters show %s\n",
			correction.EventID, render.Safe(correction.ReplacedID), correction.ID, render.Safe(r.ID))
		return err
	})
}

// recordCorrection tells the store of all dead letters, where there is one.
func recordCorrection(ctx context.Context, c *stack.Connection, entry deadletter.Entry, correction deadletter.Correction) error {
	store, err := openStore(c, nil)
	if err != nil {
		return err
	}
	if err := store.RecordCorrection(ctx, entry, correction); !isMissingStore(err) {
		return err
	}
	return nil
}
