package contracttest

import (
	"context"
	"errors"
	"net/http/httptrace"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// seal lets a handler reach its database and nothing else. It sees what is dialled
// or asked for under the handler's context.
type seal struct {
	database []string // the addresses at which it is dialled, and the names that are looked up
	cancel   context.CancelCauseFunc

	mu     sync.Mutex
	called string
}

var errSealed = errors.New("contracttest: a handler reaches nothing but its database")

func sealed(ctx context.Context, database *pgx.ConnConfig) (context.Context, *seal) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &seal{database: addresses(ctx, database), cancel: cancel}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      s.refuse, // also where a connection is open already
		DNSStart:     func(info httptrace.DNSStartInfo) { s.dial(info.Host) },
		ConnectStart: func(_, address string) { s.dial(address) },
	}), s
}

// addresses are where a connection to the database may go: a socket of this machine,
// or the host's name and each of its addresses with the port.
func addresses(ctx context.Context, database *pgx.ConnConfig) (all []string) {
	add := func(host string, port uint16) {
		network, address := pgconn.NetworkAddress(host, port)
		all = append(all, host, address)
		if network == "unix" {
			return
		}
		found, _ := database.LookupFunc(ctx, host) // a name that is not found is not dialled either
		for _, ip := range found {
			_, address := pgconn.NetworkAddress(ip, port)
			all = append(all, address)
		}
	}
	add(database.Host, database.Port)
	for _, other := range database.Fallbacks {
		add(other.Host, other.Port)
	}
	return all
}

// dial refuses what is not the database.
func (s *seal) dial(address string) {
	if !slices.Contains(s.database, address) {
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
