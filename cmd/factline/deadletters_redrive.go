package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/deadletter"
)

// redriveFlags are what a command says of a redrive.
type redriveFlags struct {
	plan, acknowledged     bool
	yes                    string
	reason, operator, team string
	settings               deadletter.Settings
}

func newDeadLettersRedrive(a *app) *cobra.Command {
	var f redriveFlags
	cmd := &cobra.Command{
		Use:   "redrive [--group GROUP ...] --team TEAM --reason TEXT | --yes PLAN",
		Short: "Plan a redrive of open dead letters, then send them back to their groups; audited",
		Long: `Without --yes: look at the selected open dead letters, check them against the
contracts of today, the order of their keys and the dedupe horizon, and print
what would go as a plan. Nothing is sent. The catalogue says which teams may: the
event's owner, the consumer's, and the owner of the topic's dead letters. Whether
you are of that TEAM nobody can check here; what you say is audited.

With --yes PLAN: send exactly what that plan previewed, to the failing groups
alone: a canary of each cause first, then faster up to the rate, of each key one
event at a time in version order. It waits for every outcome and prints a
receipt. Where a contract warns of what its event does in that group, it wants
--acknowledge-side-effects. Ctrl-C pauses it, "redrive resume" goes on, also after a kill. Ends
with 3 when something failed again.`,
		Args: noArgs,
	}
	t := targetFlags(cmd)
	selection := selectionFlags(cmd)
	f.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		sel, err := selection(time.Now())
		if err != nil {
			return err
		}
		if f.yes != "" {
			if f.plan || sel != (deadletter.Selection{}) {
				return usagef("--yes applies a plan as it was previewed; leave out --plan and every filter")
			}
			return a.applyRedrive(cmd.Context(), t, deadletter.Apply{
				ID: f.yes, Operator: f.who(), Settings: f.settings, AcknowledgeSideEffects: f.acknowledged,
			})
		}
		if f.reason == "" {
			return usagef("--reason: it is missing; say why the events should succeed now")
		}
		if f.team == "" {
			return usagef("--team: it is missing; say which team you act for")
		}
		return a.planRedrive(cmd.Context(), t, deadletter.PlanRequest{Selection: sel, Operator: f.who(), Team: f.team, Reason: f.reason})
	}
	cmd.AddCommand(newRedriveResume(a), newRedriveStatus(a), newRedriveAbandon(a))
	return cmd
}

func (f *redriveFlags) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.plan, "plan", false, "only plan, as without --yes")
	flags.StringVar(&f.yes, "yes", "", "apply this PLAN, the id that planning printed")
	flags.StringVar(&f.reason, "reason", "", "why the events should succeed now; an auditor reads this TEXT")
	f.operatorFlag(cmd)
	teamFlag(cmd, &f.team)
	flags.BoolVar(&f.acknowledged, "acknowledge-side-effects", false, "you have read the warnings of the plan")
	defaults := deadletter.Settings{}.WithDefaults()
	flags.Float64Var(&f.settings.Rate, "rate", defaults.Rate, "the most events a second; negative has no limit")
	flags.IntVar(&f.settings.Canary, "canary", defaults.Canary, "how many of each cause go first and must succeed; negative has none")
	flags.IntVar(&f.settings.StopAfter, "stop-after", defaults.StopAfter, "stop after so many failures; negative never stops")
	flags.Float64Var(&f.settings.StopShare, "stop-share", defaults.StopShare, "stop when more than this share fails, from the 20th outcome on; negative never stops")
}

func (f *redriveFlags) operatorFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.operator, "operator", "", "who decides, a NAME (default the user of the system)")
	environment(cmd.Flags(), "operator", "FACTLINE_OPERATOR")
}

func teamFlag(cmd *cobra.Command, team *string) {
	cmd.Flags().StringVar(team, "team", "", "the TEAM that you act for, as services.yaml of the contracts names it")
	environment(cmd.Flags(), "team", "FACTLINE_TEAM")
}

func (f *redriveFlags) who() string {
	if f.operator != "" {
		return f.operator
	}
	return systemUser()
}

func newRedriveResume(a *app) *cobra.Command {
	var f redriveFlags
	cmd := &cobra.Command{
		Use:   "resume ID",
		Short: "Go on with a redrive that was paused or killed",
		Args:  exactly("the id of a redrive"),
	}
	t := targetFlags(cmd)
	f.operatorFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.applyRedrive(cmd.Context(), t, deadletter.Apply{ID: args[0], Operator: f.who(), Resume: true})
	}
	return cmd
}

func newRedriveAbandon(a *app) *cobra.Command {
	var f redriveFlags
	cmd := &cobra.Command{
		Use:   "abandon ID --reason TEXT",
		Short: "Give a redrive up: what it did not send, or sent in vain, is open again; audited",
		Args:  exactly("the id of a redrive"),
	}
	t := targetFlags(cmd)
	cmd.Flags().StringVar(&f.reason, "reason", "", "why it is given up; an auditor reads this TEXT")
	f.operatorFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.reason == "" {
			return &failure{
				code: exitUsage, err: errors.New("--reason: it is missing; say why the redrive is given up"),
				next: fmt.Sprintf("deadletters redrive abandon %s --reason TEXT", args[0]),
			}
		}
		return a.abandonRedrive(cmd.Context(), t, deadletter.Abandon{ID: args[0], Operator: f.who(), Reason: f.reason})
	}
	return cmd
}

func (a *app) abandonRedrive(ctx context.Context, t *target, abandon deadletter.Abandon) error {
	return a.withStore(ctx, t, func(store *deadletter.Store) error {
		receipt, err := store.AbandonRedrive(ctx, abandon)
		if err != nil {
			return redriveFailed(abandon.ID, err)
		}
		if err := a.print(receipt, func(w io.Writer) error { return writeReceipt(w, receipt) }); err != nil {
			return err
		}
		return abandonVerdict(receipt)
	})
}

func abandonVerdict(r deadletter.Receipt) error {
	if r.State != deadletter.Abandoned {
		return foundf("deadletters redrive status "+r.RedriveID, "deadletters: the redrive had ended before, as %s; nothing was left to abandon", r.State)
	}
	return nil
}

func newRedriveStatus(a *app) *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use:   "status ID",
		Short: "Show the receipt of a redrive as it stands now, and its outcomes",
		Args:  exactly("the id of a redrive"),
	}
	t := targetFlags(cmd)
	cmd.Flags().StringVar(&state, "state", "", "list the letters in this STATE: REFUSED, PENDING, SENT, APPLIED, FAILED, SKIPPED, SUPERSEDED, NOT_SENT, ABANDONED, or ALL (default those that were not applied)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.redriveStatus(cmd.Context(), t, args[0], state)
	}
	return cmd
}

// withStore runs fn on the store of all dead letters, ready for redrives.
func (a *app) withStore(ctx context.Context, t *target, fn func(store *deadletter.Store) error) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	store, err := redriveStore(c)
	if err != nil {
		return err
	}
	if err := fn(store); isMissingStore(err) {
		return failed(errors.New("deadletters: redrive: nothing collects the dead letters of this platform yet; run the service that does"), "up")
	} else if err != nil {
		return err
	}
	return nil
}

func redriveStore(c *stack.Connection) (*deadletter.Store, error) {
	catalogue, err := loadContracts("")
	if err != nil {
		return nil, err
	}
	return openStore(c, catalogue)
}

func (a *app) planRedrive(ctx context.Context, t *target, r deadletter.PlanRequest) error {
	return a.withStore(ctx, t, func(store *deadletter.Store) error {
		plan, err := store.PlanRedrive(ctx, r)
		if errors.Is(err, deadletter.ErrNothing) {
			return foundf("deadletters list --all", "%w", err)
		}
		if err != nil {
			return err
		}
		if err := a.print(plan, func(w io.Writer) error { return writePlan(w, plan) }); err != nil {
			return err
		}
		if plan.Ready == 0 {
			return foundf("deadletters redrive status "+plan.ID, "deadletters: none of %d letters would go; see why in the plan", plan.Letters)
		}
		return nil
	})
}

func writePlan(w io.Writer, p deadletter.Plan) error {
	facts := render.NewTable("PLAN", p.ID)
	facts.Row("hash", p.Hash)
	facts.Row("by", p.Operator)
	facts.Row("for", p.Team)
	facts.Row("because", p.Reason)
	facts.Row("letters", fmt.Sprintf("%d selected, %d would go, of %d keys", p.Letters, p.Ready, p.Keys))
	groups := render.NewTable("LETTERS", "READY", "GROUP", "TOPIC", "FINGERPRINT")
	for _, g := range p.Groups {
		groups.Row(g.Letters, g.Ready, g.ConsumerGroup, g.Topic, g.Fingerprint)
	}
	rights := render.NewTable("EVENT", "GROUP", "WHO MAY", "ITS CONTRACT WARNS")
	for _, r := range p.Rights {
		rights.Row(r.EventType, r.ConsumerGroup, strings.Join(r.Teams, ", "), cut(r.Warning, 300))
	}
	refusals := render.NewTable("REFUSED", "WHY", "FOR INSTANCE", "DETAIL")
	for _, r := range p.Refusals {
		refusals.Row(r.Letters, r.Code, r.Sample, cut(r.Detail, 300))
	}
	samples := render.NewTable("SAMPLE", "EVENT", "PAYLOAD")
	for _, s := range p.Samples {
		samples.Row(s.LetterID, s.EventType, cut(string(s.Payload), 300))
	}
	for _, t := range []*render.Table{facts, groups, rights, refusals, samples} {
		if t.Len() == 0 {
			continue
		}
		if _, err := t.WriteTo(w); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(w)
	}
	acknowledge := ""
	if p.Warned {
		acknowledge = " --acknowledge-side-effects"
	}
	_, err := fmt.Fprintf(w, "nothing was sent; send it with: factline deadletters redrive --yes %s%s\n", p.ID, acknowledge)
	return err
}

func (a *app) applyRedrive(ctx context.Context, t *target, apply deadletter.Apply) error {
	return a.withStore(ctx, t, func(store *deadletter.Store) error {
		lines := &redriveProgress{to: a.err, terminal: isTerminal(os.Stderr) && !a.json}
		apply.OnProgress = lines.update
		receipt, err := store.ApplyRedrive(ctx, apply)
		lines.end()
		if err != nil {
			return redriveFailed(apply.ID, err)
		}
		if err := a.print(receipt, func(w io.Writer) error { return writeReceipt(w, receipt) }); err != nil {
			return err
		}
		return redriveVerdict(receipt)
	})
}

func redriveFailed(id string, err error) error {
	var changed *deadletter.PlanChangedError
	var running *deadletter.RunningError
	var effects *deadletter.SideEffectsError
	switch {
	case errors.As(err, &effects):
		return failed(err, "deadletters redrive --yes "+id+" --acknowledge-side-effects")
	case errors.As(err, &changed):
		return failed(err, "deadletters redrive --team TEAM --reason TEXT")
	case errors.As(err, &running):
		return failed(err, "deadletters redrive status "+id)
	case errors.Is(err, deadletter.ErrNoRedrive):
		return failed(err, "deadletters redrive --team TEAM --reason TEXT")
	case isMissingStore(err):
		return err
	}
	return failed(err, "deadletters redrive resume "+id)
}

func redriveVerdict(r deadletter.Receipt) error {
	status := "deadletters redrive status " + r.RedriveID
	switch {
	case r.State == deadletter.Paused:
		return foundf("deadletters redrive resume "+r.RedriveID, "deadletters: the redrive is paused: %s", r.Why)
	case r.State == deadletter.Stopped:
		return foundf(status, "deadletters: the redrive was stopped: %s", r.Why)
	case r.Applied+r.Superseded < r.Planned:
		return foundf(status, "deadletters: %d of %d letters were not applied", r.Planned-r.Applied-r.Superseded, r.Planned)
	}
	return nil
}

func writeReceipt(w io.Writer, r deadletter.Receipt) error {
	t := render.NewTable("REDRIVE", r.RedriveID)
	t.Row("state", r.State)
	t.Row("why", r.Why)
	t.Row("by", r.Operator)
	t.Row("for", r.Team)
	t.Row("because", r.Reason)
	t.Row("planned at", r.PlannedAt)
	t.Row("started at", r.StartedAt)
	t.Row("ended at", r.EndedAt)
	t.Row("letters", r.Planned)
	t.Row("applied", r.Applied)
	t.Row("failed again", r.Failed)
	t.Row("skipped meanwhile", r.Skipped)
	t.Row("superseded by newer ones", r.Superseded)
	t.Row("not sent", r.NotSent)
	t.Row("abandoned", r.Abandoned)
	t.Row("without an outcome", r.Waiting)
	t.Row("still to go", r.Pending)
	t.Row("refused by the plan", r.Refused)
	t.Row("hash of the plan", r.ContentHash)
	t.Row("hash of the outcomes", r.OutcomeHash)
	_, err := t.WriteTo(w)
	return err
}

// statusReport is a redrive with the outcomes that were asked for.
type statusReport struct {
	deadletter.Receipt
	Outcomes []deadletter.Outcome `json:"outcomes"`
}

func (a *app) redriveStatus(ctx context.Context, t *target, id, state string) error {
	return a.withStore(ctx, t, func(store *deadletter.Store) error {
		_, receipt, err := store.Redrive(ctx, id)
		if err != nil {
			return failed(err, "deadletters list")
		}
		wanted := state
		if state == "ALL" {
			wanted = ""
		}
		outcomes, err := store.Outcomes(ctx, id, wanted)
		if err != nil {
			return err
		}
		report := statusReport{receipt, orEmpty(outcomes)}
		if state == "" {
			report.Outcomes = notApplied(report.Outcomes)
		}
		return a.print(report, func(w io.Writer) error { return writeStatus(w, report) })
	})
}

func notApplied(all []deadletter.Outcome) []deadletter.Outcome {
	rest := []deadletter.Outcome{}
	for _, o := range all {
		if o.State != deadletter.Applied {
			rest = append(rest, o)
		}
	}
	return rest
}

func writeStatus(w io.Writer, r statusReport) error {
	if err := writeReceipt(w, r.Receipt); err != nil || len(r.Outcomes) == 0 {
		return err
	}
	t := render.NewTable("LETTER", "STATE", "SENT AT", "SETTLED AT", "WHY", "DETAIL")
	for _, o := range r.Outcomes {
		t.Row(o.LetterID, o.State, o.SentAt, o.SettledAt, o.Code, cut(o.Detail, 300))
	}
	_, _ = fmt.Fprintln(w)
	_, err := t.WriteTo(w)
	return err
}

// redriveProgress is one line that changes on a terminal, and a line for every
// tenth elsewhere.
type redriveProgress struct {
	to       io.Writer
	terminal bool
	tenth    int
	phase    string
}

func (p *redriveProgress) update(now deadletter.Progress) {
	done := now.Planned - now.Pending - now.Waiting
	line := fmt.Sprintf("redrive, %s: %d of %d settled, %d failed again", now.Phase, done, now.Planned, now.Failed)
	if now.Left > 0 {
		line += ", about " + render.Duration(now.Left) + " left"
	}
	tenth := done * 10 / max(now.Planned, 1)
	switch {
	case p.terminal:
		_, _ = fmt.Fprint(p.to, "\r\x1b[K"+line)
	case now.Phase != p.phase || tenth > p.tenth:
		_, _ = fmt.Fprintln(p.to, line)
	}
	p.phase, p.tenth = now.Phase, tenth
}

func (p *redriveProgress) end() {
	if p.terminal && p.phase != "" {
		_, _ = fmt.Fprint(p.to, "\r\x1b[K")
	}
}
