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

var (
	schemaConstant = regexp.MustCompile(`(?m)^\s*(?:const\s+)?Schema\s*=\s*"(\w+)"`)
	tableOfSchema  = regexp.MustCompile(`(?i)\b(?:from|join|into|update|only|table|using)\s+"?(\w+)"?\s*\.\s*"?\w`)
)

// ForeignTables finds SQL of a service that names a table of another one. What a
// service knows of another it learned from an event or asked over HTTP: whoever
// reads the producer's database is broken by its next migration.
func ForeignTables(tree Tree, services []string) []string {
	owner := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(tree.Files)) {
		if service, ok := serviceOf(name, services); ok {
			if match := schemaConstant.FindSubmatch(tree.Files[name]); match != nil && path.Ext(name) == ".go" {
				owner[string(match[1])] = service
			}
		}
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(tree.Files)) {
		service, ok := serviceOf(name, services)
		if !ok || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text := statements(name, tree.Files[name])
		for _, at := range tableOfSchema.FindAllSubmatchIndex(text, -1) {
			schema := string(text[at[2]:at[3]])
			if other := owner[schema]; other != "" && other != service {
				found = append(found, fmt.Sprintf("%s:%d: reads schema %s of service %s; use its events or its API",
					name, 1+bytes.Count(text[:at[2]], []byte("\n")), schema, other))
			}
		}
	}
	return found
}

// statements is a file with everything blanked that is no SQL: of Go code, all
// but the strings.
func statements(name string, text []byte) []byte {
	switch path.Ext(name) {
	case ".sql":
		return text
	case ".go":
	default:
		return nil
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil // Size reports it
	}
	blank := bytes.Map(func(r rune) rune {
		if r == '\n' || r > '~' {
			return r
		}
		return ' '
	}, text)
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			from := set.Position(literal.Pos()).Offset
			copy(blank[from:], text[from:from+len(literal.Value)])
		}
		return true
	})
	return blank
}

func serviceOf(name string, services []string) (string, bool) {
	service, ok := below(name)
	return service, ok && slices.Contains(services, service)
}

// ConsumerLogic finds consumer callbacks of services that move state themselves.
// A transition that stands in a callback alone can be neither repaired by a
// command nor tested without a record; a callback calls what a command calls.
func ConsumerLogic(tree Tree, services []string) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(tree.Files)) {
		if _, ok := serviceOf(name, services); !ok || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, tree.Files[name], parser.SkipObjectResolution)
		if err != nil {
			continue // Size reports it
		}
		ast.Inspect(file, func(n ast.Node) bool {
			signature, body := callback(n)
			if body == nil || !takesRecord(signature) {
				return true
			}
			for _, at := range transitions(body) {
				found = append(found, fmt.Sprintf("%s: a consumer callback changes state itself; call the function that the command calls", set.Position(at)))
			}
			return false
		})
	}
	return found
}

func callback(n ast.Node) (*ast.FuncType, *ast.BlockStmt) {
	switch f := n.(type) {
	case *ast.FuncDecl:
		return f.Type, f.Body
	case *ast.FuncLit:
		return f.Type, f.Body
	}
	return nil, nil
}

// takesRecord reports whether a function is called with a record of the log and
// the transaction of its effect.
func takesRecord(f *ast.FuncType) bool {
	record, tx := false, false
	for _, p := range f.Params.List {
		kind := p.Type
		if generic, ok := kind.(*ast.IndexExpr); ok {
			kind = generic.X
		}
		if s, ok := kind.(*ast.SelectorExpr); ok {
			name := fmt.Sprintf("%s.%s", s.X, s.Sel)
			record = record || name == "consumer.Message" || name == "envelope.Event"
			tx = tx || name == "pgx.Tx"
		}
	}
	return record && tx
}

// transitions are the places of a body that set a state or state a fact.
func transitions(body *ast.BlockStmt) []token.Pos {
	var found []token.Pos
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if s, ok := left.(*ast.SelectorExpr); ok && (s.Sel.Name == "State" || s.Sel.Name == "Status") {
					found = append(found, n.Pos())
				}
			}
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Append" {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}
