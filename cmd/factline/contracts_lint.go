package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/contract/lint"
)

func newContractsLint(a *app, folder *string) *cobra.Command {
	var explain string
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Check the contracts against the rules; 3 when one is broken",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if explain != "" {
				return a.explainRule(explain)
			}
			return a.lintContracts(*folder)
		},
	}
	cmd.Flags().StringVar(&explain, "explain", "", "explain one RULE, or all with \"all\", and check nothing")
	return cmd
}

func (a *app) lintContracts(folder string) error {
	catalogue, err := loadContracts(folder)
	if err != nil {
		return err
	}
	found := lint.Check(catalogue)
	err = a.print(found, func(w io.Writer) error {
		if len(found) == 0 {
			_, err := fmt.Fprintf(w, "%d rules hold for %d events on %d topics\n",
				len(lint.Rules()), len(catalogue.Events()), len(catalogue.Topics()))
			return err
		}
		for _, f := range found {
			if _, err := fmt.Fprintln(w, render.Safe(f.String())); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		return err
	}
	return foundf("contracts lint --explain "+found[0].Rule, "contracts: %d findings", len(found))
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
			_, err := fmt.Fprintf(w, "%s: %s\n  why:  %s\n  good: %s\n  bad:  %s\n", r.Name, r.Title, r.Why, r.Good, r.Bad)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
