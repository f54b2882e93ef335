package factlinetest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestMain doubles as a test binary that gets killed.
func TestMain(m *testing.M) {
	if os.Getenv("FACTLINETEST_PLAY") == "" {
		Main(m)
	}
	s, err := theServer(context.Background())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.embedded.pg.Pid(), s.embedded.dir)
	select {}
}

// failing is a test that can fail without failing the real one.
type failing struct {
	testing.TB
	mu       sync.Mutex
	failed   bool
	log      strings.Builder
	cleanups []func()
}

func (f *failing) Helper() {}

func (f *failing) Logf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(&f.log, format+"\n", args...)
}

func (f *failing) Errorf(format string, args ...any) {
	f.Logf(format, args...)
	f.failed = true
}

func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

func (f *failing) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }

func (f *failing) Failed() bool { return f.failed }

func (f *failing) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }

// run calls fn as a test, cleanups and all, and returns what it logged.
func (f *failing) run(fn func(t testing.TB)) string {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, v := range slices.Backward(f.cleanups) {
				v()
			}
		}()
		fn(f)
	}()
	<-done
	return f.log.String()
}
