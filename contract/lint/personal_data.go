package lint

import (
	"slices"
	"strings"

	"factline.dev/contract"
)

// personal are parts of field names that personal data goes by.
var personal = []string{
	"addressline", "birthdate", "cardnumber", "contactname", "customername", "dateofbirth", "email", "familyname",
	"firstname", "fullname", "givenname", "iban", "lastname", "nationalid", "passport", "personname", "phone",
	"postalcode", "socialsecurity", "street", "surname", "taxid", "zipcode",
}

func personalData() Rule {
	return Rule{
		Name:  "personal-data",
		Title: "Personal data is marked, field by field",
		Why: "What is not marked is not encrypted, not masked on pages and not erased. A log is kept for years, so " +
			"a name that slips in stays.",
		Good:  "contactName: {\"type\": \"string\", \"x-pii\": true} with containsPII: true",
		Bad:   "contactName: {\"type\": \"string\"}, an example with a mail address in an unmarked field, or x-pii with containsPII: false",
		check: checkPersonal,
	}
}

func checkPersonal(r *report) {
	for _, e := range r.current() {
		holds := ""
		places := e.Places()
		for _, f := range places {
			if f.PII {
				holds = f.Path
			}
			if looks := containsAny(strings.ToLower(lastName(f.Path)), personal); looks != "" && !strings.HasSuffix(f.Path, "[]") && leaf(f) && !marksWithin(places, f) {
				r.field(e, f.Path, "has the field %s, which looks like personal data (%s); mark it with \"x-pii\": true or rename it",
					f.Path, looks)
			}
		}
		checkPersonalValues(r, e)
		switch {
		case holds != "" && !e.ContainsPII:
			r.event(e, "containsPII", "marks %s as personal data but says containsPII: false", holds)
		case holds == "" && e.ContainsPII:
			r.event(e, "containsPII", "says containsPII: true but marks no field; set \"x-pii\": true on each that holds some")
		}
	}
}

func checkPersonalValues(r *report, e *contract.Event) {
	for _, x := range e.Examples {
		texts(e, x, func(path, value string, marked bool) {
			if looks := seems(value, personalLooks); looks != "" && !marked {
				r.add(x.File, e.Type, "holds %s in %s; mark the field with \"x-pii\": true or take it out", looks, path)
			}
		})
	}
}

// marksWithin reports whether a field, its elements or its values are marked.
func marksWithin(places []contract.Field, f contract.Field) bool {
	return slices.ContainsFunc(places, func(g contract.Field) bool {
		return g.PII && (g.Path == f.Path || contract.Inside(g.Path, f.Path))
	})
}

func leaf(f contract.Field) bool { return f.Type != "object" && f.Type != "array of object" }
