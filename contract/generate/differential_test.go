package generate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"factline.dev/contract"
	"factline.dev/contract/generate"
	"factline.dev/contract/internal/mutate"
	"factline.dev/platform/contracts"
)

func platform(t testing.TB) *contract.Catalogue {
	t.Helper()
	c, err := contract.Load(contracts.FS())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func allServices(c *contract.Catalogue) []generate.Config {
	var all []generate.Config
	for _, s := range c.Services() {
		all = append(all, generate.Config{Service: s.Name})
	}
	return all
}

// tally counts verdicts, so that a test that compares nothing fails.
type tally struct{ valid, invalid, beyond int }

// beyond are what a Go type cannot hold although the schema allows it.
func beyond(a answer) bool {
	return strings.Contains(a.Error, "is beyond what its type holds")
}

// judge holds what generated code says of an event to the validator's verdict.
// whole says that the code reads all of the event.
func (n *tally) judge(t *testing.T, c *contract.Catalogue, p *program, service string, e *contract.Event, value []byte) {
	t.Helper()
	a := p.ask(t, service, e, value)
	err := c.Validate(e.Type, e.Version, value)
	var broken *contract.ViolationError
	switch {
	case err == nil && beyond(a):
		n.beyond++
	case err == nil && a.Error != "":
		t.Errorf("%s refuses a valid %s: %s\n%s", service, e.Type, a.Error, value)
	case err == nil:
		n.valid++
		if e.OwnerService == service {
			n.writes(t, c, p, service, e, value, a.Payload)
		}
	case a.Error != "":
		n.invalid++
	case e.OwnerService == service:
		t.Errorf("%s accepts a broken %s: %v\n%s", service, e.Type, err, value)
	case errors.As(err, &broken) && broken.More == 0 && slices.ContainsFunc(broken.Violations, func(v contract.Violation) bool { return readBy(e, service, v.Path) }):
		t.Errorf("%s accepts a broken %s: %v\n%s", service, e.Type, err, value)
	}
}

// readBy reports whether a service declares that it reads the place of a violation.
func readBy(e *contract.Event, service, path string) bool {
	path, inPayload := strings.CutPrefix(path, "payload.")
	if !inPayload {
		return path != "value"
	}
	var plain strings.Builder
	for part := range strings.SplitSeq(path, "[") {
		_, rest, bracket := strings.Cut(part, "]")
		if !bracket {
			rest = part
		}
		plain.WriteString(rest)
	}
	for _, reader := range e.Consumers {
		for _, read := range reader.Reads {
			read = strings.ReplaceAll(read, "[]", "")
			if reader.Service == service && (read == "*" || read == plain.String() || strings.HasPrefix(plain.String(), read+".")) {
				return true
			}
		}
	}
	return false
}

// writes checks that what the code writes is valid and read as the same again.
func (n *tally) writes(t *testing.T, c *contract.Catalogue, p *program, service string, e *contract.Event, value, payload []byte) {
	t.Helper()
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(value, &whole); err != nil {
		t.Fatal(err)
	}
	whole["payload"] = payload
	again, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(e.Type, e.Version, again); err != nil {
		t.Errorf("%s writes a broken %s: %v\n%s", service, e.Type, err, again)
	}
	if a := p.ask(t, service, e, again); !bytes.Equal(a.Payload, payload) {
		t.Errorf("%s reads what it wrote as\n%s\n%s", service, a.Payload, payload)
	}
}

func TestGeneratedCodeJudgesAsTheValidatorDoes(t *testing.T) {
	t.Parallel()
	c := platform(t)
	p := start(t, c, allServices(c)...)
	random := rand.New(rand.NewPCG(20260702, 2))
	n := &tally{}
	for _, e := range c.Events() {
		for _, cfg := range allServices(c) {
			if !concerns(e, cfg) {
				continue
			}
			for _, x := range e.Examples {
				before := n.valid
				if n.judge(t, c, p, cfg.Service, e, x.Value); n.valid == before {
					t.Errorf("%s: %s is no valid example", cfg.Service, x.File)
				}
				for range 40 {
					n.judge(t, c, p, cfg.Service, e, mutate.Document(random, x.Value))
				}
			}
		}
	}
	t.Logf("%+v", *n)
	if n.valid < 1000 || n.invalid < 1000 {
		t.Errorf("%+v: too little was compared", *n)
	}
}
