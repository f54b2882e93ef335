// Package gitfs reads a folder as it was in a commit of git, from git's own
// objects: without a checkout, without touching the working tree, and without
// asking a remote.
//
// It runs the git command. Symbolic links and submodules are left out, files
// above 4 MiB are refused, and nothing that a folder holds is executed.
package gitfs

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

const (
	maxFileBytes  = 4 << 20
	maxTotalBytes = 256 << 20
)

// The errors that callers tell apart.
var (
	// ErrNoGit says that the git command is not installed.
	ErrNoGit = errors.New("the git command is not installed")
	// ErrNoRepository says that the folder is in no clone.
	ErrNoRepository = errors.New("it is in no git repository")
	// ErrNoRef says that the repository has no such commit, branch or tag.
	ErrNoRef = errors.New("there is no such commit, branch or tag here")
)

// Tree is a folder as it was.
type Tree struct {
	fs.FS
	// Commit is the full id of the commit.
	Commit string
	// Files is how many there were; 0 where the folder did not exist.
	Files int
}

// Open reads the folder dir of the working tree as it was at ref.
func Open(ctx context.Context, dir, ref string) (Tree, error) {
	fail := func(err error) (Tree, error) {
		return Tree{}, fmt.Errorf("gitfs: read %s at %s: %w", dir, ref, err)
	}
	if _, err := exec.LookPath("git"); err != nil {
		return fail(ErrNoGit)
	}
	if _, err := git(ctx, dir, nil, "rev-parse", "--git-dir"); err != nil {
		return fail(fmt.Errorf("%w (%w)", ErrNoRepository, err))
	}
	commit, err := Commit(ctx, dir, ref)
	if err != nil {
		return fail(err)
	}
	entries, err := list(ctx, dir, commit)
	if err != nil {
		return fail(err)
	}
	files, err := read(ctx, dir, entries)
	if err != nil {
		return fail(err)
	}
	return Tree{FS: files, Commit: commit, Files: len(entries)}, nil
}

// Commit is the full id of the commit that a ref means.
func Commit(ctx context.Context, dir, ref string) (string, error) {
	out, err := git(ctx, dir, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if err != nil {
		return "", ErrNoRef
	}
	return strings.TrimSpace(string(out)), nil
}

// entry is one file of a tree.
type entry struct{ name, object string }

func list(ctx context.Context, dir, commit string) ([]entry, error) {
	out, err := git(ctx, dir, nil, "ls-tree", "-r", "-z", "-l", commit, "./")
	if err != nil {
		return nil, err
	}
	var entries []entry
	total := 0
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		facts, name, _ := strings.Cut(line, "\t")
		words := strings.Fields(facts) // mode, type, object, size
		const want = 4
		if len(words) != want || words[1] != "blob" || words[0] == "120000" || !fs.ValidPath(name) {
			continue
		}
		size, err := strconv.Atoi(words[3])
		if total += size; err != nil || size > maxFileBytes || total > maxTotalBytes {
			return nil, fmt.Errorf("%s is too large (%s bytes)", name, words[3])
		}
		entries = append(entries, entry{name, words[2]})
	}
	return entries, nil
}

// read asks for all objects at once and keeps them as a ZIP archive in memory,
// which is a file system already.
func read(ctx context.Context, dir string, entries []entry) (fs.FS, error) {
	var asked bytes.Buffer
	for _, e := range entries {
		asked.WriteString(e.object + "\n")
	}
	out, err := git(ctx, dir, &asked, "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	objects := bufio.NewReader(bytes.NewReader(out))
	for _, e := range entries {
		if err := copyObject(writer, objects, e.name); err != nil {
			return nil, fmt.Errorf("read %s: %w", e.name, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
}

// copyObject reads "<object> blob <size>", the content and a line break.
func copyObject(to *zip.Writer, from *bufio.Reader, name string) error {
	header, err := from.ReadString('\n')
	if err != nil {
		return err
	}
	words := strings.Fields(header)
	const want = 3
	if len(words) != want || words[1] != "blob" {
		return fmt.Errorf("git says %q; a shallow or partial clone may lack it: git fetch --unshallow", strings.TrimSpace(header))
	}
	size, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil {
		return err
	}
	file, err := to.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err != nil {
		return err
	}
	if _, err := io.CopyN(file, from, size); err != nil {
		return err
	}
	_, err = from.Discard(1)
	return err
}

// withoutRepository drops what a hook of one repository says about where it is: the
// folder says that here.
func withoutRepository(env []string) []string {
	return slices.DeleteFunc(env, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"}, name)
	})
}

func git(ctx context.Context, dir string, stdin io.Reader, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "--no-pager"}, args...)...)
	cmd.Stdin, cmd.Stderr = stdin, &stderr
	cmd.Env = append(withoutRepository(os.Environ()), "GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}
