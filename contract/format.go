package contract

import (
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// format is one of the validator's formats, with a cheap way for what is usual.
type format struct {
	*jsonschema.Format
	usual func([]byte) bool // true only where Format agrees; nil for none
}

// textFormats are the formats that ask something of strings and nothing of other
// values, and no format at all.
func textFormats() map[string]func([]byte) bool {
	return map[string]func([]byte) bool{
		"":     nil,
		"date": isDate, "date-time": isInstant, "time": nil, "duration": nil, "period": nil,
		"email": nil, "hostname": nil, "ipv4": nil, "ipv6": nil, "uuid": nil, "semver": nil, "regex": nil,
		"uri": nil, "iri": nil, "uri-reference": nil, "iri-reference": nil, "uri-template": nil,
		"json-pointer": nil, "relative-json-pointer": nil,
	}
}

func (f *format) match(text []byte) bool {
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
