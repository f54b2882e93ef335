package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"factline.dev/contract/policy"
)

// places are fields that stand deeper than in objects: values of maps, elements of
// lists, what stands at one place of a list, branches of a choice.
const places = `"prices": {"type": "object", "additionalProperties": {"type": "object", "required": ["amount"], "properties": {
          "amount": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"},
          "basis": {"type": "string", "enum": ["NET", "GROSS"], "description": "What it is a price of."}}}},
        "labels": {"type": "object", "patternProperties": {"^x\\.": {"type": "string", "enum": ["A"]}}},
        "window": {"type": "array", "prefixItems": [{"type": "string", "format": "date-time", "description": "Opens."}, {"type": "integer"}]},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["NEW", "OLD"]}},
        "payment": {"type": "object", "oneOf": [
          {"required": ["kind", "amount"], "properties": {"kind": {"const": "CARD"}, "amount": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"}, "at": {"type": "string", "format": "date-time", "description": "When it was charged."}}},
          {"required": ["kind", "iban"], "properties": {"kind": {"const": "DEBIT"}, "iban": {"type": "string"}, "state": {"type": "string", "enum": ["SENT"], "description": "Where it is."}}}]},
        "note":`

func deep(t testing.TB) fstest.MapFS {
	files := base(t)
	replace(t, files, schema, `"note":`, places)
	replace(t, files, record, "reads: [basketId,", `reads: ["prices.*.amount", payment, window, tags, labels, basketId,`)
	return files
}

func TestPlantedChangesInsideMapsListsAndChoices(t *testing.T) {
	t.Parallel()
	mail := []string{group}
	var said strings.Builder
	for _, p := range []planted{
		{name: "an amount in a map gets more digits", edits: in(`"amount": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"},`, `"amount": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{2,4}$"},`), kind: policy.NumberPrecision, path: "prices.*.amount", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an enum in a map gets a value", edits: in(`"NET", "GROSS"`, `"NET", "GROSS", "LIST"`), kind: policy.EnumValueAdded, path: "prices.*.basis", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "an enum in a map gets other words, unread", edits: in("What it is a price of.", "Who set it."), kind: policy.EnumMeaning, path: "prices.*.basis", verdict: policy.Unknown, failed: true},
		{name: "a required field of a map's values goes", edits: []edit{{schema, `"required": ["amount"], `, ""}, {schema, `"amount": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"},`, ""}}, kind: policy.RequiredRemoved, path: "prices.*.amount", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an enum below a pattern gets a value", edits: in(`"enum": ["A"]`, `"enum": ["A", "B"]`), kind: policy.EnumValueAdded, path: `labels./^x\./`, verdict: policy.Risky, failed: true, hurt: mail},
		{name: "an instant at a place of a list gets other words", edits: in("Opens.", "Closes."), kind: policy.TimeMeaning, path: "window[0]", verdict: policy.Unknown, failed: true, hurt: mail},
		{name: "a number at a place of a list", edits: in(`{"type": "integer"}]`, `{"type": "number"}]`), kind: policy.NumberPrecision, path: "window[1]", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an enum of elements gets a value", edits: in(`"NEW", "OLD"`, `"NEW", "OLD", "USED"`), kind: policy.EnumValueAdded, path: "tags[]", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "an amount in a branch gets more digits", edits: in(`"amount": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"}, "at"`, `"amount": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{3}$"}, "at"`), kind: policy.NumberPrecision, path: "payment.amount", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an instant in a branch gets other words", edits: in("When it was charged.", "When it was asked for."), kind: policy.TimeMeaning, path: "payment.at", verdict: policy.Unknown, failed: true, hurt: mail},
		{name: "an enum in a branch gets a value", edits: in(`["SENT"]`, `["SENT", "LOST"]`), kind: policy.EnumValueAdded, path: "payment.state", verdict: policy.Risky, failed: true, hurt: mail},
		{name: "an optional field of a branch goes", edits: in(`"iban": {"type": "string"}, `, ""), kind: policy.OptionalRemoved, path: "payment.iban", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "a field of a branch becomes optional", edits: in(`["kind", "amount"]`, `["kind"]`), kind: policy.MadeOptional, path: "payment.amount", verdict: policy.Breaking, failed: true, hurt: mail},
		{name: "an instant of the envelope gets other words", edits: []edit{{"envelope.schema.json", `"occurredAt": {`, `"occurredAt": {"description": "When it was noticed.",`}}, kind: policy.TimeMeaning, path: "envelope.occurredAt", verdict: policy.Unknown, failed: true, hurt: mail},
	} {
		changes := check(t, deep(t), p.plant(t, deep(t)), today())
		c := find(changes, p.kind, p.path)
		if c.Verdict != p.verdict || c.Failed != p.failed || !slices.Equal(c.Hurt, p.hurt) && len(c.Hurt)+len(p.hurt) > 0 {
			t.Errorf("%s: %s, failed %t, hurts %v among %v", p.name, c.Verdict, c.Failed, c.Hurt, changes)
		}
		fmt.Fprintf(&said, "# %s\n", p.name)
		for _, c := range changes {
			fmt.Fprintln(&said, c)
		}
	}
	golden(t, "places.golden", said.String())
}

// Which branch stands first says nothing, and neither do names that are given to
// schemas.
func TestBranchesMayChangePlaces(t *testing.T) {
	t.Parallel()
	now := deep(t)
	text := string(now[schema].Data)
	head, rest, _ := strings.Cut(text, `"oneOf": [`)
	first, rest, _ := strings.Cut(rest, "},\n          {\"required\": [\"kind\", \"iban\"]")
	second, tail, _ := strings.Cut(rest, "]},\n        \"note\"")
	now[schema] = &fstest.MapFile{Data: []byte(head + `"oneOf": [{"required": ["kind", "iban"]` + second + "," + first + "}]},\n        \"note\"" + tail)}
	if changes := check(t, deep(t), now, today()); len(changes) != 0 {
		t.Errorf("got %v", changes)
	}
}
