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
	"factline.dev/contract/review"
)

func newContractsReview(a *app, folder *string) *cobra.Command {
	var changed bool
	var with againstFlags
	var flags *reportFlags
	cmd := &cobra.Command{
		Use:   "review [TOPIC|EVENT]",
		Short: "Answer the fourteen questions of a design review, with evidence; 3 when one is answered no",
		Long: `Answer the fourteen questions of a design review for one topic or event, or with
--changed for every one that a change since a commit touches.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if changed {
				return noArgs(cmd, args)
			}
			return exactly("a topic or an event type, or --changed")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := flags.chosen(a); err != nil {
				return err
			}
			if changed {
				return a.reviewChanged(cmd.Context(), flags, with)
			}
			return a.reviewOne(flags, args[0])
		},
	}
	cmd.Flags().BoolVar(&changed, "changed", false, "review everything that changed since --against")
	with.add(cmd)
	flags = addReportFlags(cmd, folder)
	return cmd
}

func (a *app) reviewOne(flags *reportFlags, subject string) error {
	catalogue, err := loadContracts(*flags.folder)
	if err != nil {
		return err
	}
	reviewer := review.New(catalogue, time.Now())
	if t, ok := catalogue.Topic(subject); ok {
		return a.printReviews(flags, "", []review.Review{reviewer.Topic(t)})
	}
	if e, ok := newest(catalogue, subject); ok {
		return a.printReviews(flags, "", []review.Review{reviewer.Event(e)})
	}
	return failed(fmt.Errorf("contracts: review %q: no topic and no event has this name", subject), "contracts list")
}

func (a *app) reviewChanged(ctx context.Context, flags *reportFlags, with againstFlags) error {
	states, err := openAgainst(ctx, *flags.folder, with)
	if err != nil {
		return err
	}
	changes, err := review.Changed(states.old.FS, states.now.FS, states.now.Catalogue)
	if err != nil {
		return err
	}
	return a.printReviews(flags, "nothing that a review asks about changed since "+with.ref, reviewAll(states.now.Catalogue, changes))
}

func reviewAll(catalogue *contract.Catalogue, changes review.Changes) []review.Review {
	reviewer := review.New(catalogue, time.Now())
	reviews := []review.Review{}
	for _, t := range changes.Topics {
		reviews = append(reviews, reviewer.Topic(t))
	}
	for _, e := range changes.Events {
		reviews = append(reviews, reviewer.Event(e))
	}
	return reviews
}

func (a *app) printReviews(flags *reportFlags, none string, reviews []review.Review) error {
	err := flags.write(a, reviewReport(reviews), reviews, func(w io.Writer) error { return writeReviews(w, none, reviews) })
	if err != nil {
		return err
	}
	no := 0
	for _, r := range reviews {
		if r.Verdict == review.No {
			no++
		}
	}
	if no == 0 {
		return nil
	}
	return foundf("contracts lint --explain all", "contracts: %d of %d reviews have a question answered no", no, len(reviews))
}

func reviewReport(reviews []review.Review) report.Report {
	r := report.Report{Name: "contracts review"}
	for _, one := range reviews {
		for _, answer := range one.Answers {
			check := fmt.Sprintf("%s %s: %d %s", one.Kind, one.Subject, answer.Number, answer.Question)
			r.Checks = append(r.Checks, check)
			for _, p := range answer.Problems {
				r.Items = append(r.Items, report.Item{Check: check, Failed: p.Waived == "", File: p.File, Line: p.Line, Message: p.Message + waivedSuffix(p)})
			}
		}
	}
	return r
}

func waivedSuffix(p review.Problem) string {
	if p.Waived == "" {
		return ""
	}
	return " [waived " + p.Waived + "]"
}

func writeReviews(w io.Writer, none string, reviews []review.Review) error {
	if len(reviews) == 0 {
		_, err := fmt.Fprintln(w, render.Safe(none))
		return err
	}
	for i, r := range reviews {
		if i > 0 {
			_, _ = fmt.Fprintln(w)
		}
		if err := writeReview(w, r); err != nil {
			return err
		}
	}
	return nil
}

func writeReview(w io.Writer, r review.Review) error {
	version := ""
	if r.Version > 0 {
		version = fmt.Sprintf(" v%d", r.Version)
	}
	if _, err := fmt.Fprintf(w, "%s %s%s: %s\n", r.Kind, render.Safe(r.Subject), version, r.Verdict); err != nil {
		return err
	}
	for _, answer := range r.Answers {
		_, _ = fmt.Fprintf(w, "%3d. %-6s  %s\n", answer.Number, answer.Verdict, answer.Question)
		for _, evidence := range answer.Evidence {
			_, _ = fmt.Fprintf(w, "             %s\n", render.Safe(evidence))
		}
		for _, p := range answer.Problems {
			at := p.File
			if p.Line > 0 {
				at = fmt.Sprintf("%s:%d", p.File, p.Line)
			}
			if _, err := fmt.Fprintf(w, "           ! %s\n", render.Safe(at+": "+p.Message+waivedSuffix(p))); err != nil {
				return err
			}
		}
	}
	return nil
}
