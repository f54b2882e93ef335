package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func startPostgres(t *testing.T, cfg PostgresConfig) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopPostgres(t, p) })
	return p
}

func stopPostgres(t *testing.T, p *Postgres) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
	for err := range p.Done() {
		t.Errorf("a stop that was asked for is reported: %v", err)
	}
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(got, ",")
}

func TestPostgresKeepsDataBetweenRuns(t *testing.T) {
	t.Parallel()
	cfg := PostgresConfig{DataDir: filepath.Join(folder(t), "data")}
	p := startPostgres(t, cfg)
	query(t, p.URL("postgres"), `create table public.t (n text)`)
	query(t, p.URL("postgres"), `insert into public.t values ('kept')`)
	stopPostgres(t, p)
	if alive(p.Pid()) {
		t.Error("the server lives after Stop")
	}
	p = startPostgres(t, cfg)
	if got := query(t, p.URL("postgres"), `select n from public.t`); got != "kept" {
		t.Errorf("after a restart: %q", got)
	}
	for name, want := range map[string]string{
		"server_version_num": "180006", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "server_encoding": "UTF8",
		"max_connections": "200", "password_encryption": "scram-sha-256",
	} {
		if got := query(t, p.URL("postgres"), `select current_setting('`+name+`')`); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	const locale = `select datlocprovider::text || datcollate || datctype from pg_database where datname = 'template1'`
	if got := query(t, p.URL("postgres"), locale); got != "cCC" {
		t.Errorf("locale provider, collation and ctype: %q, want libc and C", got)
	}
}

func TestPostgresPasswordIsNeededAndPrivate(t *testing.T) {
	t.Parallel()
	cfg := PostgresConfig{DataDir: filepath.Join(folder(t), "data"), Volatile: true, Prebuilt: true}
	p := startPostgres(t, cfg)
	for _, path := range []string{cfg.DataDir + ".password", cfg.DataDir} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v; want it closed to others", path, info, err)
		}
	}
	_, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres://postgres:wrong@127.0.0.1:%d/postgres?sslmode=disable", p.Port()))
	mustContain(t, err, "password authentication failed")
	if got := query(t, p.URL("postgres"), `select current_setting('fsync')`); got != "off" {
		t.Errorf("volatile, but fsync = %s", got)
	}
}

// startWithARow starts a part whose server holds one committed row.
func startWithARow(t *testing.T, part, dir string) (a *actor, pid int) {
	t.Helper()
	a = startActor(t, part, dir)
	var url string
	if _, err := fmt.Sscan(a.line, &pid, &url); err != nil {
		t.Fatal(err)
	}
	query(t, url, `create table public.t (n text)`)
	query(t, url, `insert into public.t values ('committed')`)
	return a, pid
}

func TestPostgresEndsWithAKilledParentAndStartsAgainWithItsData(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	a, pid := startWithARow(t, "postgres", dir)
	a.kill()
	// No waiting here: the next start has to cope with a server on its way out.
	p := startPostgres(t, PostgresConfig{DataDir: filepath.Join(dir, "data")})
	if got := query(t, p.URL("postgres"), `select n from public.t`); got != "committed" {
		t.Errorf("after kill -9: %q", got)
	}
	eventually(t, "the first server to be gone", func() bool { return gone(pid) })
}

// gone: a zombie whose parent does not reap counts as gone.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestPostgresStopsALeftoverServerOfItsFolder(t *testing.T) {
	t.Parallel()
	cfg := PostgresConfig{DataDir: filepath.Join(folder(t), "data")}
	first := startPostgres(t, cfg)
	stopPostgres(t, first)

	// As after a crash on a system without parent-death signal.
	orphan := exec.Command(first.program(), cfg.WithDefaults().arguments(first.Port())...)
	orphan.Dir, orphan.SysProcAttr = cfg.DataDir, first.as.attributes()
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	reaped := make(chan struct{})
	go func() { defer close(reaped); _ = orphan.Wait() }()
	t.Cleanup(func() { _ = orphan.Process.Kill(); <-reaped })
	eventually(t, "the orphan to answer", func() bool { return first.ping(t.Context()) == nil })

	cfg.Port = first.Port()
	second := startPostgres(t, cfg)
	if got := query(t, second.URL("postgres"), `select 'new'`); got != "new" {
		t.Error(got)
	}
	if alive(orphan.Process.Pid) {
		t.Error("the leftover server still lives")
	}
}

func TestPostgresIgnoresAStalePidThatIsSomebodyElse(t *testing.T) {
	t.Parallel()
	cfg := PostgresConfig{DataDir: filepath.Join(folder(t), "data"), Volatile: true, Prebuilt: true}
	p := startPostgres(t, cfg)
	stopPostgres(t, p)
	pidFile := filepath.Join(cfg.DataDir, "postmaster.pid")
	if err := os.WriteFile(pidFile, fmt.Appendf(nil, "%d\n%s\n", os.Getpid(), cfg.DataDir), 0o644); err != nil {
		t.Fatal(err)
	}
	startPostgres(t, cfg) // killing us, or refusing, would both be wrong
}

// A server makes its pid file and then writes it; a kill -9 in between left a
// file that the next start took for damage and that PostgreSQL itself refuses.
func TestPostgresStartsOverAnEmptyPidFile(t *testing.T) {
	t.Parallel()
	cfg := PostgresConfig{DataDir: filepath.Join(folder(t), "data"), Volatile: true, Prebuilt: true}
	p := startPostgres(t, cfg)
	stopPostgres(t, p)
	put(t, cfg.DataDir, "postmaster.pid", "")
	startPostgres(t, cfg)
}

func TestKillPostgresLeavesNoProcessAndWhatWasCommitted(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	a, pid := startWithARow(t, "stack", dir)
	killed, err := KillPostgres(t.Context(), dir)
	if err != nil || len(killed.PIDs) < 3 || killed.PIDs[0] != pid || !killed.IsUnclean {
		t.Fatalf("killed %+v of server %d: %v", killed, pid, err)
	}
	for _, pid := range killed.PIDs {
		// It has let go of its files and its folder; its entry takes a moment longer.
		eventually(t, fmt.Sprintf("process %d to be gone", pid), func() bool { return gone(pid) })
	}
	a.kill()
	if killed, err := KillPostgres(t.Context(), dir); err != nil || len(killed.PIDs) != 0 {
		t.Errorf("without a server: %+v, %v", killed, err)
	}
	f, err := OpenFolder(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	p := startPostgres(t, f.PostgresConfig())
	if got := query(t, p.URL("postgres"), `select n from public.t`); got != "committed" {
		t.Errorf("after the kill: %q", got)
	}
}

func TestPostgresReportsAnEndThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	cfg := PostgresConfig{DataDir: filepath.Join(folder(t), "data"), Volatile: true, Prebuilt: true}
	p, err := StartPostgres(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.Pid(), syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.Done():
		mustContain(t, err, "PostgreSQL ended by itself", cfg.DataDir, "immediate shutdown request")
	case <-time.After(20 * time.Second):
		t.Fatal("no word of it")
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("Stop of a dead server: %v", err)
	}
}

func TestPostgresRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	port := busy.Addr().(*net.TCPAddr).Port
	tests := []struct {
		name string
		make func(t *testing.T, cfg *PostgresConfig)
		is   error
		says []string
	}{
		{
			name: "a port in use",
			make: func(_ *testing.T, cfg *PostgresConfig) { cfg.Port = port },
			is:   ErrPortInUse,
			says: []string{fmt.Sprint("127.0.0.1:", port), "stop the process that listens there", "choose another port"},
		},
		{
			name: "a folder with something else in it",
			make: func(t *testing.T, cfg *PostgresConfig) {
				t.Helper()
				put(t, cfg.DataDir, "letter.txt", "dear")
			},
			says: []string{"not empty and holds no database"},
		},
		{
			name: "a database of another version",
			make: func(t *testing.T, cfg *PostgresConfig) {
				t.Helper()
				put(t, cfg.DataDir, "PG_VERSION", "17\n")
			},
			says: []string{"of PostgreSQL 17, this is 18", "--fresh"},
		},
		{
			name: "a database whose password is lost",
			make: func(t *testing.T, cfg *PostgresConfig) {
				t.Helper()
				put(t, cfg.DataDir, "PG_VERSION", "18\n")
			},
			says: []string{"password", "--fresh"},
		},
		{
			name: "a setting that does not exist",
			make: func(_ *testing.T, cfg *PostgresConfig) { cfg.Settings = map[string]string{"fsink": "on"} },
			says: []string{"ended by itself", `unrecognized configuration parameter "fsink"`},
		},
		{
			name: "a relative folder and a port out of range, both in one error",
			make: func(_ *testing.T, cfg *PostgresConfig) { cfg.DataDir, cfg.Port = "data", -1 },
			says: []string{"PostgresConfig.DataDir", "PostgresConfig.Port"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := PostgresConfig{DataDir: filepath.Join(folder(t), "data"), Volatile: true, Prebuilt: true}
			tt.make(t, &cfg)
			p, err := StartPostgres(t.Context(), cfg)
			if err == nil {
				stopPostgres(t, p)
			}
			mustContain(t, err, tt.says...)
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
		})
	}
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

func TestServerOfAnotherUserNeedsOpenFolders(t *testing.T) {
	t.Parallel()
	top := folder(t)
	closed := filepath.Join(top, "closed")
	if err := os.MkdirAll(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	stranger := account{name: "stranger", uid: 4_000_000, gid: 4_000_000, drop: true}
	if err := stranger.reach(filepath.Join(top, "data")); err != nil {
		t.Errorf("open folder: %v", err)
	}
	mustContain(t, stranger.reach(filepath.Join(closed, "data")), "user stranger", "chmod o+x "+closed)
}

// TestPostgresRunsForAnOrdinaryUser plays an ordinary user when run as root, and
// otherwise is one.
func TestPostgresRunsForAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	as, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t)
	bin, err := InstallPostgres(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cache, program := filepath.Join(dir, "cache"), filepath.Join(dir, "program")
	if err := errors.Join(copyFile(self, program, 0o755), os.Mkdir(cache, 0o755),
		os.Symlink(bin, filepath.Join(cache, filepath.Base(bin))), as.own(dir)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Dir, cmd.SysProcAttr = dir, as.attributes()
	cmd.Env = []string{"DEVSTACK_PLAY=whoami", "DEVSTACK_FOLDER=" + filepath.Join(dir, "state"), "FACTLINE_CACHE=" + cache, "HOME=" + dir}
	out, err := cmd.CombinedOutput()
	if want := fmt.Sprintf("uid %d, server uid %d\n", as.uid, as.uid); err != nil || string(out) != want {
		t.Errorf("said %q (%v), want %q", out, err, want)
	}
}

func playOrdinaryUser(ctx context.Context, path string) error {
	f, err := OpenFolder(path, true)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := StartPostgres(ctx, f.PostgresConfig())
	if err != nil {
		return err
	}
	info, err := os.Stat(fmt.Sprintf("/proc/%d", p.Pid()))
	if err != nil {
		return err
	}
	uid, _ := owner(info)
	fmt.Printf("uid %d, server uid %d\n", os.Geteuid(), uid)
	return p.Stop(ctx)
}

func TestLogStaysSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	k, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	if _, err := k.file.Write(make([]byte, logLimit+1)); err != nil {
		t.Fatal(err)
	}
	k.limit()
	if _, err := k.file.WriteString("after"); err != nil {
		t.Fatal(err)
	}
	if got := k.tail(); got != "after" {
		t.Errorf("the log holds %d bytes, want only what came after", len(got))
	}
	if info, err := os.Stat(path + ".1"); err != nil || info.Size() != logLimit+1 {
		t.Errorf("the old log: %v, %v", info, err)
	}
}
