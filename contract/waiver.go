package contract

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

const (
	waiversFile   = "waivers.yaml"
	approvalsFile = "approvals.yaml"
)

// Waiver is a reviewed decision to let one thing break one lint rule for a
// while, as waivers.yaml says it. Package lint judges it. Read only.
type Waiver struct {
	// Rule is the name of the lint rule.
	Rule string `json:"rule"`
	// Subject is the event, topic or service that may break it.
	Subject string `json:"subject"`
	// Path narrows the waiver to one place of the subject, such as
	// "retentionMs". Empty for all.
	Path string `json:"path,omitempty"`
	// Decision says who let it pass, why, and until when.
	Decision
}

// Approval is a reviewed decision to let one breaking change pass, as
// approvals.yaml says it. Package policy judges it. Read only.
type Approval struct {
	// Fingerprint is that of the change, 64 hexadecimal digits. It covers what
	// was and what is now, so that an approval never fits another change.
	Fingerprint string `json:"fingerprint"`
	// Change says in words what was approved, for the reader of the file.
	Change string `json:"change"`
	// Consumers are the groups that the change hurts and that agreed to it.
	Consumers []string `json:"consumers"`
	// Decision says who let it pass, why, and until when.
	Decision
}

// Decision is what every exception is accounted for by.
type Decision struct {
	// Owner answers for the exception.
	Owner string `json:"owner"`
	// Reason says why it is worth it.
	Reason string `json:"reason"`
	// Expires is the last day on which it holds, YYYY-MM-DD.
	Expires string `json:"expires"`

	position
}

// ExpiredOn reports whether the decision has ended before the day of t.
func (d *Decision) ExpiredOn(t time.Time) bool {
	return d.Expires < t.UTC().Format(time.DateOnly)
}

// File is the path of the record inside the folder.
func (d *Decision) File() string { return d.file }

// Line is the line of a key of the record, such as "expires".
func (d *Decision) Line(key string) int { return d.line(key) }

// Waivers returns the exceptions from lint rules in the order of their file.
func (c *Catalogue) Waivers() []*Waiver { return slices.Clone(c.waivers) }

// Approvals returns the approved breaking changes in the order of their file.
func (c *Catalogue) Approvals() []*Approval { return slices.Clone(c.approvals) }

func (l *loader) waivers() []*Waiver {
	var doc struct {
		Waivers []*Waiver `json:"waivers"`
	}
	pos := l.optional(waiversFile, &doc)
	doc.Waivers = slices.DeleteFunc(doc.Waivers, func(w *Waiver) bool { return w == nil })
	for i, w := range doc.Waivers {
		w.position = pos.below(fmt.Sprintf("waivers[%d]", i))
		l.required(w.position, "rule", w.Rule)
		l.required(w.position, "subject", w.Subject)
		l.checkDecision(&w.Decision)
	}
	return doc.Waivers
}

func (l *loader) approvals() []*Approval {
	var doc struct {
		Approvals []*Approval `json:"approvals"`
	}
	pos := l.optional(approvalsFile, &doc)
	doc.Approvals = slices.DeleteFunc(doc.Approvals, func(a *Approval) bool { return a == nil })
	for i, a := range doc.Approvals {
		a.position = pos.below(fmt.Sprintf("approvals[%d]", i))
		if _, err := hex.DecodeString(a.Fingerprint); err != nil || len(a.Fingerprint) != 64 || strings.ToLower(a.Fingerprint) != a.Fingerprint {
			l.problems.at(a.position, "fingerprint", "must be the 64 hexadecimal digits that the check printed")
		}
		l.required(a.position, "change", a.Change)
		l.checkDecision(&a.Decision)
	}
	return doc.Approvals
}

func (l *loader) checkDecision(d *Decision) {
	l.required(d.position, "owner", d.Owner)
	l.required(d.position, "reason", d.Reason)
	if _, err := time.Parse(time.DateOnly, d.Expires); err != nil {
		l.problems.at(d.position, "expires", "must be a date, YYYY-MM-DD")
	}
}

// optional reads a file that a folder need not have.
func (l *loader) optional(file string, into any) position {
	if _, err := fs.Stat(l.fsys, file); errors.Is(err, fs.ErrNotExist) {
		return position{}
	}
	text, ok := l.read(file)
	if !ok {
		return position{}
	}
	return readYAML(file, text, into, l.problems)
}
