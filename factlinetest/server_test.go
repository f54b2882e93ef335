package factlinetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestServerAndFolderGoWithAKilledTestBinary(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "FACTLINETEST_PLAY=1", "FACTLINE_POSTGRES=")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	var pid int
	var dir string
	if _, err := fmt.Sscan(line, &pid, &dir); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "PG_VERSION")); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, 30*time.Second, "the folder to be removed", func() (bool, error) {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist), nil
	})
}

func TestDatabaseOfAFailedTestIsKeptAndTheLogSaysWhere(t *testing.T) {
	t.Parallel()
	f := &failing{TB: t}
	var dsn string
	log := f.run(func(t testing.TB) {
		dsn = DSN(Postgres(t))
		t.Errorf("it went wrong")
	})
	if !strings.Contains(log, dsn) {
		t.Errorf("the log does not hold %s:\n%s", dsn, log)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatalf("the database is gone: %v", err)
	}
	_ = conn.Close(context.WithoutCancel(t.Context()))
	s, err := theServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.embedded != nil {
		if err := os.Remove(filepath.Join(s.embedded.dir, keepFile)); err != nil {
			t.Errorf("the server's folder would not be kept: %v", err)
		}
	}
}

func TestDatabaseOfAPassedTestIsDroppedThoughConnectionsLeak(t *testing.T) {
	t.Parallel()
	f := &failing{TB: t}
	var dsn string
	var leaked *pgx.Conn
	log := f.run(func(t testing.TB) {
		dsn = DSN(Postgres(t))
		var err error
		if leaked, err = pgx.Connect(context.Background(), dsn); err != nil {
			t.Fatal(err)
		}
	})
	if log != "" {
		t.Error(log)
	}
	_ = leaked.Close(context.WithoutCancel(t.Context()))
	if _, err := pgx.Connect(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), "3D000") {
		t.Errorf("connecting to the dropped database: %v", err)
	}
}

func TestTemplateThatFailsToMigrateFailsEveryTestThatUsesIt(t *testing.T) {
	t.Parallel()
	runs := 0
	broken := PostgresTemplate("broken", func(ctx context.Context, conn *pgx.Conn) error {
		runs++
		_, err := conn.Exec(ctx, `create table nowhere (n int)`)
		return err
	})
	for range 2 {
		f := &failing{TB: t}
		log := f.run(func(t testing.TB) { Postgres(t, broken) })
		if !f.failed || !strings.Contains(log, "migrate template broken") {
			t.Errorf("failed %v with %q", f.failed, log)
		}
	}
	if runs != 1 {
		t.Errorf("the migration ran %d times", runs)
	}
}

func TestGivenServerIsUsedAndSweptOfOldDatabases(t *testing.T) {
	own, err := theServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old := databaseName(time.Now().Add(-25*time.Hour), "abcdefgh", "old")
	young := databaseName(time.Now().Add(-time.Hour), "abcdefgh", "young")
	for _, name := range []string{old, young} {
		if err := own.exec(t.Context(), "create database "+name); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("FACTLINE_POSTGRES", own.url("postgres"))
	given, err := openServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if given.embedded != nil {
		t.Error("it started a server although one was given")
	}
	var left []string
	rows, err := given.admin.Query(t.Context(), `select datname from pg_database where datname = any($1)`, []string{old, young})
	if err == nil {
		left, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil || len(left) != 1 || left[0] != young {
		t.Errorf("left are %v (%v), want only %s", left, err, young)
	}
	if err := given.stop(); err != nil {
		t.Error(err)
	}
}

func TestServerThatCannotBeUsedSaysWhatToDo(t *testing.T) {
	own, err := theServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := own.exec(t.Context(), `create role weak login password 'weak'`); err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(own.url("postgres"), "@")
	weak := "postgres://weak:weak" + own.url("postgres")[at:]
	tests := []struct{ name, url, says string }{
		{"no URL at all", "localhost", "write postgres://user:password@host:5432/postgres"},
		{"nobody listens", "postgres://a:b@127.0.0.1:1/postgres?sslmode=disable", "check FACTLINE_POSTGRES"},
		{"a user who may not create databases", weak, "alter role NAME createdb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("FACTLINE_POSTGRES", tt.url)
			_, err := openServer(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), "a:b@") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

func TestDatabaseNames(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	name := databaseName(now, "ABCDEFGH", `Test"Évil; drop/`+strings.Repeat("x", 100))
	if len(name) != 63 || !strings.HasPrefix(name, "factline_test_1800000000_abcdef_test__vil__drop_x") {
		t.Errorf("name %q", name)
	}
	for age, want := range map[time.Duration]bool{23 * time.Hour: false, 25 * time.Hour: true} {
		if got := outdated(name, now.Add(age)); got != want {
			t.Errorf("outdated after %s: %v", age, got)
		}
	}
	if outdated("factline_test_mine", now) {
		t.Error("a database without our time stamp is called outdated")
	}
}

func TestFoldersOfDeadTestBinariesAreSwept(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	const dead = 1 << 30 // above every pid limit
	long, short := time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour)
	tests := []struct {
		name string
		dir  string
		kept bool
		time time.Time
		left bool
	}{
		{name: "of a live process", dir: fmt.Sprintf("%d-1", os.Getpid()), time: long, left: true},
		{name: "of a dead process", dir: fmt.Sprintf("%d-2", dead), time: short},
		{name: "of a process that died just now", dir: fmt.Sprintf("%d-3", dead), time: time.Now(), left: true},
		{name: "of a failed test, kept", dir: fmt.Sprintf("%d-4", dead), kept: true, time: short, left: true},
		{name: "of the sixth last failed test", dir: fmt.Sprintf("%d-6", dead), kept: true, time: short.Add(-time.Hour)},
		{name: "that is not of our making", dir: "mine", time: long, left: true},
		{name: "of a failed test two days ago", dir: fmt.Sprintf("%d-5", dead), kept: true, time: long},
	}
	for i := range 4 {
		tt := tests[3]
		tt.dir = fmt.Sprintf("%d-4%d", dead, i)
		tests = append(tests, tt)
	}
	for _, tt := range tests {
		dir := filepath.Join(root, tt.dir)
		err := os.Mkdir(dir, 0o755)
		if tt.kept {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, keepFile), nil, 0o644))
		}
		if err = errors.Join(err, os.Chtimes(dir, tt.time, tt.time)); err != nil {
			t.Fatal(err)
		}
	}
	sweepFolders(root, time.Now())
	for _, tt := range tests {
		if _, err := os.Stat(filepath.Join(root, tt.dir)); (err == nil) != tt.left {
			t.Errorf("folder %s: left %v, want %v", tt.name, err == nil, tt.left)
		}
	}
	if err := syscall.Kill(dead, 0); !errors.Is(err, syscall.ESRCH) {
		t.Fatalf("process %d exists: %v", dead, err)
	}
}
