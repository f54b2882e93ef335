// Package report writes what checks found for the programs that run them in
// continuous integration: JUnit XML, which most of them collect, and workflow
// annotations, which stand beside the line of a change.
//
// People and scripts read text and JSON instead; the commands print those
// themselves. Nothing that a contract holds can end a line, a tag or an
// annotation early.
package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"factline.dev/cmd/factline/internal/render"
)

// Format is how findings are written.
type Format string

// The formats.
const (
	Text        Format = "text"
	JSON        Format = "json"
	JUnit       Format = "junit"
	Annotations Format = "annotations"
)

// Formats are all of them, for a help text.
func Formats() []string {
	return []string{string(Text), string(JSON), string(JUnit), string(Annotations)}
}

// Item is one thing that a check found.
type Item struct {
	// Check is the name of the check, one of [Report.Checks].
	Check string
	// Failed says that the item makes the run fail; otherwise it is a note.
	Failed bool
	// File is the path inside the contracts folder, empty for none, and Line
	// the line in it, 0 for the whole.
	File string
	Line int
	// Message says what is wrong with what.
	Message string
}

// Report is the outcome of one run.
type Report struct {
	// Name is that of the command, such as "contracts lint".
	Name string
	// Folder is the contracts folder as the caller named it; files of
	// annotations are relative to where the caller stands.
	Folder string
	// Checks are the names of everything that was checked.
	Checks []string
	Items  []Item
}

// Write writes the report. It knows [JUnit] and [Annotations].
func (r Report) Write(w io.Writer, f Format) error {
	switch f {
	case JUnit:
		return r.junit(w)
	case Annotations:
		return r.annotations(w)
	case Text, JSON:
	}
	return fmt.Errorf("report: write %s: it is written by the command itself", f)
}

type suites struct {
	XMLName xml.Name `xml:"testsuites"`
	Suite   suite    `xml:"testsuite"`
}

type suite struct {
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Cases    []testCase `xml:"testcase"`
}

type testCase struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Failure *failure `xml:"failure"`
	Out     string   `xml:"system-out,omitempty"`
}

type failure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// junit has a test case for each check, so that what holds is counted too.
func (r Report) junit(w io.Writer) error {
	s := suite{Name: r.Name, Tests: len(r.Checks)}
	for _, check := range r.Checks {
		c := testCase{Class: strings.ReplaceAll(r.Name, " ", "."), Name: check}
		failed, notes := r.lines(check, true), r.lines(check, false)
		if len(failed) > 0 {
			s.Failures++
			c.Failure = &failure{Message: fmt.Sprintf("%d found", len(failed)), Text: strings.Join(failed, "\n")}
		}
		c.Out = strings.Join(notes, "\n")
		s.Cases = append(s.Cases, c)
	}
	text, err := xml.MarshalIndent(suites{Suite: s}, "", "  ")
	if err != nil {
		return fmt.Errorf("report: write %s as JUnit: %w", r.Name, err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

func (r Report) lines(check string, failed bool) []string {
	var lines []string
	for _, i := range r.Items {
		if i.Check == check && i.Failed == failed {
			lines = append(lines, render.Safe(i.place()+i.Message))
		}
	}
	return lines
}

func (i Item) place() string {
	switch {
	case i.File == "":
		return ""
	case i.Line == 0:
		return i.File + ": "
	}
	return fmt.Sprintf("%s:%d: ", i.File, i.Line)
}

// annotations writes the workflow commands of GitHub Actions, which several
// other systems read too.
func (r Report) annotations(w io.Writer) error {
	for _, i := range r.Items {
		kind := "notice"
		if i.Failed {
			kind = "error"
		}
		properties := []string{"title=" + property(r.Name+": "+i.Check)}
		if i.File != "" {
			properties = slices.Insert(properties, 0, "file="+property(path.Join(r.Folder, i.File)), fmt.Sprintf("line=%d", max(1, i.Line)))
		}
		if _, err := fmt.Fprintf(w, "::%s %s::%s\n", kind, strings.Join(properties, ","), data(i.Message)); err != nil {
			return err
		}
	}
	return nil
}

func data(text string) string {
	return render.Safe(strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text))
}

func property(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(data(text))
}
