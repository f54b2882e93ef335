package contracttest

import (
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
)

// seal lets a handler reach its database and nothing else. It sees what is dialled
// or asked for under the handler's context.
type seal struct {
	database *pgx.ConnConfig
	cancel   context.CancelCauseFunc

	mu     sync.Mutex
	called string
}

var errSealed = errors.New("contracttest: a handler reaches nothing but its database")

func sealed(ctx context.Context, database *pgx.ConnConfig) (context.Context, *seal) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &seal{database: database, cancel: cancel}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      s.refuse, // also where a connection is open already
		DNSStart:     func(info httptrace.DNSStartInfo) { s.dial(info.Host) },
		ConnectStart: func(_, address string) { s.dial(address) },
	}), s
}

// dial refuses what is not the database, whose address a resolver may have found.
func (s *seal) dial(address string) {
	_, port, _ := net.SplitHostPort(address)
	if address != s.database.Host && port != strconv.Itoa(int(s.database.Port)) {
		s.refuse(address)
	}
}

func (s *seal) refuse(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.called = address
	s.cancel(errSealed)
}

// broken is what the handler called, empty for nothing.
func (s *seal) broken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.called
}

func (s *seal) close() { s.cancel(nil) }
