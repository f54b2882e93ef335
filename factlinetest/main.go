package factlinetest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Main runs the tests of a package, stops the server of [Postgres] and then
// fails if goroutines are left over; opts name those to overlook. It does not
// return. Use it as
//
//	func TestMain(m *testing.M) { factlinetest.Main(m) }
//
// Tests need it for the leak check only: the server ends with the test binary
// anyway.
func Main(m *testing.M, opts ...goleak.Option) {
	code := m.Run()
	if err := stopServer(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(opts...); err != nil {
			fmt.Fprintf(os.Stderr, "factlinetest: goroutines are left after all tests: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

func stopServer() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	s := shared.server
	if s == nil {
		return nil
	}
	shared.server = nil
	return s.stop()
}

func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	defer s.admin.Close()
	if s.embedded != nil {
		s.admin.Close()
		return s.embedded.stop()
	}
	return s.dropTemplates(ctx)
}
