package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"factline.dev/contract/policy"
)

// with is the shop with edits.
func with(t *testing.T, files fstest.MapFS, edits ...edit) fstest.MapFS {
	t.Helper()
	return planted{edits: edits}.plant(t, maps.Clone(files))
}

func find(changes []policy.Change, kind policy.Kind, path string) policy.Change {
	i := slices.IndexFunc(changes, func(c policy.Change) bool { return c.Kind == kind && c.Path == path })
	if i < 0 {
		return policy.Change{}
	}
	return changes[i]
}

func TestAReadCoversWhatHoldsItAndWhatItHolds(t *testing.T) {
	t.Parallel()
	city := in(`, "city": {"type": "string"}`, "")
	for _, tt := range []struct {
		reads string
		hurt  bool
	}{
		{"\"*\"", true},
		{"terminal", true},
		{"terminal.city", true},
		{"terminal.till", false},
		{"basketId", false},
	} {
		declared := edit{record, "reads: [basketId, total, state, paidAt, voucherCode, terminal.till]", "reads: [" + tt.reads + "]"}
		c := find(check(t, with(t, base(t), declared), with(t, with(t, base(t), declared), city...), today()), policy.OptionalRemoved, "terminal.city")
		if c.Failed != tt.hurt || (len(c.Hurt) == 1) != tt.hurt {
			t.Errorf("who reads %s: %+v", tt.reads, c)
		}
		c = find(check(t, base(t), with(t, with(t, base(t), declared), city...), today()), policy.OptionalRemoved, "terminal.city")
		if c.Failed != tt.hurt {
			t.Errorf("who begins to read %s in the same change: %+v", tt.reads, c)
		}
	}
}

// Renaming a required field that nobody reads passed on a private topic, where
// taking it away did not: its readers refuse the event all the same.
func TestARenamedRequiredFieldHurtsWhoeverValidates(t *testing.T) {
	t.Parallel()
	old := with(t, base(t), edit{topic, "visibility: public", "visibility: private"}, edit{schema, `"paidAt"]`, `"paidAt", "note"]`})
	now := with(t, old, edit{schema, `"paidAt", "note"]`, `"paidAt", "noteText"]`}, edit{schema, `"note":`, `"noteText":`})
	c := find(check(t, old, now, today()), policy.FieldRenamed, "note")
	if c.Verdict != policy.Breaking || !c.Failed || !slices.Equal(c.Hurt, []string{group}) {
		t.Errorf("got %+v", c)
	}
}

// The finding about one missing member was taken for that about another of the
// same object, and who approved the one had approved both.
func TestTwoMembersThatAreAskedForAreTwoChanges(t *testing.T) {
	t.Parallel()
	changes := check(t, base(t), with(t, base(t), edit{schema, `"paidAt"]`, `"paidAt", "note", "ghost", "spectre"]`}), today())
	said := fmt.Sprint(changes)
	if len(changes) != 3 || find(changes, policy.MadeRequired, "note").Kind == "" || find(changes, policy.SchemaBroken, "").Kind == "" {
		t.Errorf("got %s", said)
	}
	if changes[0].Fingerprint == changes[1].Fingerprint {
		t.Errorf("one approval would cover both: %s", said)
	}
}

// An approval names one change by its fingerprint and must not fit its neighbour.
func TestAFingerprintFitsOneChange(t *testing.T) {
	t.Parallel()
	list := with(t, base(t), edit{schema, `"voucherCode": {"type": "string"}`, `"voucherCode": {"type": "array", "items": {"type": "string"}}`})
	for _, tt := range []struct {
		name string
		old  fstest.MapFS
		a, b edit
		kind policy.Kind
		path string
	}{
		{"the new name of a field", base(t), edit{schema, `"voucherCode":`, `"voucher_code":`}, edit{schema, `"voucherCode":`, `"codeOfVoucher":`}, policy.FieldRenamed, "voucherCode"},
		{"the type of elements", list, edit{schema, `"items": {"type": "string"}`, `"items": {"type": "integer"}`}, edit{schema, `"items": {"type": "string"}`, `"items": {"type": "boolean"}`}, policy.TypeChanged, "voucherCode"},
	} {
		a := find(check(t, tt.old, with(t, tt.old, tt.a), today()), tt.kind, tt.path)
		b := find(check(t, tt.old, with(t, tt.old, tt.b), today()), tt.kind, tt.path)
		if a.Kind == "" || b.Kind == "" || a.Fingerprint == b.Fingerprint {
			t.Errorf("%s: %+v and %+v", tt.name, a, b)
		}
	}
}

// What one side alone has was told by its own keywords, and by nothing that lies
// below it, is referred to or is long: who had approved one such field had
// approved any other of its name.
func TestAFingerprintCoversTheWholeOfWhatComes(t *testing.T) {
	t.Parallel()
	const ref = `"$ref": "../../../envelope.schema.json"`
	come := func(field string) []edit { return in(`"note":`, `"who": `+field+`, "note":`) }
	become := func(field string) []edit {
		return in(`"voucherCode": {"type": "string"}`, `"voucherCode": `+field)
	}
	object := func(names string) []edit {
		return append(come(`{"type": "object", "required": [`+names+`], "properties": {"a": {"type": "string"}, "iban": {"type": "string"}}}`),
			edit{schema, `"paidAt"]`, `"paidAt", "who"]`})
	}
	defining := func(defs string, edits []edit) []edit {
		return append(edits, edit{schema, ref, `"$defs": ` + defs + `, ` + ref})
	}
	rename := func(bound string) []edit {
		return defining(`{"x": {`+bound+`}}`, in(`"voucherCode": {"type": "string"}`, `"voucher_code": {"type": "string", "anyOf": [{"$ref": "#/$defs/x"}]}`))
	}
	long := func(word string) []edit {
		return become(`{"type": "string", "not": {"enum": ["` + strings.Repeat(word, 2100) + `"]}}`)
	}
	for _, tt := range []struct {
		name string
		a, b []edit
		kind policy.Kind
		path string
	}{
		{"a long keyword", long("a"), long("b"), policy.SchemaBroken, "voucherCode"},
		{"what an object asks for", object(`"a"`), object(`"a", "iban"`), policy.RequiredAdded, "who"},
		{"what a list holds", come(`{"type": "array", "items": {"type": "string"}}`), come(`{"type": "array", "items": {"type": "string", "maxLength": 5}}`), policy.OptionalAdded, "who"},
		{"what a map holds", come(`{"additionalProperties": {"type": "string"}}`), come(`{"additionalProperties": {"type": "string", "maxLength": 5}}`), policy.OptionalAdded, "who"},
		{"what is referred to", defining(`{"x": {"maxLength": 5}}`, come(`{"anyOf": [{"$ref": "#/$defs/x"}]}`)), defining(`{"x": {"maxLength": 6}}`, come(`{"anyOf": [{"$ref": "#/$defs/x"}]}`)), policy.OptionalAdded, "who"},
		{"what a field becomes a list of", become(`{"type": "array", "items": {"type": "string"}}`), become(`{"type": "array", "items": {"type": "string", "maxLength": 5}}`), policy.TypeChanged, "voucherCode"},
		{"whether a renamed field is required", in(`"voucherCode":`, `"voucher_code":`), append(in(`"voucherCode":`, `"voucher_code":`), edit{schema, `"paidAt"]`, `"paidAt", "voucher_code"]`}), policy.FieldRenamed, "voucherCode"},
		{"what a renamed field holds", rename(`"maxLength": 5`), rename(`"maxLength": 6`), policy.FieldRenamed, "voucherCode"},
	} {
		a := find(check(t, base(t), with(t, base(t), tt.a...), today()), tt.kind, tt.path)
		b := find(check(t, base(t), with(t, base(t), tt.b...), today()), tt.kind, tt.path)
		if a.Kind == "" || b.Kind == "" || a.Fingerprint == b.Fingerprint {
			t.Errorf("%s: %+v and %+v", tt.name, a, b)
		}
	}
}

// What a keyword refers to is a part of what was approved: the target of a $ref could
// change, again and again, under one approval.
func TestAFingerprintCoversWhatIsReferredTo(t *testing.T) {
	t.Parallel()
	const ref = `"$ref": "../../../envelope.schema.json"`
	of := func(note, target string) fstest.MapFS {
		return with(t, base(t), edit{schema, ref, `"$defs": {"x": ` + target + `}, ` + ref}, edit{schema, `"note": {"type": "string", "maxLength": 100}`, `"note": ` + note})
	}
	const recursive = `{"type": "object", "maxProperties": %d, "additionalProperties": {"$ref": "#/$defs/x"}}`
	for _, tt := range []struct {
		name, note     string
		old, new, more string
	}{
		{"a reference alone", `{"$ref": "#/$defs/x"}`, `{"type": "string", "not": {"const": "a"}}`, `{"type": "string", "not": {"const": "b"}}`, `{"type": "string", "not": {"const": "c"}}`},
		{"inside of not", `{"type": "string", "not": {"$ref": "#/$defs/x"}}`, `{"maxLength": 5}`, `{"maxLength": 6}`, `{"maxLength": 7}`},
		{"inside of a choice", `{"oneOf": [{"$ref": "#/$defs/x"}, {"type": "integer"}]}`, `{"type": "string", "maxLength": 9}`, `{"type": "string", "maxLength": 8}`, `{"type": "string", "maxLength": 7}`},
		{"a schema that refers to itself", `{"not": {"$ref": "#/$defs/x"}}`, fmt.Sprintf(recursive, 5), fmt.Sprintf(recursive, 6), fmt.Sprintf(recursive, 7)},
	} {
		failing := func(target string) (prints []string) {
			for _, c := range check(t, of(tt.note, tt.old), of(tt.note, target), today()) {
				if c.Failed {
					prints = append(prints, c.Fingerprint)
				}
			}
			return prints
		}
		a, b := failing(tt.new), failing(tt.more)
		if len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(fingerprint string) bool { return slices.Contains(b, fingerprint) }) {
			t.Errorf("%s: %v and %v", tt.name, a, b)
		}
	}
}

// An approved new object must not grow under its approval.
func TestAnApprovalOfAnObjectCoversNoMemberThatJoinsIt(t *testing.T) {
	t.Parallel()
	who := func(required string) fstest.MapFS {
		return with(t, base(t), edit{schema, `"note":`, `"who": {"type": "object", "required": [` + required + `], "properties": {"a": {"type": "string"}, "iban": {"type": "string"}}}, "note":`},
			edit{schema, `"paidAt"]`, `"paidAt", "who"]`})
	}
	approve := func(files fstest.MapFS, fingerprint string) fstest.MapFS {
		files["approvals.yaml"] = &fstest.MapFile{Data: fmt.Appendf(nil,
			"approvals:\n  - fingerprint: %q\n    change: who is new\n    consumers: [%s]\n    owner: Shop Team\n    reason: Both sides ship together.\n    expires: \"2026-12-31\"\n", fingerprint, group)}
		return files
	}
	fingerprint := find(check(t, base(t), who(`"a"`), today()), policy.RequiredAdded, "who").Fingerprint
	if c := find(check(t, base(t), approve(who(`"a"`), fingerprint), today()), policy.RequiredAdded, "who"); c.Failed {
		t.Errorf("as approved: %+v", c)
	}
	if c := find(check(t, base(t), approve(who(`"a", "iban"`), fingerprint), today()), policy.RequiredAdded, "who"); !c.Failed {
		t.Errorf("grown: %+v", c)
	}
}

func TestAnEventThatMovesIsJudgedByTheStricterTopic(t *testing.T) {
	t.Parallel()
	now := base(t)
	for file, content := range base(t) {
		if strings.HasPrefix(file, "events/shop.basket.events/") {
			text := strings.ReplaceAll(string(content.Data), "shop.basket.events", "shop.basket.inner")
			text = strings.Replace(text, "visibility: public", "visibility: private", 1)
			delete(now, file)
			now[strings.Replace(file, "shop.basket.events", "shop.basket.inner", 1)] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	inner := strings.Replace(schema, "shop.basket.events", "shop.basket.inner", 1)
	replace(t, now, inner, `"note": {"type": "string", "maxLength": 100}`, `"note": {"type": "string", "enum": ["A"]}`)
	old := with(t, base(t), edit{schema, `"note": {"type": "string", "maxLength": 100}`, `"note": {"type": "string", "enum": ["A"], "description": "One."}`})
	c := find(check(t, old, now, today()), policy.EnumMeaning, "note")
	if c.Verdict != policy.Unknown || c.Visibility != "public" || !c.Failed {
		t.Errorf("got %+v", c)
	}
}
