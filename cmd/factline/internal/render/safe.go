package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Safe returns text with every control, format and broken character written as
// a Go-style escape, for one line of a terminal.
func Safe(text string) string { return escape(text, "") }

// SafeLines is like [Safe] and keeps line breaks and tabs.
func SafeLines(text string) string { return escape(text, "\n\t") }

func escape(text, keep string) string {
	if !strings.ContainsFunc(text, dangerous) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case strings.ContainsRune(keep, r) || !dangerous(r):
			b.WriteRune(r)
		default:
			b.WriteString(escaped(r))
		}
		text = text[size:]
	}
	return b.String()
}

func escaped(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r > 0xffff:
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// dangerous: Cc moves cursors, Cf turns directions and hides text, Zl and Zp
// break lines. Co and Cs have no agreed look.
func dangerous(r rune) bool {
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp)
}

// safeJSON escapes what encoding/json leaves alone. Dangerous characters can
// stand only inside strings, except for the line breaks of the layout.
func safeJSON(text []byte) []byte {
	var b []byte
	for _, r := range string(text) {
		if r == '\n' || !dangerous(r) {
			b = utf8.AppendRune(b, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			b = fmt.Appendf(b, `\u%04x`, unit)
		}
	}
	return b
}
