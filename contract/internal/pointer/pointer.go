// Package pointer reads and writes JSON pointers (RFC 6901), as text and as the
// fragment of a URL, which is how the validator names the places of a schema. It
// is for documents that were decoded into maps and lists. What is not there, or is
// no pointer, such as the name of an anchor, leads nowhere; nothing here fails.
package pointer

import (
	"net/url"
	"strconv"
	"strings"
)

// Cut takes a location apart: the URL of the document and the pointer in it,
// whose percent-encoding is undone.
func Cut(location string) (document, pointer string) {
	document, fragment, _ := strings.Cut(location, "#")
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	return document, fragment
}

// Escape writes a name as one token of a pointer.
func Escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// Tokens are the names and indexes that a pointer leads through, none for the
// document itself.
func Tokens(pointer string) []string {
	tokens := strings.Split(pointer, "/")[1:]
	for i, token := range tokens {
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
	}
	return tokens
}

// At is the value that a pointer leads to.
func At(doc any, pointer string) (any, bool) {
	if doc == nil || pointer != "" && pointer[0] != '/' {
		return nil, false
	}
	for _, token := range Tokens(pointer) {
		var ok bool
		if doc, ok = member(doc, token); !ok {
			return nil, false
		}
	}
	return doc, true
}

func member(node any, token string) (any, bool) {
	switch node := node.(type) {
	case map[string]any:
		value, ok := node[token]
		return value, ok
	case []any:
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(node) {
			return node[i], true
		}
	}
	return nil, false
}
