package wire

import (
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Format is one of the validator's formats, with a cheap way for what is usual.
type Format struct {
	*jsonschema.Format
	usual func([]byte) bool // true only where Format agrees; nil for none
}

// NewFormat returns a format of a compiled schema.
func NewFormat(f *jsonschema.Format) *Format {
	switch f.Name {
	case "date":
		return &Format{f, isDate}
	case "date-time":
		return &Format{f, isInstant}
	}
	return &Format{Format: f}
}

// IsTextFormat reports whether a format asks something of strings and nothing of
// other values.
func IsTextFormat(name string) bool {
	switch name {
	case "date", "date-time", "time", "duration", "period", "email", "hostname", "ipv4", "ipv6", "uuid", "semver", "regex",
		"uri", "iri", "uri-reference", "iri-reference", "uri-template", "json-pointer", "relative-json-pointer":
		return true
	}
	return false
}

// Match reports whether text is of the format.
func (f *Format) Match(text []byte) bool {
	return f.usual != nil && f.usual(text) || f.Validate(string(text)) == nil
}

// isInstant knows instants in UTC without leap seconds.
func isInstant(text []byte) bool {
	const least = len("2006-01-02T15:04:05Z")
	if len(text) < least || !isDate(text[:10]) || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[len(text)-1] != 'Z' {
		return false
	}
	hour, minute, second := digits(text[11:13]), digits(text[14:16]), digits(text[17:19])
	if uint(hour) > 23 || uint(minute) > 59 || uint(second) > 59 {
		return false
	}
	fraction := text[19 : len(text)-1]
	return len(fraction) == 0 || len(fraction) > 1 && len(fraction) <= 10 && fraction[0] == '.' && digits(fraction[1:]) >= 0
}

func isDate(text []byte) bool {
	if len(text) != 10 || text[4] != '-' || text[7] != '-' {
		return false
	}
	year, month, day := digits(text[:4]), digits(text[5:7]), digits(text[8:])
	return year > 0 && month >= 1 && month <= 12 && day >= 1 && (day <= 28 || day <= daysIn(year, month))
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// digits returns the value of at most nine digits, -1 for anything else.
func digits(text []byte) int {
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// instant reads what the format date-time allows.
func instant(text []byte) (time.Time, bool) {
	if isInstant(text) {
		fraction := text[19 : len(text)-1]
		nanos := 0
		if len(fraction) > 1 {
			nanos = digits(fraction[1:])
			for range 10 - len(fraction) {
				nanos *= 10
			}
		}
		return time.Date(digits(text[:4]), time.Month(digits(text[5:7])), digits(text[8:10]),
			digits(text[11:13]), digits(text[14:16]), digits(text[17:19]), nanos, time.UTC), true
	}
	spelt := strings.ToUpper(string(text))
	var leap time.Duration
	if len(spelt) > 19 && spelt[17:19] == "60" {
		spelt, leap = spelt[:17]+"59"+spelt[19:], time.Second
	}
	t, err := time.Parse(time.RFC3339, spelt)
	return t.Add(leap), err == nil
}
