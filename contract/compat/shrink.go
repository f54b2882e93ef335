package compat

import (
	"encoding/json"
	"maps"
	"slices"
)

// maxShrinks bounds how many smaller documents are tried.
const maxShrinks = 400

// shrink returns a smaller value for which still holds what holds for this one.
func shrink(value any, holds func(any) bool) any {
	s := &shrinker{left: maxShrinks, holds: holds}
	return s.smaller(value, func(v any) any { return v })
}

type shrinker struct {
	left  int
	holds func(any) bool
}

func (s *shrinker) try(v any) bool {
	s.left--
	return s.left > 0 && s.holds(v)
}

// smaller shrinks a part of the document; whole puts the part where it belongs.
func (s *shrinker) smaller(part any, whole func(any) any) any {
	for _, plain := range plainer(part) {
		if s.try(whole(plain)) {
			return plain
		}
	}
	switch v := part.(type) {
	case map[string]any:
		return s.object(v, whole)
	case []any:
		return s.array(v, whole)
	}
	return part
}

func plainer(part any) []any {
	var all []any
	switch part.(type) {
	case map[string]any:
		all = []any{map[string]any{}}
	case []any:
		all = []any{[]any{}}
	case string:
		all = []any{"", "a"}
	case json.Number:
		all = []any{json.Number("0"), json.Number("1")}
	}
	return all
}

func (s *shrinker) object(object map[string]any, whole func(any) any) any {
	for _, name := range sortedNames(object) {
		less := maps.Clone(object)
		delete(less, name)
		if s.try(whole(less)) {
			object = less
		}
	}
	for _, name := range sortedNames(object) {
		with := maps.Clone(object)
		with[name] = s.smaller(object[name], func(v any) any {
			inside := maps.Clone(with)
			inside[name] = v
			return whole(inside)
		})
		object = with
	}
	return object
}

func (s *shrinker) array(array []any, whole func(any) any) any {
	for i := range slices.Backward(array) {
		less := slices.Delete(slices.Clone(array), i, i+1)
		if s.try(whole(less)) {
			array = less
		}
	}
	for i := range array {
		with := slices.Clone(array)
		with[i] = s.smaller(array[i], func(v any) any {
			inside := slices.Clone(with)
			inside[i] = v
			return whole(inside)
		})
		array = with
	}
	return array
}
