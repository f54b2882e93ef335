package outbox

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kerr"
)

// failureClass says in one of few words why a step of the relay failed. The
// codes are those of the protocols, so that their number is bounded.
func failureClass(err error) string {
	if refusal, ok := errors.AsType[*kerr.Error](err); ok {
		return refusal.Message
	}
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok && len(refusal.Code) == 5 {
		return "SQLSTATE_" + refusal.Code[:2]
	}
	var network net.Error
	isNetwork := errors.As(err, &network)
	switch {
	case errors.Is(err, context.DeadlineExceeded), isNetwork && network.Timeout():
		return "TIMEOUT"
	case isNetwork, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isA[*pgconn.ConnectError](err):
		return "CONNECTION"
	}
	return "OTHER"
}
