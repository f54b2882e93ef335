package generate

import (
	"slices"
	"strings"
)

// reads are the fields that are read at a place, as paths from there without the
// brackets of lists and the stars of maps. One of "" is the whole of it.
type reads []string

func readsOf(paths []string) reads {
	all := reads{}
	for _, path := range paths {
		if path == "*" {
			path = ""
		}
		all = append(all, strings.ReplaceAll(strings.ReplaceAll(path, "[]", ""), ".*", ""))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (rs reads) whole() bool { return slices.Contains(rs, "") }

func (rs reads) key() string {
	if rs.whole() {
		return "*"
	}
	return strings.Join(rs, ",")
}

// inside are the reads within a member, and whether it is read at all.
func (rs reads) inside(name string) (reads, bool) {
	if rs.whole() {
		return reads{""}, true
	}
	var within reads
	for _, path := range rs {
		first, rest, _ := strings.Cut(path, ".")
		if first == name {
			within = append(within, rest)
		}
	}
	return within, len(within) > 0
}
