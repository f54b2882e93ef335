package devstack

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is who a server runs as. PostgreSQL refuses root, and a uid without a
// passwd entry.
type account struct {
	name     string
	uid, gid int
	drop     bool
}

// serverAccount is the caller, or for root the first of postgres and nobody.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{name: "uid " + strconv.Itoa(os.Geteuid()), uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return accountOf(u)
		}
	}
	return account{}, fmt.Errorf("devstack: choose a user for the database server: neither postgres nor nobody exists and PostgreSQL refuses root; create one (useradd --system postgres), run as an ordinary user, %s", usePostgres)
}

func accountOf(u *user.User) (account, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, fmt.Errorf("devstack: read uid of user %s: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return account{}, fmt.Errorf("devstack: read gid of user %s: %w", u.Username, err)
	}
	return account{name: u.Username, uid: uid, gid: gid, drop: true}, nil
}

// own gives path and everything below it to the account.
func (a account) own(path string) error {
	if !a.drop {
		return nil
	}
	return filepath.WalkDir(path, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, a.uid, a.gid)
	})
}

// reach fails when the account cannot pass through a parent folder of path. Only
// root meets this: it can make folders where its server cannot follow.
func (a account) reach(path string) error {
	if !a.drop {
		return nil
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("devstack: look at folder %s: %w", dir, err)
		}
		if !a.passes(info) {
			return fmt.Errorf("devstack: run the database server as user %s: it cannot enter %s (mode %04o), which %s is in; run chmod o+x %s or choose another folder",
				a.name, dir, info.Mode().Perm(), path, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (a account) passes(info os.FileInfo) bool {
	mode := info.Mode().Perm()
	uid, gid := owner(info)
	switch {
	case uid == a.uid:
		return mode&0o100 != 0
	case gid == a.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

// attributes start a short-lived helper program as the account.
func (a account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}
