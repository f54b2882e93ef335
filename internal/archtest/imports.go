package archtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Cycles finds rooms that import each other, directly or in a ring. The
// compiler refuses such rings only between packages.
func Cycles(tree Tree) []string {
	edges := map[string]map[string]bool{}
	for _, p := range tree.Packages {
		for _, to := range roomsOf(p.Imports) {
			if from := RoomOf(p.Path); from != to {
				if edges[from] == nil {
					edges[from] = map[string]bool{}
				}
				edges[from][to] = true
			}
		}
	}
	var found []string
	for _, from := range slices.Sorted(maps.Keys(edges)) {
		if ring := pathTo(edges, from, from, map[string]bool{}); ring != nil && slices.Min(ring) == from {
			found = append(found, "rooms import each other in a ring: "+strings.Join(append([]string{from}, ring...), " -> "))
		}
	}
	return found
}

// pathTo is the way from one room to another along imports, or nil.
func pathTo(edges map[string]map[string]bool, from, to string, seen map[string]bool) []string {
	for _, next := range slices.Sorted(maps.Keys(edges[from])) {
		if next == to {
			return []string{to}
		}
		if seen[next] {
			continue
		}
		seen[next] = true
		if rest := pathTo(edges, next, to, seen); rest != nil {
			return append([]string{next}, rest...)
		}
	}
	return nil
}

func roomsOf(imports []string) []string {
	var rooms []string
	for _, path := range imports {
		if inside, ok := strings.CutPrefix(path, "./"); ok && !slices.Contains(rooms, RoomOf(inside)) {
			rooms = append(rooms, RoomOf(inside))
		}
	}
	return rooms
}

// Direction finds imports that the table of rooms does not allow, and rooms that
// it does not know.
func Direction(tree Tree, rooms map[string]Room) []string {
	var found []string
	for _, p := range tree.Packages {
		from := RoomOf(p.Path)
		room, known := rooms[from]
		if !known {
			found = append(found, fmt.Sprintf("%s: room %s is not in archtest.Rooms; add it with what it may import", p.Path, from))
			continue
		}
		for _, to := range roomsOf(p.Imports) {
			if to != from && !slices.Contains(room.Imports, to) {
				found = append(found, fmt.Sprintf("%s imports %s: room %s may import only %v", p.Path, to, from, room.Imports))
			}
		}
	}
	return found
}

// TestDirection finds tests of library rooms that lean on what is built upon the
// library. The platform's contracts are data and allowed.
func TestDirection(tree Tree, rooms map[string]Room) []string {
	var found []string
	for _, p := range tree.Packages {
		if !rooms[RoomOf(p.Path)].IsLibrary {
			continue
		}
		for _, path := range p.TestImports {
			inside, ours := strings.CutPrefix(path, "./")
			to := RoomOf(inside)
			if ours && !rooms[to].IsLibrary && to != "factlinetest" && to != "internal/devstack" && inside != "platform/contracts" {
				found = append(found, fmt.Sprintf("%s: its test imports %s; a library room is tested without what is built on it", p.Path, inside))
			}
		}
	}
	return found
}

// ServiceIndependence finds services that import each other, shared packages
// that import a service, and packages that are neither.
func ServiceIndependence(tree Tree, services, shared []string) []string {
	var found []string
	for _, p := range tree.Packages {
		from, ok := below(p.Path)
		if !ok {
			continue
		}
		if !slices.Contains(services, from) && !slices.Contains(shared, from) {
			found = append(found, fmt.Sprintf("%s is in neither archtest.Services nor archtest.Shared; add it to one", p.Path))
		}
		for _, path := range slices.Concat(p.Imports, p.TestImports) {
			to, ok := below(strings.TrimPrefix(path, "./"))
			if ok && to != from && slices.Contains(services, to) {
				found = append(found, fmt.Sprintf("%s imports service %s; it may know of it only what events say", p.Path, to))
			}
		}
	}
	return found
}

// below is the package's folder below platform/internal.
func below(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "platform/internal/")
	name, _, _ := strings.Cut(rest, "/")
	return name, ok
}

// Modules finds third-party modules that a library room imports or links
// without leave.
func Modules(tree Tree, rooms map[string]Room, brings map[string][]string) []string {
	var found []string
	for _, p := range tree.Packages {
		name := RoomOf(p.Path)
		room := rooms[name]
		if !room.IsLibrary {
			continue
		}
		allowed := linkable(name, rooms, brings)
		for _, module := range p.Direct {
			if !slices.Contains(room.Modules, module) {
				found = append(found, fmt.Sprintf("%s imports module %s: room %s may import only %v", p.Path, module, name, room.Modules))
			}
		}
		for _, module := range p.Linked {
			if !allowed[module] && !slices.Contains(p.Direct, module) {
				found = append(found, fmt.Sprintf("%s links module %s, which no line of archtest.Rooms or archtest.Brings allows", p.Path, module))
			}
		}
	}
	return found
}

// linkable are the modules of a room, of the rooms it may import, and what they
// bring.
func linkable(name string, rooms map[string]Room, brings map[string][]string) map[string]bool {
	allowed := map[string]bool{}
	var add func(module string)
	add = func(module string) {
		if !allowed[module] {
			allowed[module] = true
			for _, more := range brings[module] {
				add(more)
			}
		}
	}
	for _, module := range rooms[name].Modules {
		add(module)
	}
	for _, below := range rooms[name].Imports {
		maps.Copy(allowed, linkable(below, rooms, brings))
	}
	return allowed
}
