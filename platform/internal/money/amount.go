package money

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Amount is an exact decimal. Its zero value is 0.
type Amount struct{ d *apd.Decimal }

// plain bounds what is read: a hostile "1e999999999" must not cost memory.
var plain = regexp.MustCompile(`^-?[0-9]{1,18}(\.[0-9]{1,6})?$`)

var errFormat = errors.New("money: parse amount: it is no plain decimal with at most 18 digits before and 6 after the point; write it like 12.50")

// Parse reads a decimal such as "12.50".
func Parse(text string) (Amount, error) {
	if d, ok := parseShort(text); ok {
		return Amount{d}, nil
	}
	if !plain.MatchString(text) {
		return Amount{}, errFormat
	}
	d, _, err := apd.NewFromString(text)
	if err != nil {
		return Amount{}, errFormat
	}
	return Amount{d}, nil
}

// parseShort reads amounts that are not negative and fit an int64, as nearly all
// do. Any other text is left to what reads all.
func parseShort(text string) (*apd.Decimal, bool) {
	const maxBytes, maxPlaces = 18, 6
	if text == "" || len(text) > maxBytes {
		return nil, false
	}
	n, point := int64(0), len(text)
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			n = 10*n + int64(c-'0')
		case c == '.' && i > 0 && i < len(text)-1 && point == len(text):
			point = i
		default:
			return nil, false
		}
	}
	places := max(len(text)-point-1, 0)
	return apd.New(n, -int32(places)), places <= maxPlaces //nolint:gosec // at most 18
}

// MustParse is [Parse] for constants and tests; it panics on anything else.
func MustParse(text string) Amount {
	a, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return a
}

// Int returns n as an amount.
func Int(n int64) Amount { return Amount{apd.New(n, 0)} }

func exact() *apd.Context {
	c := apd.BaseContext.WithPrecision(60)
	c.Rounding = apd.RoundHalfUp
	return c
}

func (a Amount) decimal() *apd.Decimal {
	if a.d == nil {
		return apd.New(0, 0)
	}
	return a.d
}

func (a Amount) with(b Amount, op func(c *apd.Context, d, x, y *apd.Decimal) (apd.Condition, error)) Amount {
	var d apd.Decimal
	// Traps are only overflow, underflow and division by zero; the callers
	// below exclude all three.
	_, _ = op(exact(), &d, a.decimal(), b.decimal())
	return Amount{&d}
}

// Add returns a + b.
func (a Amount) Add(b Amount) Amount { return a.with(b, (*apd.Context).Add) }

// Sub returns a - b.
func (a Amount) Sub(b Amount) Amount { return a.with(b, (*apd.Context).Sub) }

// Mul returns a × b.
func (a Amount) Mul(b Amount) Amount { return a.with(b, (*apd.Context).Mul) }

// Div returns a / b to 60 digits, and 0 where b is 0.
func (a Amount) Div(b Amount) Amount {
	if b.Sign() == 0 {
		return Amount{}
	}
	return a.with(b, (*apd.Context).Quo)
}

// Cmp returns -1, 0 or 1 as a is below, equal to or above b.
func (a Amount) Cmp(b Amount) int { return a.decimal().Cmp(b.decimal()) }

// Sign returns -1, 0 or 1.
func (a Amount) Sign() int { return a.decimal().Sign() }

// Round rounds half up, away from zero, to this many places.
func (a Amount) Round(places int32) Amount {
	var d apd.Decimal
	_, _ = exact().Quantize(&d, a.decimal(), -places)
	return Amount{&d}
}

// RoundTo rounds to the minor unit of the currency, but never to less than two
// places, because the wire always shows two.
func (a Amount) RoundTo(currency string) Amount { return a.Round(minorUnits(currency)) }

// minorUnits knows the currencies of ISO 4217 that have three or four places.
func minorUnits(currency string) int32 {
	switch currency {
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	case "CLF", "UYW":
		return 4
	}
	return 2
}

// String writes the amount with at least two and at most six places, without
// trailing zeros beyond the second.
func (a Amount) String() string {
	text := a.Round(6).decimal().Text('f')
	whole, fraction, _ := strings.Cut(text, ".")
	fraction = strings.TrimRight(fraction, "0")
	for len(fraction) < 2 {
		fraction += "0"
	}
	return whole + "." + fraction
}

// MarshalText writes the amount as [Amount.String] does; in JSON it is a
// string, never a number.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what [Parse] reads.
func (a *Amount) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

// Value makes an amount a query parameter.
func (a Amount) Value() (driver.Value, error) { return a.String(), nil }

// Scan reads a numeric column. NULL is 0.
func (a *Amount) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*a = Amount{}
		return nil
	case string:
		d, _, err := apd.NewFromString(v)
		if err != nil {
			return fmt.Errorf("money: scan amount: %w", err)
		}
		*a = Amount{d}
		return nil
	}
	return fmt.Errorf("money: scan amount: column has Go type %T; select a numeric", src)
}
