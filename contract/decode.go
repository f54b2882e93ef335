package contract

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"factline.dev/contract/wire"
)

// decodeJSON reads one JSON value, stricter than encoding/json: bounded depth
// and numbers, valid UTF-8, no name twice in an object (two readers would see
// two different events). Numbers stay [json.Number]. It exists because the
// tokens of encoding/json, the only way to those checks, cost more than the
// validation that follows.
func decodeJSON(text []byte, maxBytes, maxDepth int) (any, *wire.Fault) {
	switch {
	case len(text) > maxBytes:
		return nil, &wire.Fault{Message: fmt.Sprintf("is %d bytes long, over the limit of %d", len(text), maxBytes)}
	case !utf8.Valid(text):
		return nil, &wire.Fault{Message: "is not valid UTF-8"}
	}
	r := &treeReader{wire.Scanner{Text: text, MaxDepth: maxDepth}}
	value := r.value(0)
	if r.Space(); r.Fault == nil && r.At < len(text) {
		r.Fail("holds more after its first JSON value")
	}
	if r.Fault != nil {
		return nil, r.Fault
	}
	return value, nil
}

// treeReader reads values into trees.
type treeReader struct{ wire.Scanner }

func (r *treeReader) value(depth int) any {
	switch c := r.Next(); c {
	case '{', '[':
		if depth == r.MaxDepth {
			r.Fail(fmt.Sprintf("nests deeper than %d levels", r.MaxDepth))
			return nil
		}
		r.At++
		if c == '{' {
			return r.object(depth + 1)
		}
		return r.array(depth + 1)
	case '"':
		return r.ReadString()
	case 't':
		return r.literal("true", true)
	case 'f':
		return r.literal("false", false)
	case 'n':
		return r.literal("null", nil)
	}
	return r.number()
}

func (r *treeReader) literal(word string, value any) any {
	if !r.Word(word) {
		return nil
	}
	return value
}

func (r *treeReader) object(depth int) any {
	object := map[string]any{}
	if r.Take('}') {
		return object
	}
	for r.Fault == nil {
		if r.Next() != '"' {
			r.Fail(wire.InvalidJSON)
			return nil
		}
		name := r.ReadString()
		if _, twice := object[name]; twice {
			r.Fail("has the same name twice in an object")
			return nil
		}
		if !r.Take(':') {
			r.Fail(wire.InvalidJSON)
			return nil
		}
		object[name] = r.value(depth)
		if r.Take('}') {
			break
		}
		if !r.Take(',') {
			r.Fail(wire.InvalidJSON)
		}
	}
	return object
}

func (r *treeReader) array(depth int) any {
	array := []any{}
	if r.Take(']') {
		return array
	}
	for r.Fault == nil {
		array = append(array, r.value(depth))
		if r.Take(']') {
			break
		}
		if !r.Take(',') {
			r.Fail(wire.InvalidJSON)
		}
	}
	return array
}

func (r *treeReader) number() any {
	start := r.At
	if !r.PassNumber() {
		return nil
	}
	return json.Number(r.Text[start:r.At])
}
