// Package sample makes large contracts folders for tests and benchmarks: as many
// events as asked for, in an invented retail domain, each of which keeps every
// lint rule.
package sample

import (
	"fmt"
	"strings"
)

// eventsPerTopic is how many events share a topic, an aggregate and a service.
const eventsPerTopic = 20

// Files returns the files of a folder with that many events, by path.
func Files(events int) map[string]string {
	files := map[string]string{"envelope.schema.json": envelope}
	var services strings.Builder
	services.WriteString("services:\n")
	for first := 0; first < events; first += eventsPerTopic {
		n := first / eventsPerTopic
		fmt.Fprintf(&services, service, n)
		files[fmt.Sprintf("events/retail.area%d.events/topic.yaml", n)] = fmt.Sprintf(topic, n)
		for i := first; i < min(first+eventsPerTopic, events); i++ {
			addEvent(files, n, fmt.Sprintf("Area%dStep%dTaken", n, i))
		}
	}
	files["services.yaml"] = services.String()
	return files
}

func addEvent(files map[string]string, area int, name string) {
	dir := fmt.Sprintf("events/retail.area%d.events/%s/", area, name)
	fill := strings.NewReplacer("AREA", fmt.Sprint(area), "NAME", name)
	files[dir+"event.yaml"] = fill.Replace(record)
	files[dir+"v1.schema.json"] = fill.Replace(schema)
	files[dir+"examples/minimal.json"] = fill.Replace(minimal)
	files[dir+"examples/full.json"] = fill.Replace(full)
	files[dir+"CHANGELOG.md"] = "# " + name + "\n\n## Version 1\nFirst version.\n"
}

const service = `  - name: area%[1]d-service
    description: Keeps area %[1]d.
    team: Retail Team
    trust: CORE
    tenants: [all]
    runbook: https://retail.example/runbooks/area%[1]d
    groups:
      - name: area%[1]d-service.events.consumer
        purpose: Keeps the summary of the area.
        topics:
          - { name: retail.area%[1]d.events.v1, mode: ordered }
`

const topic = `name: retail.area%[1]d.events.v1
description: What happens in area %[1]d.
category: domain
visibility: public
owner: area%[1]d-service
businessOwner: Retail
technicalOwner: Retail Team
key: areaId
partitions: { production: 6, local: 3 }
retentionMs: 31536000000
archive: true
cleanupPolicy: delete
classification: high
retryTiers: [1m, 15m]
`

const record = `eventType: NAME
topic: retail.areaAREA.events.v1
description: A step was taken.
ownerService: areaAREA-service
businessOwner: Retail
technicalOwner: Retail Team
aggregateType: AreaAREA
key: areaId
keyReason: All steps of one area are read in order; none of them is hot.
payloadSchema: schema://retail.areaAREA.events/NAME/1
compatibility: additive
containsPII: false
dataClassification: high
retention: 365 days plus archive
replaySafe: true
sideEffectWarning: ""
consumers:
  - service: areaAREA-service
    group: areaAREA-service.events.consumer
    reads: [areaId, state, total, lines]
`

const envelope = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://retail.example/contracts/envelope.schema.json",
  "type": "object",
  "required": ["eventId", "eventType", "eventVersion", "occurredAt", "producer", "tenantId", "aggregateType", "aggregateId", "payload"],
  "properties": {
    "eventId": {"type": "string"},
    "occurredAt": {"type": "string", "format": "date-time"},
    "publishedAt": {"type": "string", "format": "date-time"},
    "payload": {"type": "object"}
  }
}
`

const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://retail.example/contracts/events/retail.areaAREA.events/NAME/v1.schema.json",
  "$ref": "../../../envelope.schema.json",
  "properties": {
    "eventType": {"const": "NAME"},
    "eventVersion": {"const": 1},
    "producer": {"const": "areaAREA-service"},
    "aggregateType": {"const": "AreaAREA"},
    "payload": {
      "type": "object",
      "required": ["areaId", "state", "total", "takenAt", "lines"],
      "properties": {
        "areaId": {"type": "string", "minLength": 1, "maxLength": 100},
        "state": {"type": "string", "enum": ["OPEN", "TAKEN", "CLOSED"], "description": "Where the area stands."},
        "total": {"type": "string", "pattern": "^[0-9]{1,12}\\.[0-9]{2}$"},
        "takenAt": {"type": "string", "format": "date-time", "description": "When the step was taken."},
        "note": {"type": "string", "maxLength": 500},
        "lines": {
          "type": "array",
          "maxItems": 500,
          "items": {
            "type": "object",
            "required": ["lineId", "quantity"],
            "properties": {
              "lineId": {"type": "string"},
              "quantity": {"type": "integer", "minimum": 1},
              "price": {"type": "string", "pattern": "^[0-9]{1,12}\\.[0-9]{2}$"}
            }
          }
        }
      }
    }
  }
}
`

const minimal = `{"eventId": "01J", "eventType": "NAME", "eventVersion": 1, "occurredAt": "2026-07-02T08:00:00Z", "producer": "areaAREA-service",
  "tenantId": "tenant_1", "aggregateType": "AreaAREA", "aggregateId": "area_1",
  "payload": {"areaId": "area_1", "state": "TAKEN", "total": "12.00", "takenAt": "2026-07-02T08:00:00Z", "lines": [{"lineId": "l_1", "quantity": 2}]}}
`

const full = `{"eventId": "01J", "eventType": "NAME", "eventVersion": 1, "occurredAt": "2026-07-02T08:00:00Z", "publishedAt": "2026-07-02T08:00:01Z",
  "producer": "areaAREA-service", "tenantId": "tenant_1", "aggregateType": "AreaAREA", "aggregateId": "area_1", "aggregateVersion": 3,
  "correlationId": "corr_1", "causationId": "cmd_1", "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "schemaRef": "schema://retail.areaAREA.events/NAME/1",
  "payload": {"areaId": "area_1", "state": "TAKEN", "total": "12.00", "takenAt": "2026-07-02T08:00:00Z", "note": "by hand",
    "lines": [{"lineId": "l_1", "quantity": 2, "price": "6.00"}]},
  "metadata": {}}
`
