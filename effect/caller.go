package effect

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"factline.dev/envelope"
	"factline.dev/internal/named"
)

//go:embed sql/*.sql
var statements embed.FS

// statement returns one embedded SQL file. It panics on an unknown name, which
// is a programmer's error that the prepare test finds.
func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("effect: unknown statement " + name)
	}
	return string(text)
}

const (
	// maxBytes bounds a request and a response: rows are read whole.
	maxBytes = 1 << 20
	maxKey   = 255
)

// Caller stores the calls of one name. Make one with [NewCaller]. Safe for
// concurrent use.
type Caller struct {
	name  string
	woken chan struct{}
}

// NewCaller returns a caller for name, which says who calls whom for what, such
// as "order-service.confirmation-mail". It is the scope of keys and order keys
// and the label of metrics: a renamed caller knows none of its calls. Letters a
// to z, digits, dots and hyphens, at most 100.
func NewCaller(name string) (*Caller, error) {
	valid := strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
	if name == "" || len(name) > 100 || !valid {
		return nil, fmt.Errorf("effect: make caller %.100q: the name has not 1 to 100 letters a-z, digits, dots and hyphens; name it like order-service.confirmation-mail", name)
	}
	return &Caller{name: name, woken: make(chan struct{}, 1)}, nil
}

// Call is one call to another system, as [Caller.Do] stores it.
type Call struct {
	// Key names the call for ever, here and at the provider, which gets it as
	// the idempotency key. Make it from the event's id and what is done, such as
	// "evt_01J.../confirmation", so that handling the event again makes the same
	// key. 1 to 255 visible ASCII characters. Required.
	Key string
	// OrderKey, where set, has the calls with the same one made one after the
	// other, in the order in which their transactions commit. A transaction
	// keeps others from storing calls of the same order key until it ends. At
	// most 255 bytes. Default none: the call waits for no other.
	OrderKey string
	// Request is what the performer gets, at most 1 MiB. It is stored as it is:
	// no secrets.
	Request []byte
}

func (c Call) validate() error {
	var problems []error
	invisible := strings.ContainsFunc(c.Key, func(r rune) bool { return r <= ' ' || r > '~' })
	if c.Key == "" || len(c.Key) > maxKey || invisible {
		problems = append(problems, fmt.Errorf("effect.Call.Key: it has not 1 to %d visible ASCII characters; make it from the event's id", maxKey))
	}
	if len(c.OrderKey) > maxKey || !utf8.ValidString(c.OrderKey) || strings.Contains(c.OrderKey, "\x00") {
		problems = append(problems, fmt.Errorf("effect.Call.OrderKey: it is not text of at most %d bytes; use the id of what is ordered", maxKey))
	}
	if len(c.Request) > maxBytes {
		problems = append(problems, fmt.Errorf("effect.Call.Request: %d bytes are more than %d; store the content and send its id", len(c.Request), maxBytes))
	}
	return errors.Join(problems...)
}

// Do stores call in the caller's transaction. It is made when that commits and
// never otherwise. Known reports that the key was stored before, also by this
// transaction: nothing changed. The same key for another call is a
// [*ConflictError]. Both leave tx usable; a database error leaves it aborted.
//
// ctx gives the [envelope.Cause] that the performer and OnResult get; a handler
// of package consumer has the event's in it. Under [WithReplay] Do records the
// call and tx may be nil.
func (c *Caller) Do(ctx context.Context, tx pgx.Tx, call Call) (known bool, err error) {
	if err := call.validate(); err != nil {
		return false, fmt.Errorf("effect: store a call of %s: %w", c.name, err)
	}
	if record, closed := replayFrom(ctx); closed {
		record(c.name, call)
		return false, nil
	}
	known, err = c.insert(ctx, tx, call)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "42P01" {
		return false, ErrNoTables
	}
	if conflict, ok := errors.AsType[*ConflictError](err); ok {
		return true, conflict
	}
	if err != nil {
		return false, fmt.Errorf("effect: store call %s of %s: %w", call.Key, c.name, err)
	}
	return known, nil
}

func (c *Caller) insert(ctx context.Context, tx pgx.Tx, call Call) (known bool, err error) {
	args := c.args(envelope.CauseFrom(ctx), call)
	var stored int64
	var b pgx.Batch
	if call.OrderKey != "" {
		// A statement of its own: the next one must see what was stored while
		// this one waited.
		b.Queue(statement("lock_order"), args)
	}
	b.Queue(statement("store"), args).Exec(func(tag pgconn.CommandTag) error {
		stored = tag.RowsAffected()
		return nil
	})
	if err := tx.SendBatch(ctx, &b).Close(); err != nil || stored == 1 {
		return false, err
	}
	return true, c.compare(ctx, tx, call, args)
}

func (c *Caller) compare(ctx context.Context, tx pgx.Tx, call Call, args named.Args) error {
	var sameRequest, sameOrder bool
	if err := tx.QueryRow(ctx, statement("same"), args).Scan(&sameRequest, &sameOrder); err != nil {
		return err
	}
	switch {
	case !sameRequest:
		return &ConflictError{Name: c.name, Key: call.Key, Field: "request"}
	case !sameOrder:
		return &ConflictError{Name: c.name, Key: call.Key, Field: "order key"}
	}
	return nil
}

func (c *Caller) args(cause envelope.Cause, call Call) named.Args {
	var order *string
	if call.OrderKey != "" {
		order = &call.OrderKey
	}
	request := call.Request
	if request == nil {
		request = []byte{}
	}
	return named.Args{
		"name": c.name, "key": call.Key, "order_key": order, "request": request,
		"tenant_id": cause.TenantID, "event_id": cause.CausationID, "cause": cause,
	}
}

// Wake tells a worker in this process to look now. Call it after the commit
// where the next poll is too late; a missed wake-up costs one PollInterval.
func (c *Caller) Wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}
