package pointer_test

import (
	"net/url"
	"slices"
	"testing"

	"factline.dev/contract/internal/pointer"
)

func TestAFollowsNamesAndIndexes(t *testing.T) {
	t.Parallel()
	doc := map[string]any{
		"": "empty", "a/b": "slash", "a~b": "tilde", "a~1b": "both", "a%b": "percent", "null": nil,
		"list": []any{"first", map[string]any{"x": "deep"}},
	}
	for at, want := range map[string]any{
		"/": "empty", "/a~1b": "slash", "/a~0b": "tilde", "/a~01b": "both", "/a%b": "percent", "/null": nil, "/list/0": "first", "/list/1/x": "deep",
	} {
		if got, ok := pointer.At(doc, at); !ok || got != want {
			t.Errorf("%q leads to %v (%t), want %v", at, got, ok, want)
		}
	}
	for _, at := range []string{"list", "/none", "/list/2", "/list/-1", "/list/x", "/list/", "/a~1b/c", "/null/x", "//"} {
		if got, ok := pointer.At(doc, at); ok {
			t.Errorf("%q leads to %v", at, got)
		}
	}
	if got, ok := pointer.At(doc, ""); !ok || len(got.(map[string]any)) != len(doc) {
		t.Errorf("the document itself is %v", got)
	}
	if _, ok := pointer.At(nil, ""); ok {
		t.Error("a document that is not there was found")
	}
}

func TestCutUndoesTheEncodingOfURLs(t *testing.T) {
	t.Parallel()
	for location, want := range map[string][2]string{
		"https://a.example/x.json":                      {"https://a.example/x.json", ""},
		"https://a.example/x.json#":                     {"https://a.example/x.json", ""},
		"https://a.example/x.json#/$defs/stra%C3%9Fe/0": {"https://a.example/x.json", "/$defs/straße/0"},
		"x.json#/a%25b":                                 {"x.json", "/a%b"},
		"x.json#/a%2Fb":                                 {"x.json", "/a/b"},
		"x.json#/100%":                                  {"x.json", "/100%"},
	} {
		if document, at := pointer.Cut(location); document != want[0] || at != want[1] {
			t.Errorf("%s is %q and %q", location, document, at)
		}
	}
}

func FuzzAnyNameIsOneToken(f *testing.F) {
	for _, name := range []string{"", "straße", "a b", "a/b", "a~b", "a%b", "~1", "~01", "a#b", "\x00\xff"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		at := "/" + pointer.Escape(name)
		if got := pointer.Tokens(at); !slices.Equal(got, []string{name}) {
			t.Errorf("%q became %q", name, got)
		}
		if _, got := pointer.Cut("x#" + "/" + url.PathEscape(pointer.Escape(name))); got != at {
			t.Errorf("%q became %q in a URL", at, got)
		}
	})
}
