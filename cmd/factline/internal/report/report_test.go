package report_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"factline.dev/cmd/factline/internal/report"
)

func hostile() report.Report {
	return report.Report{
		Name: "contracts lint", Folder: "api/contracts", Checks: []string{"retention", "secrets", "owner"},
		Items: []report.Item{
			{Check: "retention", Failed: true, File: "events/a,b:c/topic.yaml", Line: 7, Message: "100 % <wrong> & \"odd\"\n::error::forged\x1b[2J"},
			{Check: "retention", Failed: true, Message: "second"},
			{Check: "secrets", File: "x.json", Message: "a note"},
		},
	}
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := hostile().Write(&b, report.JUnit); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Cases    []struct {
				Name    string `xml:"name,attr"`
				Failure string `xml:"failure"`
				Out     string `xml:"system-out"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(b.String()), &doc); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	s := doc.Suite
	if s.Tests != 3 || s.Failures != 1 || len(s.Cases) != 3 {
		t.Fatalf("it counts %d tests and %d failures", s.Tests, s.Failures)
	}
	want := "events/a,b:c/topic.yaml:7: 100 % <wrong> & \"odd\"\\n::error::forged\\x1b[2J\nsecond"
	if s.Cases[0].Failure != want || s.Cases[1].Failure != "" || s.Cases[1].Out != "x.json: a note" || s.Cases[2].Name != "owner" {
		t.Errorf("got %q", s.Cases)
	}
}

func TestAnnotations(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := hostile().Write(&b, report.Annotations); err != nil {
		t.Fatal(err)
	}
	want := `::error file=api/contracts/events/a%2Cb%3Ac/topic.yaml,line=7,title=contracts lint%3A retention::100 %25 <wrong> & "odd"%0A::error::forged\x1b[2J
::error title=contracts lint%3A retention::second
::notice file=api/contracts/x.json,line=1,title=contracts lint%3A secrets::a note
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestTextIsNotItsBusiness(t *testing.T) {
	t.Parallel()
	if err := hostile().Write(&strings.Builder{}, report.Text); err == nil {
		t.Error("it wrote nothing and said nothing")
	}
}
