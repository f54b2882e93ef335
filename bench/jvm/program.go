package jvm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Program is a Java program to run.
type Program struct {
	// Jars is the folder that [Build] returned.
	Jars string
	// Flags are the virtual machine's.
	Flags []string
	Main  string
	Args  []string
	// Env is added to the environment: what others must not read in the list of
	// processes belongs here.
	Env []string
	// Stdout receives what it prints. Nil adds it to what an error quotes.
	Stdout *os.File
	Stdin  *os.File
}

// patience is how long a program may take to end when asked to.
const patience = 10 * time.Second

// Run runs the program until it ends or ctx does. The second is no error.
func (p Program) Run(ctx context.Context) error {
	java, err := exec.LookPath("java")
	if err != nil {
		return fmt.Errorf("bench: run %s: %w; install Java 17 or later", p.Main, err)
	}
	log, err := os.CreateTemp("", "factline-bench-*.log")
	if err != nil {
		return fmt.Errorf("bench: make a log for %s: %w", p.Main, err)
	}
	defer func() { _ = os.Remove(log.Name()); _ = log.Close() }()
	args := append(append([]string{"-cp", p.Jars + "/*"}, p.Flags...), p.Main)
	cmd := exec.CommandContext(ctx, java, append(args, p.Args...)...)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	if p.Stdin != nil {
		cmd.Stdin = p.Stdin
	}
	if p.Stdout != nil {
		cmd.Stdout = p.Stdout
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	dieWithParent(cmd)
	// The kernel's "parent died" means the thread that forked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil
	}
	said, readErr := os.ReadFile(log.Name())
	return errors.Join(fmt.Errorf("bench: %s ended by itself; it said:\n%s", p.Main, tail(said)), err, readErr)
}
