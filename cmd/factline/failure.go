package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 3
)

// failure is an error that knows its exit code and what to type next.
type failure struct {
	code int
	err  error
	// next is a command line without the program's name, empty for the help of
	// the command.
	next string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usagef is a call that cannot be understood.
func usagef(format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// failed is err with the command that leads on.
func failed(err error, next string) error {
	return &failure{code: exitFailed, err: err, next: next}
}

// foundf is a command that worked and has bad news. It is no error of a room,
// so its text is a plain sentence.
func foundf(next, format string, args ...any) error {
	return &failure{code: exitFound, err: fmt.Errorf(format, args...), next: next}
}

// report prints err once, the command to type next in the last line.
func (a *app) report(cmd *cobra.Command, err error) int {
	code, next := exitFailed, ""
	if f, ok := errors.AsType[*failure](err); ok {
		code, next = f.code, f.next
	}
	if next == "" {
		next = strings.TrimPrefix(cmd.CommandPath()+" --help", cmd.Root().Name()+" ")
	}
	text := strings.TrimRight(render.SafeLines(a.secrets.Clean(err.Error())), "\n")
	_, _ = fmt.Fprintf(a.err, "%s\n%s\n", text, programName(os.Args[0])+" "+render.Safe(next))
	return code
}

// programName is how to type this program again.
func programName(argument string) string {
	switch {
	case strings.Contains(argument, string(filepath.Separator)+"go-build"):
		return "go run ./cmd/factline"
	case strings.ContainsRune(argument, filepath.Separator):
		return argument
	}
	return "factline"
}
