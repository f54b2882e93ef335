// Package jvm builds Java programs with Maven and runs them.
package jvm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"factline.dev/internal/devstack"
)

const copyJars = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

// Build builds a Maven project once per machine and returns the folder with its
// jars and those it needs. The folder is named after the project's files, so a
// change of any never meets old jars.
func Build(ctx context.Context, name string, project fs.FS) (string, error) {
	cache, err := devstack.CacheDir()
	if err != nil {
		return "", err
	}
	sum, err := digest(project)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, fmt.Sprintf("bench-%s-%x", name, sum[:4]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("bench: make the folder for jars: %w; set FACTLINE_CACHE to a folder you can write", err)
	}
	work, err := os.MkdirTemp(cache, "bench-build-")
	if err != nil {
		return "", fmt.Errorf("bench: make a folder to build %s: %w; set FACTLINE_CACHE to a folder you can write", name, err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := os.CopyFS(work, project); err != nil {
		return "", fmt.Errorf("bench: write the project of %s: %w", name, err)
	}
	if err := maven(ctx, work); err != nil {
		return "", fmt.Errorf("bench: build %s with Maven: %w", name, err)
	}
	// Another process may have been faster; its jars are as good.
	if err := os.Rename(filepath.Join(work, "lib"), dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("bench: keep the jars of %s: %w", name, err)
	}
	return dir, nil
}

func digest(project fs.FS) ([]byte, error) {
	h := sha256.New()
	err := fs.WalkDir(project, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(project, path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
		return err
	})
	return h.Sum(nil), err
}

// maven has files refused whose checksum is wrong; by itself it warns.
func maven(ctx context.Context, dir string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("%w; install Maven (Debian: apt-get install maven)", err)
	}
	cmd := exec.CommandContext(ctx, mvn, "--batch-mode", "--quiet", "--strict-checksums",
		"package", copyJars, "-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(dir, "lib"))
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w; check the network and Maven's settings.xml; it said:\n%s", err, tail(said.Bytes()))
	}
	return nil
}

// tail is the end of what a program said.
func tail(said []byte) string {
	const enough = 3000
	return string(bytes.TrimSpace(said[max(len(said)-enough, 0):]))
}
