package outbox

import "time"

// retry is when something that failed may be tried again. Its zero value is now.
type retry struct {
	at       time.Time
	failures int
}

// Pauses of the relay's own steps against the database, and of chunks that the
// broker does not accept yet.
const (
	firstRetry     = 50 * time.Millisecond
	maxRetry       = 2 * time.Second
	maxChunkRetry  = 5 * time.Second
	maxShelfRetry  = 10 * time.Second
	firstLeaseWait = 250 * time.Millisecond
)

// failed doubles the pause, with jitter.
func (r *retry) failed(first, most time.Duration) {
	r.at = time.Now().Add(backoff(r.failures, first, most))
	r.failures++
}

func (r *retry) succeeded() { *r = retry{} }

func (r *retry) isDue() bool { return !time.Now().Before(r.at) }
