package wire

import (
	"encoding"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"factline.dev/envelope"
)

// Limits that hold before a schema sees a value.
const (
	// MaxBytes is the largest event that is read: the largest that can be
	// appended, and the publish time that the relay adds.
	MaxBytes = envelope.MaxValueBytes + 64
	// MaxDepth is the deepest nesting of arrays and objects.
	MaxDepth = envelope.MaxDepth
)

// Reader reads one JSON text from its beginning to its end. After the first fault
// every further step does nothing and returns zero values.
type Reader struct {
	scan Scanner
	// path is where the reader stands, a step for each open object or array; the
	// usual ones have room in near.
	path    []step
	near    [nearDepth]step
	unknown []span // names of the open objects that no schema declares
	copied  string // of the whole text, for the strings of a small one
	fault   *envelope.DecodeError
}

const (
	// nearDepth is deeper than most events.
	nearDepth = 8
	// maxShared is the largest text whose strings share one copy of it: one
	// allocation, for the price that the last of them keeps all.
	maxShared = 4 << 10
)

// step is a member's name as it is spelt, or the index of an element.
type step struct {
	span
	kind stepKind
}

type stepKind uint8

const (
	inMember stepKind = iota
	inUndeclared
	inElement // from is the index
)

type span struct{ from, to int32 }

// Decode reads a text with a generated function. The error is an
// [envelope.DecodeError].
func Decode[T any](text []byte, read func(*Reader) T) (T, error) {
	r := &Reader{scan: Scanner{Text: text, MaxDepth: MaxDepth}}
	r.path = r.near[:0]
	switch {
	case len(text) > MaxBytes:
		r.syntax(fmt.Sprintf("is %d bytes long, over the limit of %d", len(text), MaxBytes))
	case !utf8.Valid(text):
		r.syntax("is not valid UTF-8")
	}
	value := read(r)
	if r.scan.Space(); r.ok() && r.scan.At < len(text) {
		r.syntax("holds more after its first JSON value")
	}
	if r.ok() {
		return value, nil
	}
	var none T
	return none, r.fault
}

// Payload reads the payload of an event into a generated type and returns it as
// such. The error is an [envelope.DecodeError].
func Payload[T any](e envelope.Raw) (any, error) {
	typed, err := envelope.As[T](e)
	if err != nil {
		return nil, err
	}
	return typed.Payload, nil
}

func (r *Reader) ok() bool {
	if r.fault == nil && r.scan.Fault != nil {
		r.fault = &envelope.DecodeError{Field: "value", Reason: r.scan.Fault.Message}
	}
	return r.fault == nil
}

// syntax notes what is wrong with the text as a whole.
func (r *Reader) syntax(message string) {
	r.scan.Fail(message)
	r.ok()
}

// Fail notes what is wrong with the value that was just read. The message must
// not repeat what it holds.
func (r *Reader) Fail(message string) { r.failAt("", message) }

func (r *Reader) failAt(member, message string) {
	if r.ok() {
		r.fault = &envelope.DecodeError{Field: r.where(member), Reason: message}
		r.scan.Fail(message)
	}
}

func (r *Reader) failUnless(problem string) bool {
	if problem != "" {
		r.Fail(problem)
	}
	return problem == ""
}

// where is the path of the reader's place, or of a member there.
func (r *Reader) where(member string) string {
	var b strings.Builder
	for _, s := range r.path {
		if s.kind == inElement {
			b.WriteString("[" + strconv.Itoa(int(s.from)) + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(r.stepName(s))
	}
	switch {
	case b.Len() == 0 && member == "":
		return "value"
	case b.Len() > 0 && member != "":
		b.WriteByte('.')
	}
	return b.String() + member
}

func (r *Reader) stepName(s step) string {
	if s.kind == inUndeclared {
		return "*"
	}
	name, _ := strconv.Unquote(string(r.scan.Text[s.from-1 : s.to+1]))
	return name
}

// content returns the characters of the string that is next.
func (r *Reader) content() ([]byte, bool) {
	if r.scan.Next() != '"' {
		r.mismatch("string")
		return nil, false
	}
	start := r.scan.At
	switch escaped, ok := r.scan.PassString(); {
	case !ok:
		return nil, false
	case escaped:
		text := r.scan.Unescape(start)
		return []byte(text), r.scan.Fault == nil
	}
	return r.scan.Text[start+1 : r.scan.At-1], true
}

// mismatch refuses the next value for its type. That it is no JSON at all would be
// the more important thing to say.
func (r *Reader) mismatch(want string) {
	if r.skip(); r.ok() {
		r.Fail("must be " + want)
	}
}

const beyondType = "is beyond what its type holds"

// String reads a string.
func (r *Reader) String(rule *Text) string {
	content, ok := r.content()
	if !ok || !r.failUnless(rule.fault(content)) {
		return ""
	}
	if rule != nil {
		for _, allowed := range rule.OneOf {
			if allowed == string(content) {
				return allowed
			}
		}
	}
	return r.kept(r.scan.At-1-len(content), content)
}

// kept is the string of what was read at a place of the text, where it is spelt
// as it is unless it holds escapes.
func (r *Reader) kept(from int, content []byte) string {
	if len(r.scan.Text) > maxShared {
		return string(content)
	}
	if r.copied == "" {
		r.copied = string(r.scan.Text)
	}
	if to := from + len(content); from >= 0 && r.copied[from:to] == string(content) {
		return r.copied[from:to]
	}
	return string(content)
}

// Time reads an instant as RFC 3339 spells it. A leap second is the instant after
// it.
func (r *Reader) Time(rule *Text) time.Time {
	content, ok := r.content()
	if !ok || !r.failUnless(rule.fault(content)) {
		return time.Time{}
	}
	t, ok := instant(content)
	if !ok {
		r.Fail(beyondType) // the validator takes "+1" for an hour
	}
	return t
}

// Into reads a string into a type that reads itself from text, such as a decimal.
// What the type cannot hold is refused.
func Into[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](r *Reader, rule *Text,
) (v T) {
	content, ok := r.content()
	if ok && r.failUnless(rule.fault(content)) && P(&v).UnmarshalText(content) != nil {
		r.Fail(beyondType)
	}
	return v
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	switch r.scan.Next() {
	case 't':
		return r.scan.Word("true")
	case 'f':
		r.scan.Word("false")
		return false
	}
	r.mismatch("boolean")
	return false
}

func (r *Reader) figure(rule *Number) (text []byte, f Figure, ok bool) {
	if c := r.scan.Next(); c != '-' && (c < '0' || c > '9') {
		r.mismatch("number")
		return nil, f, false
	}
	start := r.scan.At
	if !r.scan.PassNumber() {
		return nil, f, false
	}
	text = r.scan.Text[start:r.scan.At]
	if f, ok = ReadFigure(text); !ok {
		r.Fail("must be a number")
		return nil, f, false
	}
	return text, f, r.failUnless(rule.fault(f))
}

// Int reads a whole number. One beyond an int is refused.
func (r *Reader) Int(rule *Number) int {
	_, f, ok := r.figure(rule)
	if !ok {
		return 0
	}
	if !f.IsWhole() {
		r.Fail("must be integer")
		return 0
	}
	n, ok := f.Int64()
	if !ok || int64(int(n)) != n {
		r.Fail(beyondType)
	}
	return int(n)
}

// Number reads a number and keeps it as it is spelt.
func (r *Reader) Number(rule *Number) json.Number {
	text, _, _ := r.figure(rule)
	return json.Number(text)
}

// Null reads a null if it is next.
func (r *Reader) Null() bool { return r.scan.Next() == 'n' && r.scan.Word("null") }

// Raw reads any value.
func (r *Reader) Raw() json.RawMessage {
	r.scan.Space()
	start := r.scan.At
	if r.skip(); !r.ok() {
		return nil
	}
	return append(json.RawMessage(nil), r.scan.Text[start:r.scan.At]...)
}

// skip passes any value.
func (r *Reader) skip() {
	switch r.scan.Next() {
	case '{':
		for o := r.Object(); o.Next(); {
			o.Skip()
		}
	case '[':
		r.elements(func() { r.skip() })
	case '"':
		r.content()
	case 't':
		r.scan.Word("true")
	case 'f':
		r.scan.Word("false")
	case 'n':
		r.scan.Word("null")
	default:
		r.scan.PassNumber()
	}
}

// enter goes into an object or array.
func (r *Reader) enter() bool {
	if len(r.path) == MaxDepth {
		r.syntax(fmt.Sprintf("nests deeper than %d levels", MaxDepth))
		return false
	}
	r.scan.At++
	r.path = append(r.path, step{})
	return true
}

func (r *Reader) leave() { r.path = r.path[:len(r.path)-1] }
