package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"factline.dev/contract"
	"factline.dev/contract/compat"
)

// Change is one difference between two states of a catalogue.
type Change struct {
	Kind    Kind    `json:"kind"`
	Verdict Verdict `json:"verdict"`
	// Failed says that the change must not pass: see the package comment.
	Failed bool `json:"failed"`
	// Subject is the event with its version, the topic, or the consumer group.
	Subject string `json:"subject"`
	// Topic carries it, and Visibility is the topic's.
	Topic      string `json:"topic"`
	Visibility string `json:"visibility"`
	// File and Line are where the change stands in the new folder, or stood in
	// the old one where it is gone.
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	// Path is the payload field or the key of the record.
	Path string `json:"path,omitempty"`
	// Old and New are what was and what is, empty for nothing.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Message says what changed, why it matters and what to do.
	Message string `json:"message"`
	// Directions say in plain words who does not understand whom, empty where the
	// change is not one of validation.
	Directions []string `json:"directions,omitempty"`
	// Witness is an event or payload that one side writes and the other refuses.
	Witness json.RawMessage `json:"witness,omitempty"`
	// Hurt are the declared consumer groups that depend on what changed.
	Hurt []string `json:"hurt"`
	// Fingerprint identifies the change for an approval.
	Fingerprint string `json:"fingerprint"`
	// Approval is the decision that lets the change pass, nil for none.
	Approval *contract.Approval `json:"approval,omitempty"`

	renamedTo string
	promise   string // of compatibility, for a change of the payload
}

// String is the change on a few lines, with its place.
func (c Change) String() string {
	at := c.File
	if c.Line > 0 {
		at = fmt.Sprintf("%s:%d", c.File, c.Line)
	}
	return fmt.Sprintf("%s: %s", at, c.Text())
}

// Text is the change without its place: a sentence, and below it who is hurt, a
// document that shows it, and the fingerprint.
func (c Change) Text() string {
	var b strings.Builder
	line := fmt.Sprintf("%s: %s", c.Subject, c.Verdict)
	if c.Path != "" {
		line += ": " + c.Path
	}
	line += fmt.Sprintf(": %s (%s)", c.Message, c.Kind)
	b.WriteString(strings.ReplaceAll(line, "\n", `\n`)) // the name of a field must not begin a line
	if len(c.Hurt) > 0 {
		fmt.Fprintf(&b, "\n  hurt:        %s", strings.Join(c.Hurt, ", "))
	}
	if len(c.Directions) > 0 {
		fmt.Fprintf(&b, "\n  fails for:   %s", strings.Join(c.Directions, "; "))
	}
	if c.Witness != nil {
		fmt.Fprintf(&b, "\n  shown by:    %s", c.Witness)
	}
	switch {
	case c.Approval != nil:
		fmt.Fprintf(&b, "\n  approved by: %s until %s: %s", c.Approval.Owner, c.Approval.Expires, c.Approval.Reason)
	case c.Failed:
		fmt.Fprintf(&b, "\n  fingerprint: %s", c.Fingerprint)
	}
	return b.String()
}

// fingerprint covers what was and what is. Who is hurt is not in it: an
// approval names those, and one more makes it insufficient instead of unknown.
func (c Change) fingerprint() string {
	text, _ := json.Marshal([]string{string(c.Kind), c.Subject, c.Topic, c.Path, c.Old, c.New}) // strings always encode
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func (c Change) compare(other Change) int {
	return cmp.Or(cmp.Compare(c.Topic, other.Topic), cmp.Compare(c.Subject, other.Subject), cmp.Compare(c.Path, other.Path),
		cmp.Compare(c.Kind, other.Kind), cmp.Compare(c.Fingerprint, other.Fingerprint))
}

// settle judges a change, looks for its approval, and says whether it passes.
func (c *Change) settle(t *contract.Topic, approvals []*contract.Approval, today time.Time) {
	strictness := strictnessOf(t)
	c.Topic, c.Visibility = t.Name, t.Visibility
	slices.Sort(c.Hurt)
	c.Hurt = slices.Compact(c.Hurt)
	if c.Hurt == nil {
		c.Hurt = []string{}
	}
	verdict, why := judge(c.Kind, strictness, len(c.Hurt) > 0)
	verdict, why = c.promised(verdict, why, strictness)
	c.Verdict, c.Fingerprint = verdict, c.fingerprint()
	switch verdict {
	case Compatible:
		c.Hurt = []string{}
	case New, Risky, Unknown, Breaking:
		c.Message += "; " + why
	}
	c.Failed = verdict == Breaking || verdict == Unknown || verdict == Risky && strictness == strict
	if c.Failed {
		c.approve(approvals, today)
	}
}

// promised softens a verdict on a payload that promises less: one that promises
// nothing, where others cannot rely on it, and one that promises only that new
// readers understand old events.
func (c *Change) promised(verdict Verdict, why string, s strictness) (Verdict, string) {
	if verdict != Breaking && verdict != Unknown {
		return verdict, why
	}
	forward := len(c.Directions) == 1 && c.Directions[0] == compat.Forward.String()
	switch {
	case c.promise == "none" && s != strict:
		return Risky, why + "; its contract promises no compatibility (none)"
	case c.promise == "backward" && verdict == Breaking && forward && (c.Kind == SchemaBroken || c.Kind == MadeOptional):
		return Risky, why + "; its contract promises only that new readers understand old events (backward): deploy the readers first"
	}
	return verdict, why
}

func (c *Change) approve(approvals []*contract.Approval, today time.Time) {
	for _, a := range approvals {
		if a.Fingerprint != c.Fingerprint {
			continue
		}
		unasked := slices.DeleteFunc(slices.Clone(c.Hurt), func(group string) bool { return slices.Contains(a.Consumers, group) })
		switch {
		case a.ExpiredOn(today):
			c.Message += fmt.Sprintf("; its approval by %s ended on %s", a.Owner, a.Expires)
		case len(unasked) > 0:
			c.Message += fmt.Sprintf("; its approval by %s does not name %s", a.Owner, strings.Join(unasked, ", "))
		default:
			c.Failed, c.Approval = false, a
			return
		}
	}
}
