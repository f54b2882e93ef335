package benchmark

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"
)

func (b *Bench) startSubjects() []subject {
	return []subject{{"first_order", b.firstOrder}}
}

// firstOrder starts the whole platform in an empty folder, which takes a quote to
// a completed order, and stops it.
func (b *Bench) firstOrder(ctx context.Context, _ int) ([]measure, error) {
	if len(b.cfg.Up) == 0 {
		return nil, errors.New(`Config.Up is empty; give the command of "factline up"`)
	}
	folder, err := os.MkdirTemp("", "factline-bench-up-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := os.Chmod(folder, 0o755); err != nil { //nolint:gosec // the database server has an account of its own
		return nil, err
	}
	args := slices.Concat(b.cfg.Up[1:], []string{
		"--folder", folder, "--for", "1ms",
		"--http", "127.0.0.1:0", "--postgres-port", "-1", "--kafka-port", "-1",
	})
	cmd := exec.CommandContext(ctx, b.cfg.Up[0], args...) //nolint:gosec // our own program
	stderr := &lastWords{}
	cmd.Stderr = stderr
	started := time.Now()
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("the platform ended with %w: %s", err, stderr.text)
	}
	return []measure{{
		subject: "first_order", unit: "s", events: 1, value: time.Since(started).Seconds(),
		about: `"factline up" in an empty folder, with a warm cache: from its start to the first completed order, and its stop`,
	}}, nil
}
