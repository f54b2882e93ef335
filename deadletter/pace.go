package deadletter

import (
	"math"
	"time"
)

// pace lets events through at a rate that begins with a tenth and doubles each
// second.
type pace struct {
	rate        float64
	began, last time.Time
	tokens      float64
}

// begin starts the run up.
func (p *pace) begin(now time.Time) { p.began, p.last, p.tokens = now, now, 1 }

// now is how many events may go.
func (p *pace) allow(now time.Time) int {
	if p.rate < 0 {
		return math.MaxInt32
	}
	if p.began.IsZero() {
		p.begin(now)
	}
	current := p.current(now)
	// A second's worth may be saved up, no more.
	p.tokens = min(p.tokens+current*now.Sub(p.last).Seconds(), max(current, 1))
	p.last = now
	return int(p.tokens)
}

func (p *pace) current(now time.Time) float64 {
	return min(p.rate, p.rate/10*math.Pow(2, now.Sub(p.began).Seconds()))
}

func (p *pace) spend(n int) { p.tokens -= float64(n) }

// left is how long so many events take from now on.
func (p *pace) left(n int, now time.Time) time.Duration {
	if p.rate < 0 || p.began.IsZero() {
		return 0
	}
	return time.Duration(float64(n) / p.current(now) * float64(time.Second))
}
