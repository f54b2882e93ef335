package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// The most lines of a file and of a function that a person wrote, tests aside.
const (
	MaxFileLines     = 600
	MaxFunctionLines = 80
)

// Size finds Go files and functions that grew too long.
func Size(tree Tree) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(tree.Files)) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata/") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, tree.Files[name], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			found = append(found, err.Error())
			continue
		}
		if ast.IsGenerated(file) {
			continue
		}
		if lines := bytes.Count(tree.Files[name], []byte("\n")); lines > MaxFileLines {
			found = append(found, fmt.Sprintf("%s has %d lines; split it, %d is the most", name, lines, MaxFileLines))
		}
		found = append(found, longFunctions(fset, file)...)
	}
	return found
}

func longFunctions(fset *token.FileSet, file *ast.File) []string {
	var found []string
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		start, end := fset.Position(fn.Pos()), fset.Position(fn.End())
		if lines := end.Line - start.Line + 1; lines > MaxFunctionLines {
			found = append(found, fmt.Sprintf("%s: %s has %d lines; split it, %d is the most", start, fn.Name.Name, lines, MaxFunctionLines))
		}
	}
	return found
}

// PackageComments finds packages that do not say what they are for.
func PackageComments(tree Tree) []string {
	var found []string
	for _, p := range tree.Packages {
		if strings.TrimSpace(p.Doc) == "" {
			found = append(found, fmt.Sprintf("%s has no package comment; say what it is for in its doc.go", p.Path))
		}
	}
	return found
}

// Names finds packages named after nothing: everything ends up in such a one.
func Names(tree Tree) []string {
	empty := []string{"util", "utils", "common", "types", "models", "pkg", "shared", "base", "helper", "helpers", "misc", "lib"}
	var found []string
	for _, p := range tree.Packages {
		for _, part := range append(strings.Split(p.Path, "/"), p.Name) {
			if slices.Contains(empty, part) {
				found = append(found, fmt.Sprintf("%s: %q says nothing; name it after what it does", p.Path, part))
				break
			}
		}
	}
	return found
}

// unwanted are texts that a finished tree does not hold. Parts are joined so
// that this file does not hold them either.
func unwanted() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"unfinished":                  regexp.MustCompile(`(^|[^.\w])(TO` + `DO|FIX` + `ME|XX` + `X)\b|(?i:\bnot (yet )?impl` + `emented\b)`),
		"a test that does not run":    regexp.MustCompile(`\bt\.Sk` + `ip(Now|f)?\(`),
		"a path of one machine":       regexp.MustCompile(`(^|[\s"'=(` + "`" + `])/(home/[a-z]|Users/[a-zA-Z]|wo` + `rk/|tmp/[a-z]+_jo` + `bs)`),
		"a merge that was not solved": regexp.MustCompile(`(?m)^(<<<<<<<|>>>>>>>) `),
	}
}

// Words finds texts that a finished tree does not hold, in every file but the
// sums of modules.
func Words(tree Tree) []string {
	var found []string
	words := unwanted()
	for _, name := range slices.Sorted(maps.Keys(tree.Files)) {
		if path.Base(name) == "go.sum" {
			continue
		}
		for i, line := range strings.Split(string(tree.Files[name]), "\n") {
			for _, what := range slices.Sorted(maps.Keys(words)) {
				if hit := words[what].FindString(line); hit != "" {
					found = append(found, fmt.Sprintf("%s:%d: %s: %q", name, i+1, what, strings.TrimSpace(hit)))
				}
			}
		}
	}
	return found
}
