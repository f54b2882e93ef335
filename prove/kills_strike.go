package prove

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"factline.dev/internal/devstack"
	"factline.dev/prove/history"
)

// strike kills services and broker, which are one process, and the database at
// the same time.
func (k *killer) strike(ctx context.Context, n int) (history.Crash, error) {
	crash := history.Crash{Number: n, PID: k.child.PID(), WasUp: k.child.Ready(), Unanswered: k.load.client.Accepting(), At: time.Now().UTC()}
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := killAll(&crash, k.child.Kill, func() (devstack.KilledPostgres, error) {
		return devstack.KillPostgres(limited, k.folder())
	})
	crash.Dead = time.Now().UTC()
	if err != nil {
		return crash, err
	}
	crash.IsShutDown, err = isShutDown(filepath.Join(k.folder(), "postgres"))
	return crash, err
}

// killAll kills the server once more when the services are dead: until then a
// start may bring up one that nobody has seen, and their death alone would only
// ask it to shut down.
func killAll(crash *history.Crash, services func() (string, error), server func() (devstack.KilledPostgres, error)) error {
	var beside devstack.KilledPostgres
	var both errgroup.Group
	both.Go(func() (err error) {
		beside, err = server()
		return err
	})
	both.Go(func() (err error) {
		crash.Signal, err = services()
		return err
	})
	if err := both.Wait(); err != nil {
		return err
	}
	after, err := server()
	crash.Servers = slices.Concat(beside.PIDs, after.PIDs)
	crash.Late = len(after.PIDs)
	crash.IsUnclean = after.IsUnclean
	return err
}

// isShutDown reads in a server's control file whether it came to the end of a
// shutdown. The pid file does not tell: a start removes the one that a killed
// server left before there is another.
func isShutDown(dataDir string) (bool, error) {
	control, err := os.ReadFile(filepath.Join(dataDir, "global", "pg_control"))
	if err != nil {
		return false, fmt.Errorf("prove: ask how the database ended: %w", err)
	}
	// A number for the cluster (8 bytes), versions of the file and of the
	// catalogue (4 each), then the state.
	const at, shutDown, shutDownInRecovery = 16, 1, 2
	if len(control) < at+4 {
		return false, fmt.Errorf("prove: ask how the database ended: its control file has %d bytes", len(control))
	}
	state := binary.NativeEndian.Uint32(control[at:])
	return state == shutDown || state == shutDownInRecovery, nil
}
