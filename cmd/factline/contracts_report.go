package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/report"
)

// reportFlags are the flags of the commands that judge contracts.
type reportFlags struct {
	folder *string
	format string
}

func addReportFlags(cmd *cobra.Command, folder *string) *reportFlags {
	f := &reportFlags{folder: folder}
	cmd.Flags().StringVar(&f.format, "format", string(report.Text), "how to print: "+strings.Join(report.Formats(), ", "))
	return f
}

// chosen is the format asked for. The flag --json wins where no other is.
func (f *reportFlags) chosen(a *app) (report.Format, error) {
	switch format := report.Format(f.format); format {
	case report.Text:
		if a.json {
			return report.JSON, nil
		}
		return format, nil
	case report.JSON:
		return format, nil
	case report.JUnit, report.Annotations:
		if a.json {
			return "", usagef("--format: %s and --json exclude each other; leave one out", format)
		}
		return format, nil
	}
	return "", usagef("--format: %q is none of %s", f.format, strings.Join(report.Formats(), ", "))
}

// write prints what a command found: value as JSON, text as text, r otherwise.
func (f *reportFlags) write(a *app, r report.Report, value any, text func(io.Writer) error) error {
	format, err := f.chosen(a)
	if err != nil {
		return err
	}
	switch format {
	case report.Text:
		return text(a.out)
	case report.JSON:
		return render.JSON(a.out, value)
	case report.JUnit, report.Annotations:
	}
	r.Folder = *f.folder
	return r.Write(a.out, format)
}

func printLines[T fmt.Stringer](w io.Writer, lines []T) error {
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, render.SafeLines(line.String())); err != nil {
			return err
		}
	}
	return nil
}
