package fault

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// command is a line from the parent: first the settings, then points to arm.
type command struct {
	Settings json.RawMessage `json:"settings,omitempty"`
	Arm      *Point          `json:"arm,omitempty"`
}

// notice is a line to the parent.
type notice struct {
	Ready bool   `json:"ready,omitempty"`
	Armed *Point `json:"armed,omitempty"`
	Hit   *Hit   `json:"hit,omitempty"`
}

// Program runs what is to be killed, with the settings of the parent, until ctx
// ends. It calls ready once it works.
type Program func(ctx context.Context, settings json.RawMessage, hooks *Hooks, ready func()) error

// Serve is the child's side: it reads settings and points from in, runs the
// program and reports to out. It ends when the program does, and when in ends,
// because then nobody is left to kill it.
func Serve(ctx context.Context, in io.Reader, out io.Writer, run Program) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	var first command
	if !lines.Scan() {
		return errors.New("fault: serve: the parent sent no settings; this command is started by \"factline prove\" alone")
	}
	if err := json.Unmarshal(lines.Bytes(), &first); err != nil || first.Settings == nil {
		return fmt.Errorf("fault: serve: read settings: %w; this command is started by \"factline prove\" alone", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tell := &teller{encoder: json.NewEncoder(out)}
	hooks := NewHooks(func(h Hit) {
		tell.say(notice{Hit: &h})
		select {} // until the parent's SIGKILL
	})
	go func() {
		defer cancel()
		for lines.Scan() {
			var c command
			if json.Unmarshal(lines.Bytes(), &c) == nil && c.Arm != nil {
				hooks.Arm(*c.Arm)
				tell.say(notice{Armed: c.Arm})
			}
		}
	}()
	return run(ctx, first.Settings, hooks, func() { tell.say(notice{Ready: true}) })
}

// teller writes whole lines. A parent that does not listen any more is no
// reason to fail: the end of in ends the child.
type teller struct {
	mu      sync.Mutex
	encoder *json.Encoder
}

func (t *teller) say(n notice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.encoder.Encode(n)
}
