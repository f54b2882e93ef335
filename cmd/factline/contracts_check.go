package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/report"
	"factline.dev/contract"
	"factline.dev/contract/policy"
)

func newContractsCheck(a *app, folder *string) *cobra.Command {
	var explain string
	var with againstFlags
	var flags *reportFlags
	cmd := &cobra.Command{
		Use:   "check --against REF",
		Short: "Judge what changed since a commit; 3 when a consumer is hurt and nobody approved",
		Long: `Judge what changed in a contracts folder since a commit: payload and envelope
fields, enums, amounts and instants, keys, topics, owners, retention, classes,
record sizes, dead letters, how groups read.

Each version of an event is compared with itself at the commit, in both
directions. A version that is new is compared with every earlier one of its topic
that is in the folder or was at the commit, as the event's compatibility
promises: additive, both directions; backward, new readers and old events; none,
not at all. A version that was retained at the commit and is gone is a finding.
What no earlier state exists of is listed as new and was not compared.

Verdicts: new; compatible; risky, which fails on public and integration topics;
breaking, with a document that shows it and the consumers it hurts; unknown,
which fails like a break. A break passes when approvals.yaml holds its
fingerprint with owner, reason, expires and the consumers it hurts.
compatibility: none makes a break of the payload risky, on private and
operational topics alone.`,
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
	Against string `json:"against"`
	Commit  string `json:"commit"`
	// Compared is how much has an earlier state.
	Compared compared        `json:"compared"`
	Changes  []policy.Change `json:"changes"`
}

type compared struct {
	Topics int `json:"topics"`
	Events int `json:"events"`
}

// comparedIn counts the topics and the versions of events that both states have.
func comparedIn(old, now *contract.Catalogue) compared {
	var n compared
	if old == nil {
		return n
	}
	for _, t := range now.Topics() {
		if _, existed := old.Topic(t.Name); existed {
			n.Topics++
		}
	}
	for _, e := range now.Events() {
		if _, existed := old.Event(e.Type, e.Version); existed {
			n.Events++
		}
	}
	return n
}

func (a *app) checkContracts(ctx context.Context, flags *reportFlags, with againstFlags) error {
	if _, err := flags.chosen(a); err != nil {
		return err
	}
	states, err := openAgainst(ctx, *flags.folder, with)
	if err != nil {
		return err
	}
	result := checkResult{Against: with.ref, Commit: states.tree.Commit, Compared: comparedIn(states.old.Catalogue, states.now.Catalogue)}
	if result.Changes, err = policy.Check(ctx, states.old, states.now, time.Now()); err != nil {
		return err
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
	return foundf("contracts check --explain "+string(first.Kind), "contracts: %d of %s since %s must not pass", failed, render.Count(len(result.Changes), "change"), result.Against)
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
		_, err := fmt.Fprintf(w, "%s did not exist at %s: nothing was compared\n", render.Safe(folder), render.Safe(states.ref))
		if err != nil {
			return err
		}
	}
	if err := printLines(w, result.Changes); err != nil {
		return err
	}
	verdicts := map[policy.Verdict]int{}
	approved := 0
	for _, c := range result.Changes {
		verdicts[c.Verdict]++
		if c.Approval != nil {
			approved++
		}
	}
	ref := render.Safe(states.ref)
	_, err := fmt.Fprintf(w, "%s since %s: %d new, %d compatible, %d risky, %d unknown, %d breaking; %d approved\n"+
		"compared with %s: %s and %s of events; new versions with each earlier one in the folder or at %s\n",
		render.Count(len(result.Changes), "change"), ref, verdicts[policy.New], verdicts[policy.Compatible], verdicts[policy.Risky],
		verdicts[policy.Unknown], verdicts[policy.Breaking], approved,
		ref, render.Count(result.Compared.Topics, "topic"), render.Count(result.Compared.Events, "version"), ref)
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
