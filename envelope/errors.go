package envelope

import (
	"encoding/json"
	"errors"
	"fmt"
)

// DecodeError says which field of a value cannot be read and why. It never
// holds the content of the field, which may be personal data.
type DecodeError struct {
	// Field is the path of the field, such as "payload", or "value" when the
	// bytes are no JSON object at all.
	Field string
	// Reason is what is wrong with it.
	Reason string
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("envelope: decode %s: %s; compare the record with the event's contract", e.Field, e.Reason)
}

// LimitError says which limit an event or record is over.
type LimitError struct {
	// What is the thing measured, such as "value".
	What string
	// Size and Limit are in Unit.
	Size, Limit int
	// Unit is what is counted, "bytes" where empty.
	Unit string
}

func (e *LimitError) Error() string {
	unit := e.Unit
	if unit == "" {
		unit = "bytes"
	}
	return fmt.Sprintf("envelope: check %s: %d %s is over the limit of %d; make the event smaller or refer to the content by a link",
		e.What, e.Size, unit, e.Limit)
}

func describe(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("invalid JSON at byte %d", syntax.Offset)
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("%s has JSON type %s, want %s", mismatch.Field, mismatch.Value, mismatch.Type)
	}
	return "invalid JSON"
}
