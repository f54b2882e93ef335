package lint

import (
	"encoding/json"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"factline.dev/contract"
)

// look is a form by which a value gives away what it is.
type look struct {
	name  string
	form  *regexp.Regexp
	valid func(string) bool // nil where the form says enough
}

var secretLooks = []look{
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY`), nil},
	{"a signed token", regexp.MustCompile(`\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}`), nil},
	{"a cloud access key", regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`), nil},
	{"an access token", regexp.MustCompile(`\b(gh[pousr]_\w{36,}|xox[abprs]-[\w-]{10,}|sk_(live|test)_\w{16,})`), nil},
	{"an authorization header", regexp.MustCompile(`(?i)\b(bearer|basic) [\w+/=.-]{16,}`), nil},
	{"a URL with a password", regexp.MustCompile(`://[^/\s:@]+:[^/\s@]+@`), nil},
}

var personalLooks = []look{
	{"a mail address", regexp.MustCompile(`\b[^\s@]+@[\w-]+(\.[\w-]+)*\.[a-zA-Z]{2,}\b`), nil},
	{"a phone number", regexp.MustCompile(`^\+[1-9][0-9 ()/-]{7,20}$`), nil},
	{"a bank account number", regexp.MustCompile(`^[A-Z]{2}[0-9]{2}[A-Z0-9 ]{11,34}$`), isIBAN},
	{"a card number", regexp.MustCompile(`^[3-6][0-9 -]{12,22}$`), isCardNumber},
	{"a social security number", regexp.MustCompile(`^[0-9]{3}-[0-9]{2}-[0-9]{4}$`), nil},
}

// seems is the name of the first look that a value has, empty for none.
func seems(value string, looks []look) string {
	for _, l := range looks {
		if l.form.MatchString(value) && (l.valid == nil || l.valid(value)) {
			return l.name
		}
	}
	return ""
}

// isIBAN holds a value to the check digits of ISO 13616.
func isIBAN(value string) bool {
	value = strings.ReplaceAll(value, " ", "")
	var digits strings.Builder
	for _, c := range value[4:] + value[:4] {
		if c >= 'A' {
			digits.WriteByte('0' + byte(c-'A'+10)/10)
			digits.WriteByte('0' + byte(c-'A'+10)%10)
		} else {
			digits.WriteRune(c)
		}
	}
	n, ok := new(big.Int).SetString(digits.String(), 10)
	return ok && n.Mod(n, big.NewInt(97)).Int64() == 1
}

// isCardNumber holds a value to the Luhn formula.
func isCardNumber(value string) bool {
	value = strings.NewReplacer(" ", "", "-", "").Replace(value)
	sum := 0
	for i := range len(value) {
		digit := int(value[len(value)-1-i] - '0')
		if i%2 == 1 {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
	}
	return len(value) >= 13 && len(value) <= 19 && sum%10 == 0
}

// texts calls visit with every string below payload and metadata of an example,
// its path, and whether the contract marks it or what holds it as personal.
func texts(e *contract.Event, x contract.Example, visit func(path, value string, personal bool)) {
	var record struct {
		Payload  any `json:"payload"`
		Metadata any `json:"metadata"`
	}
	if json.Unmarshal(x.Value, &record) != nil {
		return // the rule examples reports it
	}
	walker{visit}.walk(record.Payload, "", e.Place("payload"), false)
	walker{visit}.walk(record.Metadata, "metadata", contract.Place{}, false)
}

type walker struct {
	visit func(path, value string, personal bool)
}

func (w walker) walk(value any, path string, at contract.Place, personal bool) {
	personal = personal || at.PII()
	switch v := value.(type) {
	case string:
		w.visit(path, v, personal)
	case []any:
		for i, item := range v {
			w.walk(item, path+"[]", at.Element(i), personal)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			w.walk(v[name], strings.TrimPrefix(path+"."+name, "."), at.Member(name), personal)
		}
	}
}
