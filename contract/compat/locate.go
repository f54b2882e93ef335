package compat

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
)

// pointer turns the validator's location into a JSON pointer; one into another
// file is preceded by its address.
func (s *Schema) pointer(location string) string {
	file, fragment, _ := strings.Cut(location, "#")
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	if file == s.url {
		return fragment
	}
	return strings.TrimPrefix(file, standalone) + "#" + fragment
}

// maxShownBytes bounds a keyword's value in a finding.
const maxShownBytes = 2048

// value is what stands at a location, nil for nothing or too much.
func (s *Schema) value(location string) json.RawMessage {
	file, _, _ := strings.Cut(location, "#")
	at := s.docs[file]
	_, fragment, _ := strings.Cut(s.pointer(location), "#")
	if file == s.url {
		fragment = s.pointer(location)
	}
	for _, token := range strings.Split(fragment, "/")[1:] {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch v := at.(type) {
		case map[string]any:
			at = v[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			at = v[i]
		default:
			return nil
		}
	}
	text, err := json.Marshal(at)
	if err != nil || len(text) > maxShownBytes {
		return nil
	}
	return text
}
