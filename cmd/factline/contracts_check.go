package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/report"
	"factline.dev/contract/policy"
)

func newContractsCheck(a *app, folder *string) *cobra.Command {
	var explain string
	var with againstFlags
	var flags *reportFlags
	cmd := &cobra.Command{
		Use:   "check --against REF",
		Short: "Judge what changed since a commit; 3 when a consumer is hurt and nobody approved",
		Long: `Judge what changed in a contracts folder since a commit: payload fields, enums,
amounts and instants, keys, topics, owners, retention, classes.

Verdicts: compatible; risky, which fails on public and integration topics;
breaking, with a document that shows it and the consumers it hurts; unknown,
which fails like a break. A break passes when approvals.yaml holds its
fingerprint with owner, reason, expires and the consumers it hurts.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if explain != "" {
				return a.explainPolicy(explain)
			}
			return a.checkContracts(cmd.Context(), flags, with)
		},
	}
	with.add(cmd)
	cmd.Flags().StringVar(&explain, "explain", "", "explain one KIND of change with its verdicts, or all with \"all\", and check nothing")
	flags = addReportFlags(cmd, folder)
	return cmd
}

type checkResult struct {
	Against string          `json:"against"`
	Commit  string          `json:"commit"`
	Changes []policy.Change `json:"changes"`
}

func (a *app) checkContracts(ctx context.Context, flags *reportFlags, with againstFlags) error {
	if _, err := flags.chosen(a); err != nil {
		return err
	}
	states, err := openAgainst(ctx, *flags.folder, with)
	if err != nil {
		return err
	}
	result := checkResult{Against: with.ref, Commit: states.tree.Commit, Changes: []policy.Change{}}
	if !states.isNew() {
		if result.Changes, err = policy.Check(ctx, states.old, states.now, time.Now()); err != nil {
			return err
		}
	}
	err = flags.write(a, checkReport(result), result, func(w io.Writer) error { return writeCheck(w, *flags.folder, states, result) })
	if err != nil {
		return err
	}
	return checkVerdict(result)
}

func checkVerdict(result checkResult) error {
	failed := 0
	var first policy.Change
	for _, c := range result.Changes {
		if c.Failed {
			if failed == 0 {
				first = c
			}
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return foundf("contracts check --explain "+string(first.Kind), "contracts: %d of %d changes since %s must not pass", failed, len(result.Changes), result.Against)
}

func checkReport(result checkResult) report.Report {
	r := report.Report{Name: "contracts check"}
	for _, rule := range policy.Rules() {
		r.Checks = append(r.Checks, string(rule.Kind))
	}
	for _, c := range result.Changes {
		r.Items = append(r.Items, report.Item{Check: string(c.Kind), Failed: c.Failed, File: c.File, Line: c.Line, Message: c.Text()})
	}
	return r
}

func writeCheck(w io.Writer, folder string, states against, result checkResult) error {
	if states.isNew() {
		_, err := fmt.Fprintf(w, "%s did not exist at %s: all %d events are new\n", render.Safe(folder), render.Safe(states.ref), len(states.now.Catalogue.Events()))
		return err
	}
	if err := printLines(w, result.Changes); err != nil {
		return err
	}
	count := map[policy.Verdict]int{}
	approved := 0
	for _, c := range result.Changes {
		count[c.Verdict]++
		if c.Approval != nil {
			approved++
		}
	}
	_, err := fmt.Fprintf(w, "%d changes since %s: %d compatible, %d risky, %d unknown, %d breaking; %d approved\n", len(result.Changes),
		render.Safe(states.ref), count[policy.Compatible], count[policy.Risky], count[policy.Unknown], count[policy.Breaking], approved)
	return err
}

func (a *app) explainPolicy(kind string) error {
	rules := []policy.Rule{}
	for _, r := range policy.Rules() {
		if kind == "all" || string(r.Kind) == kind {
			rules = append(rules, r)
		}
	}
	if len(rules) == 0 {
		return &failure{code: exitUsage, err: fmt.Errorf("--explain: there is no kind of change %q", kind), next: "contracts check --explain all"}
	}
	return a.print(rules, func(w io.Writer) error {
		t := render.NewTable("CHANGE", "PUBLIC, INTEGRATION", "PRIVATE", "OPERATIONAL", "WHY")
		for _, r := range rules {
			t.Row(string(r.Kind), verdicts(r.Public, r.PublicUnread), verdicts(r.Private, r.PrivateUnread), verdicts(r.Operational, r.OperationalUnread), r.Why)
		}
		if err := table(w, t, ""); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w, "\nWhere two verdicts stand, the second is for a change that hurts no declared consumer.")
		return err
	})
}

func verdicts(hurt, unhurt policy.Verdict) string {
	if hurt == unhurt {
		return string(hurt)
	}
	return fmt.Sprintf("%s/%s", hurt, unhurt)
}
