package compat

// outline is a pattern that every string of a format matches, empty for none. It
// says more than nothing about what the format takes, never too much.
func outline(format string) string {
	const (
		date = `[0-9]{4}-[0-9]{2}-[0-9]{2}`
		time = `[-+0-9]{2}:[-+0-9]{2}:[-+0-9]{2}(\.[0-9]+)?([zZ]|[-+][-+0-9]{2}:[-+0-9]{2})`
	)
	switch format {
	case "date":
		return "^" + date + "$"
	case "time":
		return "^" + time + "$"
	case "date-time":
		return "^" + date + "[tT]" + time + "$"
	case "uuid":
		return `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`
	case "ipv4":
		return `^[-+0-9.]{7,}$`
	}
	return ""
}

// samples are strings that each format takes some of, for telling formats apart.
func samples() []string {
	return []string{
		"", "a", " ", "%", "1", "-1", "a b", "äöü", "\\", "{", "[", "(",
		"2020-01-01", "2024-02-29", "0001-01-01", "10:00:00Z", "10:00:00.5+01:00",
		"2020-01-01T10:00:00Z", "2020-01-01T10:00:00+01:00", "2020-01-01T10:00:00.5Z", "2020-01-01t10:00:00z",
		"P1D", "PT1S", "P1Y2M", "a@b", "a@example.com", "ä@example.com", "example.com", "a.b", "A-1",
		"127.0.0.1", "::1", "2001:db8::1", "01234567-89ab-cdef-0123-456789abcdef", "01234567-89AB-CDEF-0123-456789ABCDEF",
		"https://example.com/", "https://example.com/a?b#c", "https://example.com/\\", "urn:a:b", "a/b", "/a/b", "/a~0b", "/a~2", "#a", "https://example.com/ä",
		"0", "0/a", "1#", "{a}", "https://example.com/{a}", "^a$", "[a-z]+", "1.0.0", "1.2.3-a.1+b",
	}
}

// sameFormat reports whether the validator takes the same strings for both.
func sameFormat(a, b string) bool {
	alias := map[string]string{"iri": "uri", "iri-reference": "uri-reference"}
	if other, ok := alias[a]; ok {
		a = other
	}
	if other, ok := alias[b]; ok {
		b = other
	}
	return a == b
}
