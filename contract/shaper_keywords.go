package contract

import (
	"encoding/json"
	"maps"
	"math"
	"math/big"
	"regexp"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"factline.dev/contract/wire"
)

const (
	// maxNames is the number of bits that mark which members were met.
	maxNames = 64
	// maxNamePatterns bounds the shapes by matched patterns, two to its power.
	maxNamePatterns = 4
)

// addScalars adds what a schema says without any other.
func (c *shaper) addScalars(to *shape, s *jsonschema.Schema) {
	if s.Bool != nil && !*s.Bool {
		to.kinds = 0
	}
	if s.Types != nil && !s.Types.IsEmpty() {
		to.kinds &= kindsOf(*s.Types)
	}
	if s.Enum != nil {
		to.choices = append(to.choices, choiceOf(s.Enum.Values))
	}
	if s.Const != nil {
		to.choices = append(to.choices, choiceOf([]any{*s.Const}))
	}
	c.addText(to, s)
	addLimits(to, s)
	raise(&to.minMembers, s.MinProperties)
	lower(&to.maxMembers, s.MaxProperties)
	raise(&to.minElements, s.MinItems)
	lower(&to.maxElements, s.MaxItems)
	to.unique = to.unique || s.UniqueItems
}

func (c *shaper) addText(to *shape, s *jsonschema.Schema) {
	raise(&to.minLength, s.MinLength)
	lower(&to.maxLength, s.MaxLength)
	if re, ok := s.Pattern.(*regexp.Regexp); ok {
		if c.patterns[re] == nil {
			c.patterns[re] = wire.NewPattern(re)
		}
		to.patterns = append(to.patterns, c.patterns[re])
	}
	if s.Format != nil {
		to.formats = append(to.formats, wire.NewFormat(s.Format))
	}
}

func addLimits(to *shape, s *jsonschema.Schema) {
	for bound, at := range map[wire.Bound]*big.Rat{
		wire.AtLeast: s.Minimum, wire.AtMost: s.Maximum, wire.MoreThan: s.ExclusiveMinimum, wire.LessThan: s.ExclusiveMaximum,
		wire.MultipleOf: s.MultipleOf,
	} {
		if at != nil {
			to.limits = append(to.limits, wire.Limit{Figure: wire.SchemaFigure(at), Bound: bound})
		}
	}
}

func raise(least *int, to *int) {
	if to != nil {
		*least = max(*least, *to)
	}
}

func lower(most *int, to *int) {
	if to != nil {
		*most = min(*most, *to)
	}
}

func kindsOf(types jsonschema.Types) kinds {
	var all kinds
	for _, name := range types.ToStrings() {
		all |= map[string]kinds{
			"null": kindNull, "boolean": kindBoolean, "integer": kindInteger, "number": kindNumber,
			"string": kindString, "array": kindArray, "object": kindObject,
		}[name]
	}
	return all
}

func choiceOf(values []any) choice {
	c := choice{texts: map[string]bool{}}
	for _, value := range values {
		switch v := value.(type) {
		case nil:
			c.words |= isNull
		case bool:
			c.words |= map[bool]word{true: isTrue, false: isFalse}[v]
		case string:
			c.texts[v] = true
		case json.Number:
			if exact, ok := new(big.Rat).SetString(v.String()); ok {
				c.numbers = append(c.numbers, wire.SchemaFigure(exact))
			}
		}
	}
	return c
}

// addMembers gives each known name the shape that all schemas together ask for,
// and one shape to the unknown names for each set of patterns that they match.
// That the patterns are of package regexp, plain has made sure.
func (c *shaper) addMembers(to *shape, all []*jsonschema.Schema) {
	known := map[string]bool{}
	for _, s := range all {
		for name := range s.Properties {
			known[name] = true
		}
		for _, name := range s.Required {
			known[name] = true
		}
		for p := range s.PatternProperties {
			to.strange = append(to.strange, p.(*regexp.Regexp))
		}
	}
	if len(known) > maxNames || len(to.strange) > maxNamePatterns {
		c.lost = true
		return
	}
	to.names = map[string]int{}
	for i, name := range slices.Sorted(maps.Keys(known)) {
		to.names[name] = i
		to.members = append(to.members, c.shape(c.membersOf(all, name, func(p jsonschema.Regexp) bool { return p.MatchString(name) })...))
	}
	for _, s := range all {
		for _, name := range s.Required {
			to.required |= 1 << to.names[name]
		}
	}
	for matched := range 1 << len(to.strange) {
		to.strangers = append(to.strangers, c.shape(c.strangersOf(all, to.strange, matched)...))
	}
}

func (c *shaper) membersOf(all []*jsonschema.Schema, name string, matches func(jsonschema.Regexp) bool) []*jsonschema.Schema {
	var found []*jsonschema.Schema
	for _, s := range all {
		var own []*jsonschema.Schema
		if property, ok := s.Properties[name]; ok {
			own = append(own, property)
		}
		found = append(found, c.orAdditional(own, s, matches)...)
	}
	return found
}

func (c *shaper) strangersOf(all []*jsonschema.Schema, patterns []*regexp.Regexp, matched int) []*jsonschema.Schema {
	var found []*jsonschema.Schema
	for _, s := range all {
		found = append(found, c.orAdditional(nil, s, func(p jsonschema.Regexp) bool {
			return matched>>slices.Index(patterns, p.(*regexp.Regexp))&1 != 0
		})...)
	}
	return found
}

// orAdditional adds what a schema says of a member beside its properties.
func (c *shaper) orAdditional(own []*jsonschema.Schema, s *jsonschema.Schema, matches func(jsonschema.Regexp) bool) []*jsonschema.Schema {
	for p, sub := range s.PatternProperties {
		if matches(p) {
			own = append(own, sub)
		}
	}
	if len(own) > 0 {
		return own
	}
	switch additional := s.AdditionalProperties.(type) {
	case *jsonschema.Schema:
		return []*jsonschema.Schema{additional}
	case bool:
		if !additional {
			return []*jsonschema.Schema{c.never}
		}
	}
	return nil
}

func (c *shaper) addElements(to *shape, all []*jsonschema.Schema) {
	longest := 0
	for _, s := range all {
		longest = max(longest, len(s.PrefixItems))
	}
	for i := range longest {
		to.prefix = append(to.prefix, c.shape(elementsOf(all, i)...))
	}
	to.rest = c.shape(elementsOf(all, math.MaxInt)...)
}

func elementsOf(all []*jsonschema.Schema, i int) []*jsonschema.Schema {
	var found []*jsonschema.Schema
	for _, s := range all {
		switch {
		case i < len(s.PrefixItems):
			found = append(found, s.PrefixItems[i])
		case s.Items2020 != nil:
			found = append(found, s.Items2020)
		}
	}
	return found
}
