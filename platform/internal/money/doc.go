// Package money is exact decimal arithmetic for amounts and percentages, and
// their text on the wire.
//
// Use it wherever an amount is compared, added or rounded. Do not use it for
// quantities, which are integers. An [Amount] never changes: every operation
// returns a new one, so values may be copied and shared between goroutines.
// Parsing refuses anything but plain decimals; arithmetic on what was parsed
// cannot fail, because amounts have at most 24 digits here and the context
// carries 60.
package money
