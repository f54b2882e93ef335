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
	var changed, all bool
	var with againstFlags
	var flags *reportFlags
	cmd := &cobra.Command{
		Use:   "review [TOPIC|EVENT]",
		Short: "Answer the fourteen questions of a design review, with evidence; 3 when one is answered no",
		Long: `Answer the fourteen questions of a design review for one topic or event, or with
--changed for every one that a change since a commit touches.

One topic or event is printed with every answer and its evidence. With --changed
only the counts are, and what stands against a yes; --all prints the rest too.
The other formats hold every answer.`,
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
				return a.reviewChanged(cmd.Context(), flags, with, all)
			}
			return a.reviewOne(flags, args[0])
		},
	}
	cmd.Flags().BoolVar(&changed, "changed", false, "review everything that changed since --against")
	cmd.Flags().BoolVar(&all, "all", false, "with --changed, print every answer with its evidence")
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
		return a.printReviews(flags, []review.Review{reviewer.Topic(t)}, writeReviews)
	}
	if e, ok := newest(catalogue, subject); ok {
		return a.printReviews(flags, []review.Review{reviewer.Event(e)}, writeReviews)
	}
	return failed(fmt.Errorf("contracts: review %q: no topic and no event has this name", subject), "contracts list")
}

func (a *app) reviewChanged(ctx context.Context, flags *reportFlags, with againstFlags, all bool) error {
	states, err := openAgainst(ctx, *flags.folder, with)
	if err != nil {
		return err
	}
	changes, err := review.Changed(states.old.FS, states.now.FS, states.now.Catalogue)
	if err != nil {
		return err
	}
	return a.printReviews(flags, reviewAll(states.now.Catalogue, changes), func(w io.Writer, reviews []review.Review) error {
		switch {
		case len(reviews) == 0:
			_, err := fmt.Fprintln(w, render.Safe("nothing that a review asks about changed since "+with.ref))
			return err
		case all:
			return writeReviews(w, reviews)
		}
		return writeBriefly(w, reviews)
	})
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

func (a *app) printReviews(flags *reportFlags, reviews []review.Review, text func(io.Writer, []review.Review) error) error {
	err := flags.write(a, reviewReport(reviews), reviews, func(w io.Writer) error { return text(w, reviews) })
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
	return foundf("contracts lint --explain all", "contracts: %d of %s with a question answered no", no, render.Count(len(reviews), "review"))
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

func writeReviews(w io.Writer, reviews []review.Review) error {
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

// writeBriefly writes the verdicts, and of the answers what stands against a yes.
func writeBriefly(w io.Writer, reviews []review.Review) error {
	verdicts := map[review.Verdict]int{}
	for _, r := range reviews {
		verdicts[r.Verdict]++
		answers := map[review.Verdict]int{}
		for _, answer := range r.Answers {
			answers[answer.Verdict]++
		}
		_, _ = fmt.Fprintf(w, "%s: %s (%s)\n", reviewed(r), r.Verdict, answered(answers))
		for _, answer := range r.Answers {
			if answer.Verdict != review.Yes {
				writeAnswer(w, answer)
				writeProblems(w, answer)
			}
		}
	}
	_, err := fmt.Fprintf(w, "%s: %s; --all prints every answer with its evidence\n", render.Count(len(reviews), "review"), answered(verdicts))
	return err
}

func answered(verdicts map[review.Verdict]int) string {
	return fmt.Sprintf("%d yes, %d waived, %d no", verdicts[review.Yes], verdicts[review.Waived], verdicts[review.No])
}

func reviewed(r review.Review) string {
	if r.Version > 0 {
		return fmt.Sprintf("%s %s v%d", r.Kind, render.Safe(r.Subject), r.Version)
	}
	return r.Kind + " " + render.Safe(r.Subject)
}

func writeReview(w io.Writer, r review.Review) error {
	_, err := fmt.Fprintf(w, "%s: %s\n", reviewed(r), r.Verdict)
	for _, answer := range r.Answers {
		writeAnswer(w, answer)
		for _, evidence := range answer.Evidence {
			_, _ = fmt.Fprintf(w, "             %s\n", render.Safe(evidence))
		}
		writeProblems(w, answer)
	}
	return err
}

func writeAnswer(w io.Writer, answer review.Answer) {
	_, _ = fmt.Fprintf(w, "%3d. %-6s  %s\n", answer.Number, answer.Verdict, answer.Question)
}

func writeProblems(w io.Writer, answer review.Answer) {
	for _, p := range answer.Problems {
		at := p.File
		if p.Line > 0 {
			at = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		_, _ = fmt.Fprintf(w, "           ! %s\n", render.Safe(at+": "+p.Message+waivedSuffix(p)))
	}
}
