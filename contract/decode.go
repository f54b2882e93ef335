package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	// maxNumberLength and maxExponentDigits keep a number from costing more
	// than its bytes: exact arithmetic on 1e999999 takes a megabyte.
	maxNumberLength   = 64
	maxExponentDigits = 3
)

// fault is what keeps bytes from being read as JSON, and where.
type fault struct {
	offset  int
	message string
}

// decodeJSON reads one JSON value, stricter than encoding/json: bounded depth
// and numbers, valid UTF-8, no name twice in an object (two readers would see
// two different events). Numbers stay [json.Number].
func decodeJSON(text []byte, maxBytes, maxDepth int) (any, *fault) {
	switch {
	case len(text) > maxBytes:
		return nil, &fault{message: fmt.Sprintf("is %d bytes long, over the limit of %d", len(text), maxBytes)}
	case !utf8.Valid(text):
		return nil, &fault{message: "is not valid UTF-8"}
	}
	d := &jsonReader{dec: json.NewDecoder(bytes.NewReader(text)), maxDepth: maxDepth}
	d.dec.UseNumber()
	value, err := d.value(0)
	if err == nil {
		if _, tail := d.dec.Token(); tail != io.EOF {
			err = &fault{message: "holds more after its first JSON value"}
		}
	}
	if err != nil {
		err.offset = int(d.dec.InputOffset())
		return nil, err
	}
	return value, nil
}

type jsonReader struct {
	dec      *json.Decoder
	maxDepth int
}

func (d *jsonReader) value(depth int) (any, *fault) {
	token, err := d.dec.Token()
	if err != nil {
		return nil, &fault{message: "is not valid JSON"}
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == d.maxDepth {
			return nil, &fault{message: fmt.Sprintf("nests deeper than %d levels", d.maxDepth)}
		}
		if t == '{' {
			return d.object(depth + 1)
		}
		return d.array(depth + 1)
	case json.Number:
		return t, checkNumber(string(t))
	}
	return token, nil
}

func (d *jsonReader) object(depth int) (any, *fault) {
	object := map[string]any{}
	for d.dec.More() {
		token, err := d.dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, &fault{message: "is not valid JSON"}
		}
		if _, twice := object[name]; twice {
			return nil, &fault{message: "has the same name twice in an object"}
		}
		value, bad := d.value(depth)
		if bad != nil {
			return nil, bad
		}
		object[name] = value
	}
	return object, d.end()
}

func (d *jsonReader) array(depth int) (any, *fault) {
	array := []any{}
	for d.dec.More() {
		value, bad := d.value(depth)
		if bad != nil {
			return nil, bad
		}
		array = append(array, value)
	}
	return array, d.end()
}

func (d *jsonReader) end() *fault {
	if _, err := d.dec.Token(); err != nil {
		return &fault{message: "is not valid JSON"}
	}
	return nil
}

func checkNumber(n string) *fault {
	at := strings.IndexAny(n, "eE")
	exponent := strings.TrimLeft(n[at+1:], "+-")
	if len(n) > maxNumberLength || at >= 0 && len(exponent) > maxExponentDigits {
		return &fault{message: "holds a number beyond what an event may carry"}
	}
	return nil
}
