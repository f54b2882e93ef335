package wire

import (
	"maps"
	"slices"
)

// Decimal is an exact decimal as it is spelt, such as "12.50", for programs that
// bring no decimal type of their own. The zero value is spelt "0.00". It is not
// for arithmetic.
type Decimal string

// String returns the spelling.
func (d Decimal) String() string {
	if d == "" {
		return "0.00"
	}
	return string(d)
}

// MarshalText returns the spelling.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText keeps the spelling; the contract's pattern has judged it.
func (d *Decimal) UnmarshalText(text []byte) error {
	*d = Decimal(text)
	return nil
}

func sortedNames[T any](all map[string]T) []string { return slices.Sorted(maps.Keys(all)) }
