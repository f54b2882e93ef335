package deadletter

import (
	"bytes"
	"encoding/json"

	"factline.dev/contract"
	"factline.dev/envelope"
)

// masked stands in place of what not everybody may see.
const masked = "***"

// maskPayload returns the payload of an event with its personal data hidden, as
// its contract marks it. What no contract describes is hidden whole.
func maskPayload(contracts Contracts, value []byte) json.RawMessage {
	hidden := json.RawMessage(`"` + masked + `"`)
	e, err := envelope.DecodeRaw(value)
	if err != nil {
		return hidden
	}
	known, ok := contracts.Event(e.EventType, e.EventVersion)
	if !ok {
		return hidden
	}
	decoder := json.NewDecoder(bytes.NewReader(e.Payload))
	decoder.UseNumber()
	var payload any
	if decoder.Decode(&payload) != nil {
		return hidden
	}
	text, err := json.Marshal(mask(payload, known.Place("payload")))
	if err != nil {
		return hidden
	}
	return text
}

// mask hides every value at a place that the contract marks or does not know.
func mask(value any, at contract.Place) any {
	if !at.Known() || at.PII() {
		return masked
	}
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			v[name] = mask(inner, at.Member(name))
		}
	case []any:
		for i, inner := range v {
			v[i] = mask(inner, at.Element(i))
		}
	}
	return value
}
