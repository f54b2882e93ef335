// Command factline runs, looks at and proves an event backbone on Kafka.
//
// `factline up` starts a whole platform on one machine; the other commands look
// at a running one, or at its contracts without one. They parse flags and
// print: what they do lies in the rooms of the module.
//
// Every command has --json. It ends with 0 when all is well, 1 when it failed,
// 2 when it was called wrongly and 3 when it found something a person should
// look at. An error is printed once, on stderr, and the last line of it is the
// command to type next.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// garbagePercent lets the heap grow to four times what lives in it. Little does,
// and events come and go: at Go's 100 a twelfth of the work was collecting.
const garbagePercent = 300

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Without the handler a second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
