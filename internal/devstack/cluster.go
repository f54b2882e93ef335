package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// prepareCluster leaves DataDir ready for a server and returns the superuser's
// password.
func prepareCluster(ctx context.Context, cfg PostgresConfig, bin string, as account) (string, error) {
	version, err := os.ReadFile(filepath.Join(cfg.DataDir, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return newCluster(ctx, cfg, bin, as)
	}
	if err != nil {
		return "", fmt.Errorf("devstack: read the database in %s: %w; start it as the user who made it", cfg.DataDir, err)
	}
	if v := strings.TrimSpace(string(version)); v != majorVersion() {
		return "", fmt.Errorf("devstack: open the database in %s: it is of PostgreSQL %s, this is %s; start over with --fresh, or dump it with version %s first", cfg.DataDir, v, majorVersion(), v)
	}
	password, err := os.ReadFile(cfg.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("devstack: read the password of the database in %s: %w; restore the file, or start over with --fresh", cfg.DataDir, err)
	}
	if err := as.reach(cfg.DataDir); err != nil {
		return "", err
	}
	if err := stopLeftover(ctx, cfg); err != nil {
		return "", err
	}
	return string(password), as.own(cfg.DataDir)
}

// newCluster runs initdb beside DataDir and renames at the end, the password
// first: whatever moment it is killed at, the next start sees none or a whole one.
func newCluster(ctx context.Context, cfg PostgresConfig, bin string, as account) (string, error) {
	if entries, err := os.ReadDir(cfg.DataDir); err == nil && len(entries) > 0 {
		return "", fmt.Errorf("devstack: make a database in %s: the folder is not empty and holds no database; empty it or choose another", cfg.DataDir)
	}
	if err := makeParent(cfg.DataDir); err != nil {
		return "", err
	}
	if err := as.reach(cfg.DataDir); err != nil {
		return "", err
	}
	part := filepath.Clean(cfg.DataDir) + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", fmt.Errorf("devstack: remove a half-made database: %w", err)
	}
	defer os.RemoveAll(part)
	password, err := fillCluster(ctx, cfg, bin, part, as)
	if err != nil {
		return "", err
	}
	if err := writeSecret(cfg.PasswordFile, password); err != nil {
		return "", err
	}
	_ = os.Remove(cfg.DataDir)
	if err := os.Rename(filepath.Join(part, "data"), cfg.DataDir); err != nil {
		return "", diskError("make the database in "+cfg.DataDir, cfg.DataDir, err)
	}
	return password, nil
}

func fillCluster(ctx context.Context, cfg PostgresConfig, bin, part string, as account) (string, error) {
	if cfg.Prebuilt {
		return copyPrebuilt(ctx, bin, part, as)
	}
	password := rand.Text()
	return password, initdb(ctx, bin, part, password, as)
}

func makeParent(dir string) error {
	parent := filepath.Dir(filepath.Clean(dir))
	if _, err := os.Stat(parent); err == nil {
		return nil
	}
	return makeDir(parent, 0o755)
}

func initdb(ctx context.Context, bin, part, password string, as account) error {
	if err := os.Mkdir(part, 0o700); err != nil {
		return diskError("make folder "+part, part, err)
	}
	pwfile := filepath.Join(part, "password")
	if err := writeSecret(pwfile, password); err != nil {
		return err
	}
	if err := as.own(part); err != nil {
		return fmt.Errorf("devstack: give %s to user %s: %w", part, as.name, err)
	}
	data := filepath.Join(part, "data")
	cmd := exec.Command(filepath.Join(bin, "bin", "initdb"), "-D", data, "-U", superuser,
		"--pwfile="+pwfile, "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=libc", "--locale=C",
		"--no-instructions")
	cmd.Dir, cmd.Env = part, serverEnv()
	if out, err := runHelper(ctx, cmd, as); err != nil {
		return serverError(fmt.Sprintf("initdb failed (%v)", err), data, out, "its output", 0)
	}
	return nil
}

func writeSecret(path, secret string) error {
	if err := makeParent(path); err != nil {
		return err
	}
	part := path + ".part"
	_ = os.Remove(part)
	if err := os.WriteFile(part, []byte(secret), 0o600); err != nil {
		return diskError("write "+path, path, err)
	}
	if err := os.Rename(part, path); err != nil {
		return diskError("write "+path, path, err)
	}
	return nil
}
