package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"factline.dev/cmd/factline/internal/render"
)

// progress prints how a download goes: on a terminal in one line that changes,
// else a line every few seconds.
type progress struct {
	to          io.Writer
	terminal    bool
	began, last time.Time
	now         func() time.Time
}

func newProgress(to io.Writer, terminal bool) *progress {
	return &progress{to: to, terminal: terminal, now: time.Now}
}

// update is a devstack.ProgressFunc.
func (p *progress) update(what string, done, total int64) {
	now := p.now()
	if p.began.IsZero() {
		p.began = now
	}
	pause := 3 * time.Second
	if p.terminal {
		pause = 100 * time.Millisecond
	}
	finished := total > 0 && done >= total
	if !finished && now.Sub(p.last) < pause {
		return
	}
	p.last = now
	start, end := "", "\n"
	if p.terminal && !finished {
		end = ""
	}
	if p.terminal {
		start = "\r\x1b[K"
	}
	_, _ = fmt.Fprint(p.to, start+p.line(what, done, total, now)+end)
}

func (p *progress) line(what string, done, total int64, now time.Time) string {
	if total <= 0 {
		return fmt.Sprintf("downloading %s: %s", what, render.Bytes(done))
	}
	line := fmt.Sprintf("downloading %s: %s of %s (%d %%)", what, render.Bytes(done), render.Bytes(total), done*100/total)
	if spent := now.Sub(p.began); done > 0 && done < total && spent > 0 {
		left := time.Duration(float64(spent) / float64(done) * float64(total-done))
		line += ", about " + render.Duration(left) + " left"
	}
	return line
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
