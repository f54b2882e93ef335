package render

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"factline.dev/contract"
)

// Info heads a document.
type Info struct {
	// Title is the name of what the catalogue belongs to. Default the catalogue's.
	Title string
	// Version is the version of the catalogue, in whatever form its owner counts.
	Version string
}

const (
	asyncAPIVersion     = "3.0.0"
	kafkaBindingVersion = "0.5.0"
	jsonContent         = "application/json"
)

// AsyncAPI writes the catalogue as an AsyncAPI 3 document in JSON: a channel for
// each topic with its Kafka settings, a message for each version of an event with
// its examples, and an operation for whatever each service sends and each
// consumer group receives.
//
// Schemas are written in AsyncAPI's own language, a form of JSON Schema draft-07:
// $ref with siblings becomes allOf, tuples and dependencies take their old names.
// unevaluatedItems and unevaluatedProperties have no counterpart and are left
// out, which makes the document wider than the contract, never narrower.
func AsyncAPI(c *contract.Catalogue, info Info) ([]byte, error) {
	d := asyncAPI{
		AsyncAPI: asyncAPIVersion, DefaultContentType: jsonContent,
		Info:     asyncInfo{cmp.Or(info.Title, c.Title()), info.Version, "Events, who owns them and who reads them. Written from the contracts; change those."},
		Channels: map[string]channel{}, Operations: map[string]operation{},
		Components: components{Schemas: map[string]any{"headers": headersSchema()}, Messages: map[string]message{}},
	}
	named := schemas{d.Components.Schemas, map[string]string{}}
	for _, e := range c.Events() {
		if err := d.addMessage(c, e, named); err != nil {
			return nil, fmt.Errorf("render: write %s as AsyncAPI: %w", e.SchemaRef(), err)
		}
	}
	for _, t := range c.Topics() {
		d.addChannel(c, t)
	}
	for _, s := range c.Services() {
		d.addReceives(c, s)
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render: write AsyncAPI: %w", err)
	}
	return append(text, '\n'), nil
}

type (
	asyncAPI struct {
		AsyncAPI           string               `json:"asyncapi"`
		Info               asyncInfo            `json:"info"`
		DefaultContentType string               `json:"defaultContentType"`
		Channels           map[string]channel   `json:"channels"`
		Operations         map[string]operation `json:"operations"`
		Components         components           `json:"components"`
	}
	asyncInfo struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	components struct {
		Schemas  map[string]any     `json:"schemas"`
		Messages map[string]message `json:"messages"`
	}
	channel struct {
		Address        string               `json:"address"`
		Title          string               `json:"title"`
		Description    string               `json:"description"`
		Messages       map[string]reference `json:"messages"`
		Tags           []tag                `json:"tags"`
		Bindings       map[string]any       `json:"bindings"`
		Owner          string               `json:"x-owner"`
		Classification string               `json:"x-classification"`
	}
	message struct {
		Name           string           `json:"name"`
		Title          string           `json:"title"`
		Summary        string           `json:"summary"`
		ContentType    string           `json:"contentType"`
		Headers        reference        `json:"headers"`
		Payload        reference        `json:"payload"`
		CorrelationID  map[string]any   `json:"correlationId"`
		Bindings       map[string]any   `json:"bindings"`
		Examples       []messageExample `json:"examples,omitempty"`
		Classification string           `json:"x-classification"`
		Personal       bool             `json:"x-contains-personal-data"`
		Deprecation    any              `json:"x-deprecation,omitempty"`
	}
	messageExample struct {
		Name    string          `json:"name"`
		Payload json.RawMessage `json:"payload"`
	}
	operation struct {
		Action   string         `json:"action"`
		Summary  string         `json:"summary"`
		Channel  reference      `json:"channel"`
		Messages []reference    `json:"messages"`
		Bindings map[string]any `json:"bindings,omitempty"`
		Mode     string         `json:"x-mode,omitempty"`
	}
	tag struct {
		Name string `json:"name"`
	}
	reference struct {
		Ref string `json:"$ref"`
	}
)

// tags names each once, as the language demands.
func tags(names ...string) []tag {
	var all []tag
	for _, name := range slices.Compact(names) {
		all = append(all, tag{name})
	}
	return all
}

func messageName(e *contract.Event) string { return fmt.Sprintf("%s.v%d", e.Type, e.Version) }

func (d *asyncAPI) addMessage(c *contract.Catalogue, e *contract.Event, named schemas) error {
	schema, err := addSchemas(c, e, named)
	if err != nil {
		return err
	}
	m := message{
		Name: e.Type, Title: fmt.Sprintf("%s, version %d", e.Type, e.Version), Summary: e.Description, ContentType: jsonContent,
		Headers: componentSchema("headers"), Payload: componentSchema(schema),
		CorrelationID: map[string]any{"description": "Follows one business request from end to end.", "location": "$message.header#/correlationId"},
		Bindings: kafka(map[string]any{
			"key": map[string]any{"type": "string", "description": "The payload's " + e.KeyName() + ". " + e.KeyReason},
		}),
		Classification: e.DataClassification, Personal: e.ContainsPII,
	}
	if e.Deprecation != nil {
		m.Deprecation = e.Deprecation
	}
	for _, x := range e.Examples {
		if e.SchemaRef() == e.PayloadSchema { // examples are of the current version
			m.Examples = append(m.Examples, messageExample{x.Name, x.Value})
		}
	}
	d.Components.Messages[messageName(e)] = m
	return nil
}

// addChannel adds a topic and what its owner and other producers send to it.
func (d *asyncAPI) addChannel(c *contract.Catalogue, t *contract.Topic) {
	ch := channel{
		Address: t.Name, Title: t.Name, Description: t.Description, Messages: map[string]reference{},
		Tags:     tags(t.Category, t.Visibility),
		Bindings: kafkaTopic(t.Name, t.Partitions.Production, t.CleanupPolicy, t.RetentionMs, t.MaxMessageBytes),
		Owner:    t.Owner, Classification: t.Classification,
	}
	sent := map[string][]reference{}
	for _, e := range c.Events() {
		if e.Topic == t.Name {
			ch.Messages[messageName(e)] = reference{"#/components/messages/" + messageName(e)}
			sent[e.OwnerService] = append(sent[e.OwnerService], channelMessage(e))
		}
	}
	d.Channels[t.Name] = ch
	for _, service := range slices.Sorted(maps.Keys(sent)) {
		d.Operations[service+".sends."+t.Name] = operation{
			Action: "send", Summary: "What " + service + " says on " + t.Name + ".",
			Channel: reference{"#/channels/" + t.Name}, Messages: sent[service],
		}
	}
}

func (d *asyncAPI) addReceives(c *contract.Catalogue, s *contract.Service) {
	for _, g := range s.Groups {
		for _, sub := range g.Topics {
			if derived, ok := c.Derived(sub.Name); ok {
				d.addDerived(derived)
			}
			op := operation{
				Action: "receive", Summary: g.Purpose, Channel: reference{"#/channels/" + sub.Name}, Messages: []reference{}, Mode: sub.Mode,
				Bindings: kafka(map[string]any{"groupId": map[string]any{"type": "string", "enum": []string{g.Name}}}),
			}
			for _, e := range c.ReadBy(g.Name) {
				if e.Topic == sub.Name {
					op.Messages = append(op.Messages, channelMessage(e))
				}
			}
			d.Operations[g.Name+".receives."+sub.Name] = op
		}
	}
}

// addDerived adds a retry or dead-letter topic that a group reads. What stands on
// it are records of the library, not events, so the channel names no message.
func (d *asyncAPI) addDerived(t contract.DerivedTopic) {
	kind := "Dead letters of " + t.Source + "."
	if t.Tier != "" {
		kind = "Events of " + t.Source + " that are tried again after " + t.Tier + "."
	}
	d.Channels[t.Name] = channel{
		Address: t.Name, Title: t.Name, Description: kind, Messages: map[string]reference{}, Tags: tags("derived"),
		Bindings: kafkaTopic(t.Name, t.Partitions.Production, t.CleanupPolicy, t.RetentionMs, t.MaxMessageBytes),
		Owner:    t.Owner, Classification: t.Classification,
	}
}

func kafkaTopic(name string, partitions int, cleanup string, retentionMs int64, maxMessageBytes int) map[string]any {
	config := map[string]any{"cleanup.policy": []string{cleanup}, "max.message.bytes": maxMessageBytes}
	if retentionMs > 0 {
		config["retention.ms"] = retentionMs
	}
	return kafka(map[string]any{"topic": name, "partitions": partitions, "topicConfiguration": config})
}

func channelMessage(e *contract.Event) reference {
	return reference{"#/channels/" + e.Topic + "/messages/" + messageName(e)}
}

func kafka(binding map[string]any) map[string]any {
	binding["bindingVersion"] = kafkaBindingVersion
	return map[string]any{"kafka": binding}
}
