package devstack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ulikunitz/xz"
)

// jar is an archive of the shape that Maven Central serves.
func jar(t *testing.T, headers ...*tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.Create("postgres-test.txz")
	if err != nil {
		t.Fatal(err)
	}
	x, err := xz.NewWriter(w)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(x)
	for _, h := range headers {
		body := strings.Repeat("x", int(h.Size))
		if err := errors.Join(tw.WriteHeader(h), second(tw.Write([]byte(body)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), x.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func second(_ int, err error) error { return err }

func serverJar(t *testing.T) []byte {
	t.Helper()
	return jar(t,
		&tar.Header{Typeflag: tar.TypeReg, Name: "bin/postgres", Mode: 0o700, Size: 100_000},
		&tar.Header{Typeflag: tar.TypeReg, Name: "lib/libpq.so.5", Mode: 0o600, Size: 10},
		&tar.Header{Typeflag: tar.TypeSymlink, Name: "lib/libpq.so", Linkname: "libpq.so.5"},
	)
}

func pinned(content []byte, url string) archive {
	sum := sha256.Sum256(content)
	return archive{platform: "test", sha256: hex.EncodeToString(sum[:]), base: url}
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// nothingInstalled: no folder that a later start could take for an installation.
func nothingInstalled(t *testing.T, cache string) {
	t.Helper()
	entries, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			t.Errorf("the cache holds %s after a failed download", e.Name())
		}
	}
}

func TestBrokenDownloadInstallsNothingAndTheNextTrySucceeds(t *testing.T) {
	t.Parallel()
	whole := serverJar(t)
	changed := bytes.Clone(whole)
	changed[len(changed)/2] ^= 1
	tests := []struct {
		name  string
		first http.HandlerFunc
		says  []string
	}{
		{
			name: "the connection breaks half-way",
			first: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
				_, _ = w.Write(whole[:len(whole)/2])
			},
			says: []string{fmt.Sprintf("after %d of %d bytes", len(whole)/2, len(whole)), "FACTLINE_MAVEN_URL", "--postgres"},
		},
		{
			name:  "the server sends a shorter file and calls it whole",
			first: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole[:len(whole)/2]) },
			says:  []string{"checksum does not match", "nothing was installed", "--postgres"},
		},
		{
			name:  "one bit is wrong",
			first: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(changed) },
			says:  []string{"checksum does not match", "nothing was installed"},
		},
		{
			name:  "the mirror does not have it",
			first: http.NotFound,
			says:  []string{"404 Not Found", "FACTLINE_MAVEN_URL"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) == 1 {
					tt.first(w, r)
					return
				}
				_, _ = w.Write(whole)
			})
			a, cache := pinned(whole, url), t.TempDir()
			_, err := install(t.Context(), a, cache, nil)
			mustContain(t, err, tt.says...)
			nothingInstalled(t, cache)
			if _, err := install(t.Context(), a, cache, nil); err != nil {
				t.Fatalf("second try: %v", err)
			}
		})
	}
}

func TestNoNetworkSaysHowToDoWithoutDownload(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := install(t.Context(), pinned(nil, s.URL), t.TempDir(), nil)
	mustContain(t, err, "connection refused", "check the network", "--postgres URL", "FACTLINE_POSTGRES")
}

func TestInstallMakesFilesReadableForAnotherUser(t *testing.T) {
	t.Parallel()
	whole := serverJar(t)
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole) })
	var last, total int64
	dir, err := install(t.Context(), pinned(whole, url), t.TempDir(), func(_ string, done, all int64) { last, total = done, all })
	if err != nil {
		t.Fatal(err)
	}
	if last != int64(len(whole)) || total != last {
		t.Errorf("progress ended at %d of %d, want %d", last, total, len(whole))
	}
	for name, want := range map[string]os.FileMode{"bin": 0o755, "bin/postgres": 0o755, "lib/libpq.so.5": 0o644, "lib/libpq.so": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v (%v), want %v", name, info, err, want)
		}
	}
}

func TestConcurrentInstallersDownloadOnce(t *testing.T) {
	t.Parallel()
	whole := serverJar(t)
	var calls atomic.Int32
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); _, _ = w.Write(whole) })
	a, cache := pinned(whole, url), t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := install(t.Context(), a, cache, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("downloaded %d times", calls.Load())
	}
}

func TestArchiveCannotWriteOutsideItsFolder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../evil", "/evil", "link/evil"} {
		t.Run("as "+name, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			content := jar(t,
				&tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "../.."},
				&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: 1},
			)
			file, to := filepath.Join(top, "a.jar"), filepath.Join(top, "x", "to")
			if err := errors.Join(os.WriteFile(file, content, 0o600), os.MkdirAll(to, 0o755)); err != nil {
				t.Fatal(err)
			}
			if err := unpack(file, to); err == nil {
				t.Error("unpacked without an error")
			}
			for _, path := range []string{"x/evil", "evil"} {
				if _, err := os.Stat(filepath.Join(top, path)); err == nil {
					t.Errorf("%s was written", path)
				}
			}
		})
	}
}

func TestFullDiskIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	_, err = diskWriter{full}.Write([]byte("x"))
	mustContain(t, err, "disk is full", "free at least 500 MB")
	if !errors.Is(err, ErrDiskFull) {
		t.Error("not ErrDiskFull")
	}
	err = serverError("PostgreSQL ended by itself", "/data", "FATAL: could not write: No space left on device\n", "/log", 1)
	mustContain(t, err, "/data", "free space on that disk")
	if !errors.Is(err, ErrDiskFull) {
		t.Error("a server's full disk is not ErrDiskFull")
	}
}

func TestArchiveIsPinnedForEveryPlatformWeName(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, p := range []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"} {
		goos, goarch, _ := strings.Cut(p, "/")
		a, err := archiveFor(goos, goarch, mavenURL)
		if err != nil || len(a.sha256) != 64 || seen[a.sha256] {
			t.Errorf("%s: %+v, %v", p, a, err)
		}
		seen[a.sha256] = true
	}
	_, err := archiveFor("plan9", "386", mavenURL)
	mustContain(t, err, "plan9/386", "--postgres URL")
}
