package lint

import (
	"encoding/json"
	"strings"

	"factline.dev/contract"
)

// envelopeFields are the sixteen that a writer fills.
var envelopeFields = []string{
	"eventId", "eventType", "eventVersion", "occurredAt", "publishedAt", "producer", "tenantId", "aggregateType",
	"aggregateId", "aggregateVersion", "correlationId", "causationId", "traceId", "schemaRef", "payload", "metadata",
}

func examples() Rule {
	return Rule{
		Name:  "examples",
		Title: "A minimal and a full example, both valid",
		Why: "Consumers are written and tested against the examples. A missing or wrong one is found by the first " +
			"consumer in production.",
		Good:  "examples/minimal.json with required payload fields only, examples/full.json with all",
		Bad:   "examples/full.json that its own schema refuses",
		check: checkExamples,
	}
}

func checkExamples(r *report) {
	for _, e := range r.current() {
		for _, name := range []string{"minimal", "full"} {
			if _, ok := e.Example(name); !ok {
				r.event(e, "eventType", "has no examples/%s.json", name)
			}
		}
		for _, x := range e.Examples {
			checkExample(r, e, x)
		}
	}
}

func checkExample(r *report, e *contract.Event, x contract.Example) {
	if err := r.Validate(e.Type, e.Version, x.Value); err != nil {
		r.add(x.File, e.Type, "%v", err)
		return
	}
	var record map[string]json.RawMessage
	var payload map[string]json.RawMessage
	_ = json.Unmarshal(x.Value, &record) // valid, so both decode
	_ = json.Unmarshal(record["payload"], &payload)
	if _, err := r.Route(e.Type, e.Version, record["payload"]); err != nil {
		r.add(x.File, e.Type, "%v", err)
	}
	switch x.Name {
	case "minimal":
		checkMinimal(r, e, x, payload)
	case "full":
		checkFull(r, e, x, record, payload)
	}
}

func checkMinimal(r *report, e *contract.Event, x contract.Example, payload map[string]json.RawMessage) {
	for _, f := range e.Fields() {
		if _, given := payload[f.Path]; given && !f.Required && !f.Alternative {
			r.add(x.File, e.Type, "holds payload.%s, which is optional; a minimal example holds what is required", f.Path)
		}
	}
}

func checkFull(r *report, e *contract.Event, x contract.Example, record, payload map[string]json.RawMessage) {
	var missing []string
	for _, name := range envelopeFields {
		if _, ok := record[name]; !ok {
			missing = append(missing, name)
		}
	}
	for _, f := range e.Fields() {
		if _, ok := payload[f.Path]; !ok && f.Depth() == 0 && !f.Alternative && f.Named() {
			missing = append(missing, "payload."+f.Path)
		}
	}
	if len(missing) > 0 {
		r.add(x.File, e.Type, "lacks %s; a full example shows every field", strings.Join(missing, ", "))
	}
	var ref string
	if _ = json.Unmarshal(record["schemaRef"], &ref); ref != e.SchemaRef() {
		r.add(x.File, e.Type, "must carry the schemaRef %s", e.SchemaRef())
	}
}
