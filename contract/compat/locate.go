package compat

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"factline.dev/contract/internal/pointer"
)

// pointer turns the validator's location into a JSON pointer; one into another
// file is preceded by its address.
func (s *Schema) pointer(location string) string {
	file, at := pointer.Cut(location)
	if file == s.url {
		return at
	}
	return strings.TrimPrefix(file, standalone) + "#" + at
}

// maxShownBytes bounds a keyword's value in a finding.
const maxShownBytes = 2048

// value is what stands at a location, nil for nothing. Of too much it is the
// digest, so that two values are never taken for one.
func (s *Schema) value(location string) json.RawMessage {
	file, at := pointer.Cut(location)
	value, ok := pointer.At(s.docs.at(file), at)
	if !ok {
		return nil
	}
	text, err := json.Marshal(value)
	switch {
	case err != nil:
		return nil
	case len(text) > maxShownBytes:
		return fmt.Appendf(nil, "\"sha256:%x\"", sha256.Sum256(text))
	}
	return text
}
