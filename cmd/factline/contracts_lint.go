package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/report"
	"factline.dev/contract"
	"factline.dev/contract/lint"
)

func newContractsLint(a *app, folder *string) *cobra.Command {
	var explain string
	var flags *reportFlags
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Check the contracts against the rules; 3 when one is broken",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if explain != "" {
				return a.explainRule(explain)
			}
			return a.lintContracts(flags)
		},
	}
	cmd.Flags().StringVar(&explain, "explain", "", "explain one RULE, or all with \"all\", and check nothing")
	flags = addReportFlags(cmd, folder)
	return cmd
}

func (a *app) lintContracts(flags *reportFlags) error {
	if _, err := flags.chosen(a); err != nil {
		return err
	}
	catalogue, err := loadContracts(*flags.folder)
	if err != nil {
		return err
	}
	result := lint.Check(catalogue, time.Now())
	err = flags.write(a, lintReport(result), result, func(w io.Writer) error { return writeLint(w, catalogue, result) })
	if err != nil || len(result.Findings) == 0 {
		return err
	}
	return foundf("contracts lint --explain "+result.Findings[0].Rule, "contracts: %s", render.Count(len(result.Findings), "finding"))
}

func lintReport(result lint.Result) report.Report {
	r := report.Report{Name: "contracts lint"}
	for _, rule := range lint.Rules() {
		r.Checks = append(r.Checks, rule.Name)
	}
	for _, f := range result.Findings {
		r.Items = append(r.Items, report.Item{Check: f.Rule, Failed: true, File: f.File, Line: f.Line, Message: f.Text()})
	}
	for _, f := range result.Waived {
		r.Items = append(r.Items, report.Item{Check: f.Rule, File: f.File, Line: f.Line, Message: f.Text() + waivedBy(f)})
	}
	return r
}

func waivedBy(f lint.Waived) string {
	return fmt.Sprintf(" [waived by %s until %s: %s]", f.Waiver.Owner, f.Waiver.Expires, f.Waiver.Reason)
}

func writeLint(w io.Writer, catalogue *contract.Catalogue, result lint.Result) error {
	for _, f := range result.Waived {
		if _, err := fmt.Fprintln(w, render.Safe(f.String()+waivedBy(f))); err != nil {
			return err
		}
	}
	if len(result.Findings) > 0 {
		return printLines(w, result.Findings)
	}
	_, err := fmt.Fprintf(w, "%d rules hold for %s on %s%s\n", len(lint.Rules()), render.Count(len(catalogue.Events()), "event"),
		render.Count(len(catalogue.Topics()), "topic"), word(len(result.Waived) > 0, fmt.Sprintf(", %d waived", len(result.Waived))))
	return err
}

func (a *app) explainRule(name string) error {
	rules := lint.Rules()
	if name != "all" {
		rules = nil
		for _, r := range lint.Rules() {
			if r.Name == name {
				rules = append(rules, r)
			}
		}
	}
	if len(rules) == 0 {
		return &failure{code: exitUsage, err: fmt.Errorf("--explain: there is no rule %q", name), next: "contracts lint --explain all"}
	}
	return a.print(rules, func(w io.Writer) error {
		for _, r := range rules {
			_, err := fmt.Fprintf(w, "%s: %s\n  why:   %s\n  good:  %s\n  bad:   %s\n  waive: %s\n", r.Name, r.Title, r.Why, r.Good, r.Bad, howToWaive(r))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func howToWaive(r lint.Rule) string {
	if r.Name == lint.WaiverRule {
		return "not at all"
	}
	return fmt.Sprintf("in waivers.yaml {rule: %s, subject: NAME, owner: NAME, reason: TEXT, expires: YYYY-MM-DD}", r.Name)
}
