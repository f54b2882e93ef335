package contracttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"factline.dev/contract"
	"factline.dev/envelope"
)

// record is an event as a tree that is free to be changed.
type record map[string]any

// example is an example as the first event of an aggregate of its own, changed. The
// name of an aggregate, its own or one of Fresh, stands in more than one place of an
// event.
func (c Consumer) example(e *contract.Event, name string, change func(record)) ([]byte, error) {
	x, ok := e.Example(name)
	if !ok {
		return nil, fmt.Errorf("%s has no example %s", e.Type, name)
	}
	raw, err := envelope.DecodeRaw(x.Value)
	if err != nil {
		return nil, err
	}
	var payload map[string]any
	if err := json.Unmarshal(raw.Payload, &payload); err != nil {
		return nil, err
	}
	text := renamed(x.Value, raw.AggregateID)
	for _, field := range c.Fresh {
		if id, ok := payload[field].(string); ok && id != raw.AggregateID {
			text = renamed(text, id)
		}
	}
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	if err := c.sample(e, v); err != nil {
		return nil, fmt.Errorf("make a sample of %s: %w", e.Type, err)
	}
	v["eventId"], v["aggregateVersion"] = envelope.NewID(), 1
	change(v)
	return json.Marshal(v)
}

func decode(text []byte) (v record, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// sample lets the service make the payload one that it accepts.
func (c Consumer) sample(e *contract.Event, v record) error {
	if c.Sample == nil {
		return nil
	}
	payload, err := json.Marshal(v["payload"])
	if err != nil {
		return err
	}
	made, err := c.Sample(e, payload)
	if err != nil {
		return err
	}
	changed, err := decode(made)
	v["payload"] = map[string]any(changed)
	return err
}

func renamed(text []byte, id string) []byte {
	return bytes.ReplaceAll(text, fmt.Appendf(nil, "%q", id), fmt.Appendf(nil, `"ct_%s"`, envelope.NewID()))
}

// follower is an event as the next one of the same aggregate.
func follower(value []byte) ([]byte, error) {
	v, err := decode(value)
	if err != nil {
		return nil, err
	}
	v["eventId"], v["aggregateVersion"] = envelope.NewID(), 2
	return json.Marshal(v)
}

const unknown = "fieldOfALaterVersion"

// addUnknown adds a field that no schema knows to every object but the maps.
func (v record) addUnknown() {
	v[unknown] = map[string]any{"of": "a later version"}
	payload, _ := v["payload"].(map[string]any)
	addTo(payload)
}

// addTo leaves out objects whose values are all strings: they may be maps of the
// contract, in which a new name is content.
func addTo(value any) {
	switch value := value.(type) {
	case map[string]any:
		isMap := true
		for _, field := range value {
			_, text := field.(string)
			isMap = isMap && text
			addTo(field)
		}
		if !isMap {
			value[unknown] = []any{1, nil}
		}
	case []any:
		for _, element := range value {
			addTo(element)
		}
	}
}

// remove takes away what stands at a path in steps, such as payload, lines, [], offerId:
// of the first element of a list and of the first value of a map, *, that has it. It
// reports whether it was there.
func remove(from any, path []string) bool {
	if len(path) == 0 {
		return false
	}
	step, rest := path[0], path[1:]
	within := func(inner any) bool { return remove(inner, rest) }
	object, _ := from.(map[string]any)
	switch {
	case step == "[]":
		elements, _ := from.([]any)
		return slices.ContainsFunc(elements, within)
	case step == "*":
		return slices.ContainsFunc(slices.Sorted(maps.Keys(object)), func(member string) bool { return within(object[member]) })
	case len(rest) > 0:
		return within(object[step])
	}
	_, there := object[step]
	delete(object, step)
	return there
}

// steps are those of a path as in [contract.Field].
func steps(path string) []string {
	return strings.Split(strings.ReplaceAll(path, "[]", ".[]"), ".")
}

// only is what reads, paths from here, leave of a value.
func only(value any, reads []string) any {
	if slices.Contains(reads, "") {
		return value
	}
	switch value := value.(type) {
	case []any:
		kept := make([]any, len(value))
		for i, element := range value {
			kept[i] = only(element, reads)
		}
		return kept
	case map[string]any:
		kept := map[string]any{}
		for name, inner := range value {
			if within := below(reads, name); len(within) > 0 {
				kept[name] = only(inner, within)
			}
		}
		return kept
	}
	return value
}

func below(reads []string, name string) (within []string) {
	for _, read := range reads {
		first, rest, _ := strings.Cut(strings.ReplaceAll(read, "[]", ""), ".")
		if first == name || first == "*" {
			within = append(within, rest)
		}
	}
	return within
}
