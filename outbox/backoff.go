package outbox

import (
	"math/rand/v2"
	"time"
)

// backoff returns the pause before retry n, counted from 0: it doubles from
// first up to most and spreads by a quarter either way, so that many waiters do
// not come back together.
func backoff(n int, first, most time.Duration) time.Duration {
	d := most
	if n < 20 {
		d = min(first<<n, most)
	}
	return d*3/4 + rand.N(d/2+1)
}
