package contract

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"factline.dev/platform/contracts"
)

// valid is the verdict that a shape is held to: the strict reader's and the
// validator's, without any short cut.
func valid(schema *jsonschema.Schema, text []byte) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	doc, fault := decodeJSON(text, MaxValueBytes, MaxDepth)
	return fault == nil && schema.Validate(doc) == nil
}

// failer is a test of either kind, testing or rapid.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// compare fails when the shape is sure of what is not valid, and reports whether
// it was sure and whether it might have been.
func compare(t failer, schema *jsonschema.Schema, s *shape, text []byte) (sure, could bool) {
	t.Helper()
	sure, could = s != nil && s.walk(text), valid(schema, text)
	if sure && !could {
		t.Fatalf("%q is not valid by %s and was accepted", text, schema.Location)
	}
	return sure, could
}

func compileText(text string) (*jsonschema.Schema, error) {
	doc, fault := decodeJSON([]byte(text), maxFileBytes, maxSchemaNesting)
	if fault != nil {
		return nil, errOutside
	}
	const url = "https://factline.test/schema.json"
	compiler := newCompiler(&schemaSet{})
	if err := compiler.AddResource(url, doc); err != nil {
		return nil, err
	}
	return compileSafely(compiler, url)
}

func mustCompile(t testing.TB, text string) *jsonschema.Schema {
	t.Helper()
	schema, err := compileText(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return schema
}

func platformEvents(t testing.TB) []*Event {
	t.Helper()
	c, err := Load(contracts.FS())
	if err != nil {
		t.Fatal(err)
	}
	return c.Events()
}

func compact(text []byte) []byte {
	return bytes.Join(bytes.FieldsFunc(text, func(r rune) bool { return r == '\n' }), nil)
}
