package contracttest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/contracttest"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
	"factline.dev/outbox"
	"factline.dev/platform/contracts"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

const (
	service = "order-service"
	group   = "notification-service.business-events.consumer"
	topic   = "oms.order.events.v1"
)

var migrated = factlinetest.PostgresTemplate("contracttest", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `CREATE SCHEMA app; CREATE TABLE app.effect (event_id text NOT NULL)`)
	return err
})

func load(t *testing.T) *contract.Catalogue {
	t.Helper()
	c, err := contract.Load(contracts.FS())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newOutbox(t *testing.T, producer string) *outbox.Outbox {
	t.Helper()
	ob, err := outbox.New(outbox.Config{Contracts: load(t), Producer: producer})
	if err != nil {
		t.Fatal(err)
	}
	return ob
}

func note(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
	_, err := tx.Exec(ctx, `INSERT INTO app.effect VALUES ($1)`, m.EventID)
	return err
}

func effects(ctx context.Context, pool *pgxpool.Pool) (text string, err error) {
	err = pool.QueryRow(ctx, `SELECT COALESCE(string_agg(event_id, ' ' ORDER BY event_id), '') FROM app.effect`).Scan(&text)
	return text, err
}

// others are all events but OrderCaptured, each waiting for nothing in particular.
func others(events []*contract.Event) map[string]string {
	later := map[string]string{}
	for _, e := range events {
		if e.Type != "OrderCaptured" {
			later[e.Type] = "another test"
		}
	}
	return later
}

// subject is a consumer that keeps its contracts, free to be broken.
func subject(t *testing.T) *contracttest.Consumer {
	t.Helper()
	kafka := factlinetest.Kafka(t)
	kafka.CreateTopic(t, topic, 1, nil)
	c := load(t)
	return &contracttest.Consumer{
		Catalogue: c, Effects: effects, Later: others(c.ReadBy(group)),
		Config: consumer.Config{
			Group: group, Service: "notification-service", Pool: factlinetest.Postgres(t, migrated), Brokers: kafka.Addrs(),
			Outbox: newOutbox(t, "notification-service"), Contracts: c,
			Subscriptions: []consumer.Subscription{{
				Topic: topic, Mode: consumer.Unordered, Handlers: map[string]consumer.Handler{"OrderCaptured": note},
			}},
		},
	}
}

func TestAConsumerThatBreaksAPointIsFound(t *testing.T) {
	t.Parallel()
	type payload struct {
		OrderID       string          `json:"orderId"`
		QuoteID       string          `json:"quoteId"`
		CustomerID    string          `json:"customerId"`
		CapturedAt    string          `json:"capturedAt"`
		Currency      string          `json:"currency"`
		Totals        json.RawMessage `json:"totals"`
		LineSummaries json.RawMessage `json:"lineSummaries"`
		Hash          string          `json:"commercialSnapshotHash"`
		LineCount     *int            `json:"lineCount"`
		SalesChannel  string          `json:"salesChannel"`
		Evidence      string          `json:"acceptedEvidenceRef"`
		QuoteRevision int             `json:"quoteRevision"`
		Completion    string          `json:"requestedCompletionDate"`
	}
	handle := func(c *contracttest.Consumer, h consumer.Handler) {
		c.Config.Subscriptions[0].Handlers["OrderCaptured"] = h
	}
	for _, tt := range []struct {
		name  string
		fault func(c *contracttest.Consumer)
		want  string
	}{
		{"one that keeps all", func(*contracttest.Consumer) {}, ""},
		{"the current version is refused", func(c *contracttest.Consumer) {
			handle(c, func(context.Context, pgx.Tx, consumer.Message) error { return consumer.Permanent(errors.New("no")) })
		}, "the current version: it was not handled"},
		{"unknown fields are refused", func(c *contracttest.Consumer) {
			handle(c, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
				d := json.NewDecoder(bytes.NewReader(m.Payload))
				d.DisallowUnknownFields()
				if err := d.Decode(&payload{}); err != nil {
					return consumer.Permanent(err)
				}
				return note(ctx, tx, m)
			})
		}, "unknown optional fields: it was not handled"},
		{"an optional field is needed", func(c *contracttest.Consumer) {
			handle(c, consumer.Handle(func(_ context.Context, _ pgx.Tx, e envelope.Event[payload]) error {
				if e.Payload.LineCount == nil {
					return consumer.Permanent(errors.New("no line count"))
				}
				return nil
			}))
		}, "missing optional fields: it was not handled"},
		{"a field that is not declared is needed", func(c *contracttest.Consumer) {
			handle(c, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
				if !bytes.Contains(m.Payload, []byte(`"commercialSnapshotHash"`)) {
					return consumer.Permanent(errors.New("no hash"))
				}
				return note(ctx, tx, m)
			})
		}, "the declared reads alone: they do not suffice"},
		{"a field that is not declared changes the effect", func(c *contracttest.Consumer) {
			handle(c, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
				if !bytes.Contains(m.Payload, []byte(`"commercialSnapshotHash"`)) {
					return nil
				}
				return note(ctx, tx, m)
			})
		}, "the declared reads alone: they have other effects than the whole event"},
		{"a field that is not declared decides about a rejection", func(c *contracttest.Consumer) {
			handle(c, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
				if !bytes.Contains(m.Payload, []byte(`"commercialSnapshotHash"`)) {
					return consumer.Rejected(errors.Join(errors.New("no hash"), note(ctx, tx, m)))
				}
				return note(ctx, tx, m)
			})
		}, `they have other effects than the whole event; declare what else is read ("handled" became "rejected")`},
		{"an id of its own making is no effect", func(c *contracttest.Consumer) {
			handle(c, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
				_, err := tx.Exec(ctx, `INSERT INTO app.effect VALUES ($1)`, "ord_"+envelope.NewID())
				return err
			})
		}, ""},
		{"another system is asked over HTTP", func(c *contracttest.Consumer) {
			handle(c, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
				ask, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1/quotes", nil)
				if err != nil {
					return err
				}
				if answer, err := http.DefaultClient.Do(ask); err == nil {
					_ = answer.Body.Close()
				}
				return note(ctx, tx, m)
			})
		}, "no reach but the database: its handler called 127.0.0.1:1"},
		{"another system is dialled", func(c *contracttest.Consumer) {
			handle(c, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
				if conn, err := new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:1"); err == nil {
					_ = conn.Close()
				}
				return note(ctx, tx, m)
			})
		}, "no reach but the database: its handler called 127.0.0.1:1"},
		{"another system is dialled at the database's port", func(c *contracttest.Consumer) {
			address := fmt.Sprintf("127.0.0.2:%d", c.Config.Pool.Config().ConnConfig.Port)
			handle(c, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
				if conn, err := new(net.Dialer).DialContext(ctx, "tcp", address); err == nil {
					_ = conn.Close()
				}
				return note(ctx, tx, m)
			})
		}, "no reach but the database: its handler called 127.0.0.2:"},
		{"an example that the service cannot accept", func(c *contracttest.Consumer) { handle(c, acceptOnly("sample")) }, "the current version: it was rejected"},
		{"a sample that the service accepts", func(c *contracttest.Consumer) {
			handle(c, acceptOnly("sample"))
			c.Sample = func(_ *contract.Event, payload json.RawMessage) (json.RawMessage, error) {
				var fields map[string]any
				if err := json.Unmarshal(payload, &fields); err != nil {
					return nil, err
				}
				fields["customerId"] = "sample"
				return json.Marshal(fields)
			}
		}, ""},
		{"the current version is rejected", func(c *contracttest.Consumer) {
			handle(c, func(context.Context, pgx.Tx, consumer.Message) error { return consumer.Rejected(errors.New("no")) })
		}, "the current version: it was rejected; name the type in Rejected"},
		{"what is said to be rejected is handled", func(c *contracttest.Consumer) {
			c.Rejected = map[string]string{"OrderCaptured": "we say so"}
		}, "it was handled although the service says"},
		{"a declared event is not handled", func(c *contracttest.Consumer) { delete(c.Later, "OrderCompleted") }, "OrderCompleted: is not handled by"},
		{"a handled event is said to wait", func(c *contracttest.Consumer) { c.Later["OrderCaptured"] = "a feature" }, "OrderCaptured: is handled by notification-service.business-events.consumer although it waits for a feature"},
		{"a required field is not needed", func(c *contracttest.Consumer) { c.Config.Contracts = nil }, "without the required field payload.orderId: it was not given up"},
		{"what was done is forgotten", func(c *contracttest.Consumer) {
			c.Effects = func(ctx context.Context, pool *pgxpool.Pool) (string, error) {
				if _, err := pool.Exec(ctx, `DELETE FROM factline.inbox`); err != nil {
					return "", err
				}
				return effects(ctx, pool)
			}
		}, "duplicates: changed the effects"},
		{"what was done is forgotten, seen by the replay", func(c *contracttest.Consumer) {
			c.Effects = func(ctx context.Context, pool *pgxpool.Pool) (string, error) {
				if _, err := pool.Exec(ctx, `DELETE FROM factline.inbox`); err != nil {
					return "", err
				}
				return effects(ctx, pool)
			}
		}, "a replay: changed the effects"},
		{"another mode than declared", func(c *contracttest.Consumer) { c.Config.Subscriptions[0].Mode = consumer.Ordered }, `is read in mode ordered, declared is "unordered"`},
		{"an event that is not declared", func(c *contracttest.Consumer) { c.Config.Subscriptions[0].Handlers["OrderLineStarted"] = note }, "OrderLineStarted: is handled and not declared"},
		{"a gate that expires with the inbox", func(c *contracttest.Consumer) {
			c.Config.Subscriptions[0].Mode = consumer.Ordered
			if _, err := c.Config.Pool.Exec(t.Context(), gateless); err != nil {
				t.Error(err)
			}
		}, "a replay after the inbox expired: changed the effects"},
		{"an order that is not kept", func(c *contracttest.Consumer) {
			c.Config.Subscriptions[0].Mode = consumer.Ordered
			if _, err := c.Config.Pool.Exec(t.Context(), forgetful); err != nil {
				t.Error(err)
			}
		}, "out of order: version 2 was handled before version 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := subject(t)
			tt.fault(c)
			broken, err := c.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found := strings.Join(broken, "\n")
			if tt.want == "" && found != "" || !strings.Contains(found, tt.want) {
				t.Errorf("want %q, found:\n%s", tt.want, found)
			}
		})
	}
}

// acceptOnly rejects the orders of all other customers.
func acceptOnly(customer string) consumer.Handler {
	return func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if !bytes.Contains(m.Payload, []byte(customer)) {
			return consumer.Rejected(errors.New("another customer"))
		}
		return note(ctx, tx, m)
	}
}

// gateless forgets where aggregates are when the inbox expires.
const gateless = `
CREATE FUNCTION app.forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM factline.gate; RETURN NULL; END $$;
CREATE TRIGGER forget AFTER DELETE ON factline.inbox FOR EACH STATEMENT EXECUTE FUNCTION app.forget();`

// forgetful says of every event that is held for a gap that it is done.
const forgetful = `
CREATE FUNCTION app.done() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO factline.inbox (consumer, event_id, state, topic, partition, "offset", processed_at)
	VALUES (NEW.consumer, NEW.event_id, 'DONE', NEW.topic, NEW.partition, NEW."offset", now());
	RETURN NEW;
END $$;
CREATE TRIGGER done AFTER INSERT ON factline.held_event FOR EACH ROW EXECUTE FUNCTION app.done();`

func TestAProducerThatBreaksAPointIsFound(t *testing.T) {
	t.Parallel()
	c := load(t)
	e, _ := c.Event("OrderCaptured", 1)
	full, _ := e.Example("full")
	raw, err := envelope.DecodeRaw(full.Value)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, fault, want string }{
		{"one that keeps all", `SELECT 1`, ""},
		{"the schema", `UPDATE factline.outbox_event SET value = convert_to(replace(convert_from(value, 'UTF8'), '"EUR"', '"E"'), 'UTF8')`, "payload.currency must have at least 3 characters"},
		{"a field that readers need", `UPDATE factline.outbox_event SET value = convert_to(replace(convert_from(value, 'UTF8'), '"customerId"', '"customer"'), 'UTF8')`, "reads customerId, which is absent"},
		{"the type", `UPDATE factline.outbox_event SET event_type = 'OrderCompleted'`, "type, producer, aggregate type or schema reference are not the contract's"},
		{"the version", `UPDATE factline.outbox_event SET value = convert_to(replace(convert_from(value, 'UTF8'), '"eventVersion":1', '"eventVersion":2'), 'UTF8')`, "v2: the catalogue holds only v1"},
		{"the key", `UPDATE factline.outbox_event SET record_key = 'another'`, "topic or key are not the contract's"},
		{"the topic", `UPDATE factline.outbox_event SET topic = 'cpq.quote.events.v1'`, "topic or key are not the contract's"},
		{"the headers", `UPDATE factline.outbox_event SET headers = NULL`, "the header eventId is missing"},
		{"the id", `UPDATE factline.outbox_event SET event_id = 'another'`, "the id of the row is not the id of the value"},
		{"an id made at publication", perLease, "was published as"},
		{"another service", `UPDATE factline.outbox_event SET value = convert_to(replace(convert_from(value, 'UTF8'), '"order-service"', '"quote-service"'), 'UTF8')`, "producer must be order-service"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pool, ob := factlinetest.Postgres(t, migrated), newOutbox(t, service)
			ctx := envelope.WithCause(t.Context(), envelope.Cause{TenantID: "tenant_001", CorrelationID: "corr_1", CausationID: "cmd_1"})
			err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				return ob.Append(ctx, tx, outbox.Event{Type: e.Type, AggregateID: raw.AggregateID, Payload: raw.Payload})
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := pool.Exec(ctx, tt.fault); err != nil {
				t.Fatal(err)
			}
			kafka := factlinetest.Kafka(t)
			for _, name := range []string{topic, "cpq.quote.events.v1"} {
				kafka.CreateTopic(t, name, 1, nil)
			}
			var own []*contract.Event
			for _, e := range c.Events() {
				if e.OwnerService == service {
					own = append(own, e)
				}
			}
			broken, err := contracttest.Producer{Catalogue: c, Service: service, Pool: pool, Brokers: kafka.Addrs(), Later: others(own)}.Check(ctx)
			if err != nil {
				t.Fatal(err)
			}
			found := strings.Join(broken, "\n")
			if tt.want == "" && found != "" || !strings.Contains(found, tt.want) {
				t.Errorf("want %q, found:\n%s", tt.want, found)
			}
		})
	}
}

// perLease gives every event another id whenever a relay takes its lane.
const perLease = `
CREATE FUNCTION app.renew() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE factline.outbox_event SET event_id = '01' || upper(substr(md5(NEW.owner), 1, 24)),
		value = convert_to(replace(convert_from(value, 'UTF8'), event_id, '01' || upper(substr(md5(NEW.owner), 1, 24))), 'UTF8');
	RETURN NEW;
END $$;
CREATE TRIGGER renew AFTER UPDATE ON factline.outbox_lane FOR EACH ROW WHEN (OLD.owner <> NEW.owner AND NEW.owner <> '') EXECUTE FUNCTION app.renew();`
