package factlinetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"factline.dev/internal/devstack"
)

// embedded is a server of this test binary in a folder of its own under the
// temporary folder: root/<random>/{data,data.log,...}.
type embedded struct {
	pg      *devstack.Postgres
	dir     string
	janitor io.Closer
}

func startEmbedded(ctx context.Context) (*embedded, error) {
	dir, err := scratchFolder()
	if err != nil {
		return nil, err
	}
	e := &embedded{dir: dir}
	e.pg, err = devstack.StartPostgres(ctx, devstack.PostgresConfig{
		DataDir:  filepath.Join(dir, "data"),
		Volatile: true,
		Prebuilt: true,
		Settings: map[string]string{
			"max_connections":  "400",
			"autovacuum":       "on",
			"max_wal_size":     "256MB",
			"jit":              "off",
			"deadlock_timeout": "200ms",
		},
		Progress: reportDownload(),
	})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	e.janitor, err = hireJanitor(dir, e.pg.Pid())
	return e, err
}

// scratchFolder also clears away what killed runs have left, and the folders of
// failed tests but for the newest few.
func scratchFolder() (string, error) {
	root := filepath.Join(os.TempDir(), "factlinetest-"+strconv.Itoa(os.Geteuid()))
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("factlinetest: make %s: %w; set TMPDIR to a folder you can write", root, err)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		return "", fmt.Errorf("factlinetest: open %s for the database server: %w; set TMPDIR to a folder you own", root, err)
	}
	sweepFolders(root, time.Now())
	dir, err := os.MkdirTemp(root, strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return "", fmt.Errorf("factlinetest: make a folder in %s: %w", root, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", fmt.Errorf("factlinetest: open %s for the database server: %w", dir, err)
	}
	return dir, nil
}

func sweepFolders(root string, now time.Time) {
	entries, _ := os.ReadDir(root)
	var kept []scratch
	for _, e := range entries {
		s, ok := inspect(root, e)
		switch {
		case !ok || s.alive:
		case s.kept:
			kept = append(kept, s)
		case now.Sub(s.made) > settleFor:
			_ = os.RemoveAll(s.dir)
		}
	}
	slices.SortFunc(kept, func(a, b scratch) int { return b.made.Compare(a.made) })
	for i, s := range kept {
		if i >= keepMost || now.Sub(s.made) > keepFor {
			_ = os.RemoveAll(s.dir)
		}
	}
}

const (
	keepFile = "keep"
	keepMost = 5

	// settleFor: a server may be on its way out still, and a pid of another
	// namespace on the same folder looks dead.
	settleFor = time.Minute
)

// scratch is a folder that some test binary has made.
type scratch struct {
	dir         string
	made        time.Time
	alive, kept bool
}

func inspect(root string, e os.DirEntry) (scratch, bool) {
	var pid int
	info, err := e.Info()
	if _, scanErr := fmt.Sscanf(e.Name(), "%d-", &pid); err != nil || scanErr != nil {
		return scratch{}, false
	}
	s := scratch{dir: filepath.Join(root, e.Name()), made: info.ModTime()}
	s.alive = !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	_, err = os.Stat(filepath.Join(s.dir, keepFile))
	s.kept = err == nil
	return s, true
}

// keep marks the folder for keeping and says how to get back to the database.
func (e *embedded) keep(name string) string {
	if err := os.WriteFile(filepath.Join(e.dir, keepFile), []byte(name+"\n"), 0o644); err != nil {
		return "no, " + err.Error()
	}
	return fmt.Sprintf("start its server again with\n\t%s\nand connect to\n\t%s", e.pg.Command(), e.pg.URL(name))
}

// hireJanitor starts a shell that removes the folder once the server has gone,
// which is when this process has: a test binary needs no TestMain for that.
func hireJanitor(dir string, pid int) (io.Closer, error) {
	const script = `read _; while kill -0 "$1" 2>/dev/null; do sleep 0.1; done; [ -e "$2/` + keepFile + `" ] || rm -rf "$2"`
	cmd := exec.Command("/bin/sh", "-c", script, "factlinetest-janitor", strconv.Itoa(pid), dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("factlinetest: start the janitor: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("factlinetest: start the janitor: %w", err)
	}
	return stdin, nil
}

func (e *embedded) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := e.pg.Stop(ctx)
	_ = e.janitor.Close()
	return err
}

// reportDownload writes to stderr at each quarter: the first run on a machine
// would otherwise look as if it hung.
func reportDownload() devstack.ProgressFunc {
	told := int64(-1)
	return func(what string, done, total int64) {
		if total <= 0 || done*4/total == told {
			return
		}
		told = done * 4 / total
		fmt.Fprintf(os.Stderr, "factlinetest: downloading %s: %d %% of %d MB\n", what, done*100/total, total>>20)
	}
}
