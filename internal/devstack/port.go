package devstack

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// checkPort fails when somebody listens on the port, before anything is started.
func checkPort(what string, port int) error {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return listenError(what, port, err)
	}
	return l.Close()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("devstack: find a free port on 127.0.0.1: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func listenError(what string, port int, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return portError(what, port)
	}
	return fmt.Errorf("devstack: %s: listen on 127.0.0.1:%d: %w; choose another port", what, port, err)
}
