package factlinetest

import (
	"testing"
	"time"
)

// Eventually calls cond until it returns true, at first after 1 ms, then less
// and less often, every 50 ms in the end. The test fails at once when the test's
// context ends, and after timeout with what was awaited and the last error. An
// error of cond means "not yet". cond runs in the test's goroutine, so it may
// call t.Fatal.
func Eventually(t testing.TB, timeout time.Duration, what string, cond func() (bool, error)) {
	t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		ok, err := cond()
		if ok && err == nil {
			return
		}
		select {
		case <-time.After(wait):
		case <-deadline.C:
			t.Fatalf("factlinetest: waited %s for %s in vain (last error: %v)", timeout, what, err)
		case <-t.Context().Done():
			t.Fatalf("factlinetest: stopped waiting for %s: the test ended (last error: %v)", what, err)
		}
	}
}
