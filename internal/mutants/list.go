package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// mutant is one line of a list.
type mutant struct {
	row, patch, pkg, test string
}

func (m mutant) String() string { return m.row + " " + strings.TrimSuffix(m.patch, ".patch") }

// readLists returns the mutants of a folder whose row or patch only matches.
func readLists(folder string, only *regexp.Regexp) ([]mutant, error) {
	lists, err := filepath.Glob(filepath.Join(folder, "*.tsv"))
	if err != nil || len(lists) == 0 {
		return nil, fmt.Errorf("mutants: read lists: there is no *.tsv in %s; name the folder that holds them", folder)
	}
	var all []mutant
	for _, list := range lists {
		some, err := readList(list)
		if err != nil {
			return nil, err
		}
		for _, m := range some {
			if only.MatchString(m.String()) {
				all = append(all, m)
			}
		}
	}
	return all, nil
}

func readList(path string) (all []mutant, err error) {
	file, err := os.Open(path) //nolint:gosec // the caller names it
	if err != nil {
		return nil, fmt.Errorf("mutants: read list: %w", err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 4 {
			return nil, fmt.Errorf("mutants: read list %s line %d: it has %d fields; write row, patch, package and test, separated by tabs", path, n, len(fields))
		}
		all = append(all, mutant{fields[0], fields[1], fields[2], fields[3]})
	}
	return all, lines.Err()
}
