package archtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Module is the path of the module whose rooms are judged.
const Module = "factline.dev"

// A Package is one Go package as `go list` sees it.
type Package struct {
	// Path is relative to the module: "contract/lint".
	Path string
	// Name is the package's own name; "main" for programs.
	Name string
	// Doc is the first sentence of the package comment.
	Doc string
	// Imports and TestImports are import paths, those of the module relative to
	// it with a leading "./".
	Imports, TestImports []string
	// Linked are the third-party modules of the package and all it imports.
	Linked []string
	// Direct are the third-party modules of its own imports.
	Direct []string
}

// A Tree is the code to judge.
type Tree struct {
	Packages []Package
	// Files are the texts under version control by slashed path, without
	// binaries.
	Files map[string][]byte
}

// RoomOf is the room of a package or file path relative to the module.
func RoomOf(path string) string {
	first, rest, nested := strings.Cut(path, "/")
	if first == "internal" && nested {
		second, _, _ := strings.Cut(rest, "/")
		return "internal/" + second
	}
	return first
}

// Load reads the tree at root, the folder of go.mod. It needs the go command,
// and git where root is a clone; without a clone every file counts.
func Load(ctx context.Context, root string) (Tree, error) {
	packages, err := loadPackages(ctx, root)
	if err != nil {
		return Tree{}, err
	}
	files, err := loadFiles(ctx, root)
	return Tree{Packages: packages, Files: files}, err
}

// listed is what `go list -json` says about a package.
type listed struct {
	ImportPath, Name, Doc              string
	Standard, DepOnly                  bool
	Module                             *struct{ Path string }
	Imports, TestImports, XTestImports []string
	Deps                               []string
	Error                              *struct{ Err string }
}

func loadPackages(ctx context.Context, root string) ([]Package, error) {
	out, err := output(ctx, root, "go", "list", "-deps", "-json=ImportPath,Name,Doc,Standard,DepOnly,Module,Imports,TestImports,XTestImports,Deps,Error", "./...")
	if err != nil {
		return nil, err
	}
	var ours []listed
	modules := map[string]string{} // third-party import path to its module
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("archtest: read what go list says: %w", err)
		}
		switch {
		case p.Module == nil:
		case p.Module.Path == Module:
			ours = append(ours, p)
		default:
			modules[p.ImportPath] = p.Module.Path
		}
	}
	packages := make([]Package, 0, len(ours))
	for _, p := range ours {
		packages = append(packages, Package{
			Path: strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, Module), "/"), Name: p.Name, Doc: p.Doc,
			Imports: relative(p.Imports), TestImports: relative(slices.Concat(p.TestImports, p.XTestImports)),
			Direct: modulesOf(p.Imports, modules), Linked: modulesOf(p.Deps, modules),
		})
	}
	return packages, nil
}

func relative(imports []string) []string {
	out := make([]string, 0, len(imports))
	for _, path := range imports {
		if inside, ok := strings.CutPrefix(path, Module+"/"); ok {
			path = "./" + inside
		}
		out = append(out, path)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func modulesOf(imports []string, modules map[string]string) []string {
	var out []string
	for _, path := range imports {
		if module, ok := modules[path]; ok {
			out = append(out, module)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func loadFiles(ctx context.Context, root string) (map[string][]byte, error) {
	paths, err := tracked(ctx, root)
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte, len(paths))
	for _, path := range paths {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, not yet committed
		}
		if err != nil {
			return nil, fmt.Errorf("archtest: read %s: %w", path, err)
		}
		if !bytes.ContainsRune(text, 0) {
			files[path] = text
		}
	}
	return files, nil
}

func tracked(ctx context.Context, root string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		return walked(root)
	}
	out, err := output(ctx, root, "git", "ls-files", "-z")
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

func walked(root string) ([]string, error) {
	var paths []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		inside, err := filepath.Rel(root, path)
		paths = append(paths, filepath.ToSlash(inside))
		return err
	})
	return paths, err
}

func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stderr = dir, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("archtest: %s %s: %w: %s", name, args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}
