package compat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"unicode/utf8"
)

// Limits on a schema. They keep the compiler, which knows no budget, cheap.
const (
	// MaxSchemaBytes is the largest file of a schema.
	MaxSchemaBytes = 1 << 20
	// MaxSchemaDepth is the deepest nesting of arrays and objects.
	MaxSchemaDepth = 128
	// MaxSchemaObjects is the largest number of JSON objects in a file.
	MaxSchemaObjects = 10_000

	maxNumberLength = 400
	maxExponent     = 400
	maxCount        = 1 << 40 // of characters, elements or members
)

func readBounded(fsys fs.FS, file string) ([]byte, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxSchemaBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return text, nil
}

// decode reads a JSON value within the limits. Numbers stay [json.Number].
func decode(text []byte) (any, error) {
	if len(text) > MaxSchemaBytes {
		return nil, fmt.Errorf("is over the limit of %d bytes", MaxSchemaBytes)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("is not valid UTF-8")
	}
	if err := measure(text); err != nil {
		return nil, err
	}
	var doc any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&doc); err != nil {
		return nil, fmt.Errorf("is no JSON: %w", err)
	}
	return doc, checkCounts(doc)
}

func measure(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	depth, objects, values := 0, 0, 0
	for {
		token, err := decoder.Token()
		switch {
		case errors.Is(err, io.EOF) && values == 1 && depth == 0:
			return nil
		case err != nil:
			return fmt.Errorf("is no JSON: %w", err)
		}
		switch token := token.(type) {
		case json.Delim:
			switch token {
			case '{', '[':
				depth++
				objects++
			default:
				depth--
			}
		case json.Number:
			if err := checkNumber(token.String()); err != nil {
				return err
			}
		}
		if depth == 0 {
			values++
		}
		switch {
		case depth > MaxSchemaDepth:
			return fmt.Errorf("nests deeper than %d levels", MaxSchemaDepth)
		case objects > MaxSchemaObjects:
			return fmt.Errorf("has more than %d objects and arrays", MaxSchemaObjects)
		case values > 1:
			return errors.New("holds more after its first JSON value")
		}
	}
}

// checkNumber keeps a number from costing more than its bytes: exact arithmetic
// on 1e999999 takes a megabyte.
func checkNumber(text string) error {
	exponent := 0
	if at := bytes.IndexAny([]byte(text), "eE"); at >= 0 {
		if _, err := fmt.Sscanf(text[at+1:], "%d", &exponent); err != nil {
			return fmt.Errorf("holds a number with an exponent over the limit of %d", maxExponent)
		}
	}
	if len(text) > maxNumberLength || exponent > maxExponent || exponent < -maxExponent {
		return fmt.Errorf("holds a number over the limit of %d digits", maxExponent)
	}
	return nil
}

// checkCounts refuses counts that the validator would let overflow.
func checkCounts(value any) error {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if number, ok := member.(json.Number); ok && isCount(name) {
				if f, err := number.Float64(); err != nil || f > maxCount {
					return fmt.Errorf("has %s over the limit of %d", name, int64(maxCount))
				}
			}
			if err := checkCounts(member); err != nil {
				return err
			}
		}
	case []any:
		for _, element := range v {
			if err := checkCounts(element); err != nil {
				return err
			}
		}
	}
	return nil
}

func isCount(keyword string) bool {
	switch keyword {
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains":
		return true
	}
	return false
}
