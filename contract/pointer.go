package contract

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"factline.dev/contract/internal/pointer"
)

// FieldPosition is where the schema of a payload field stands, or of the payload
// for an empty path: a file of the folder, which is a shared schema's where the
// field is referred to, and the line in it. Line 0 means that the field is not
// declared.
func (e *Event) FieldPosition(path string) (file string, line int) {
	if path == "" {
		return e.schemas.position(gather(e.schema).properties["payload"][0].Location)
	}
	f, ok := e.Field(path)
	if !ok {
		return e.schemaFile, 0
	}
	return f.Position()
}

// Position is where the schema of the field stands, or of its first form: a file of
// the folder and the line in it.
func (f Field) Position() (file string, line int) { return f.set.position(f.locations[0]) }

// position turns the location of a compiled schema into file and line.
func (s *schemaSet) position(location string) (file string, line int) {
	return s.place(pointer.Cut(location))
}

func (s *schemaSet) place(document, at string) (file string, line int) {
	text, ok := s.texts[document]
	if !ok {
		return "", 0
	}
	return strings.TrimPrefix(document, s.base), lineAtPointer(text, at)
}

// lineAtPointer is the line on which the value of a JSON pointer begins, 0
// where there is none.
func lineAtPointer(text []byte, at string) int {
	dec := json.NewDecoder(bytes.NewReader(text))
	for _, token := range pointer.Tokens(at) {
		if !step(dec, token) {
			return 0
		}
	}
	start := int(dec.InputOffset())
	for start < len(text) && strings.IndexByte(" \t\r\n:,", text[start]) >= 0 {
		start++
	}
	return lineAt(text, start)
}

// step moves a decoder that stands before a value into its member of that name
// or index.
func step(dec *json.Decoder, token string) bool {
	open, err := dec.Token()
	if err != nil {
		return false
	}
	switch open {
	case json.Delim('{'):
		return stepObject(dec, token)
	case json.Delim('['):
		index, err := strconv.Atoi(token)
		for i := 0; err == nil && i < index && dec.More(); i++ {
			err = pass(dec)
		}
		return err == nil && dec.More()
	}
	return false
}

func stepObject(dec *json.Decoder, name string) bool {
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return false
		}
		if key == name {
			return true
		}
		if pass(dec) != nil {
			return false
		}
	}
	return false
}

// pass moves a decoder over one value.
func pass(dec *json.Decoder) error {
	for depth := 0; ; {
		token, err := dec.Token()
		switch {
		case err != nil:
			return err
		case token == json.Delim('{'), token == json.Delim('['):
			depth++
		case token == json.Delim('}'), token == json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
		if depth < 0 {
			return io.ErrUnexpectedEOF
		}
	}
}
