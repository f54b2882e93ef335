package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// PortError says that a fixed port is taken.
type PortError struct {
	// What was to listen there, and the flag that moves it.
	What, Flag string
	Addr       string
	// Holder is who listens, such as "postgres (process 4711)", empty where that
	// cannot be seen.
	Holder string
	Err    error
}

func (e *PortError) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = Holder(e.Addr)
	}
	if holder == "" {
		holder = "another process"
	}
	return fmt.Sprintf("stack: start %s: port %s is in use by %s; stop that, or choose another with --%s", e.What, e.Addr, holder, e.Flag)
}

func (e *PortError) Unwrap() error { return e.Err }

// Free returns an address on the same host whose port is free now.
func (e *PortError) Free() string {
	host, text, err := net.SplitHostPort(e.Addr)
	first, _ := strconv.Atoi(text)
	for try := first + 1; err == nil && try < first+100; try++ {
		addr := net.JoinHostPort(host, strconv.Itoa(try))
		if l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	return net.JoinHostPort(host, "0")
}

func listenError(what, flag, addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &PortError{What: what, Flag: flag, Addr: addr, Holder: Holder(addr), Err: err}
	}
	return fmt.Errorf("stack: start %s: listen on %s: %w; correct --%s", what, addr, err, flag)
}

// Holder names the process that listens on the port of addr, where the system
// tells: on Linux, for processes of the same user or as root.
func Holder(addr string) string {
	_, text, err := net.SplitHostPort(addr)
	number, convErr := strconv.Atoi(text)
	if err != nil || convErr != nil {
		return ""
	}
	for _, inode := range listeners(number) {
		if name := ownerOf("socket:[" + inode + "]"); name != "" {
			return name
		}
	}
	return ""
}

// listeners returns the inodes of the sockets that listen on a port.
func listeners(port int) (inodes []string) {
	const listening = "0A"
	local := fmt.Sprintf(":%04X", port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) > 9 && strings.HasSuffix(f[1], local) && f[3] == listening {
				inodes = append(inodes, f[9])
			}
		}
	}
	return inodes
}

func ownerOf(socket string) string {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != socket {
			continue
		}
		pid := strings.Split(link, "/")[2]
		name, _ := os.ReadFile("/proc/" + pid + "/comm")
		return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
	}
	return ""
}
