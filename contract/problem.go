package contract

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// problems collects what is wrong with a folder, so that one run shows all.
type problems struct{ all []*ProblemError }

func (p *problems) add(file string, line int, path, format string, args ...any) {
	p.all = append(p.all, &ProblemError{File: file, Line: line, Path: path, Message: fmt.Sprintf(format, args...)})
}

// at adds a problem of a YAML document and finds its line.
func (p *problems) at(pos position, path, format string, args ...any) {
	p.add(pos.file, pos.line(path), join(pos.prefix, path), format, args...)
}

func (p *problems) err() error {
	slices.SortStableFunc(p.all, func(a, b *ProblemError) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	errs := make([]error, len(p.all))
	for i, one := range p.all {
		errs[i] = one
	}
	return errors.Join(errs...)
}
