package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"factline.dev/internal/devstack"
)

const usage = "usage: go run ./internal/withkafka -- COMMAND [ARGUMENT...]"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], startKafka, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// broker is what a run needs of [devstack.Kafka].
type broker interface {
	Addr() string
	Done() <-chan error
	Stop(ctx context.Context) error
}

type startFunc func(ctx context.Context, log *slog.Logger) (broker, error)

func startKafka(ctx context.Context, log *slog.Logger) (broker, error) {
	return devstack.StartKafka(ctx, devstack.KafkaConfig{Logger: log})
}

// run returns the exit code: the command's own, 1 where something else failed,
// 2 for a wrong use.
func run(ctx context.Context, args []string, start startFunc, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(stderr, usage)
		return 2
	}
	began := time.Now()
	kafka, err := start(ctx, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		fmt.Fprintf(stderr, "withkafka: %v\n", err)
		return 1
	}
	fmt.Fprintf(stderr, "withkafka: Apache Kafka answers on %s after %.1f s\n", kafka.Addr(), time.Since(began).Seconds())
	code := runBeside(ctx, kafka, args, stdout, stderr)
	if err := stopKafka(kafka); err != nil {
		fmt.Fprintf(stderr, "withkafka: %v\n", err)
		return max(code, 1)
	}
	return code
}

// stopKafka has its own time: the context of the run may be what ended it.
func stopKafka(kafka broker) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return kafka.Stop(ctx)
}

func runBeside(ctx context.Context, kafka broker, args []string, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case err := <-kafka.Done():
			cancel(errors.Join(errors.New("the broker ended before the command"), err))
		case <-finished:
		}
	}()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "FACTLINE_KAFKA="+kafka.Addr())
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	err := cmd.Run()
	if cause := context.Cause(ctx); cause != nil {
		fmt.Fprintf(stderr, "withkafka: %v\n", cause)
		return 1
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintf(stderr, "withkafka: run %s: %v\n", args[0], err)
		return 1
	}
	return 0
}
