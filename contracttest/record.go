package contracttest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"factline.dev/contract"
	"factline.dev/envelope"
)

// record is an event as a tree that is free to be changed.
type record map[string]any

// exampleOf is an example as the first event of an aggregate of its own, changed.
// A name of the aggregate stands in more than one place of an event.
func exampleOf(e *contract.Event, name string, change func(record)) ([]byte, error) {
	x, ok := e.Example(name)
	if !ok {
		return nil, fmt.Errorf("%s has no example %s", e.Type, name)
	}
	raw, err := envelope.DecodeRaw(x.Value)
	if err != nil {
		return nil, err
	}
	text := bytes.ReplaceAll(x.Value, fmt.Appendf(nil, "%q", raw.AggregateID), fmt.Appendf(nil, `"ct_%s"`, envelope.NewID()))
	var v record
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	v["eventId"], v["aggregateVersion"] = envelope.NewID(), 1
	change(v)
	return json.Marshal(v)
}

// follower is an event as the next one of the same aggregate.
func follower(value []byte) ([]byte, error) {
	var v record
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
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

func (v record) remove(path []string) {
	at := map[string]any(v)
	for _, name := range path[:len(path)-1] {
		at, _ = at[name].(map[string]any)
	}
	delete(at, path[len(path)-1])
}
