package devstack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// ProgressFunc is told how much of what has been fetched. total is -1 when the
// server does not say. It is called from one goroutine at a time, often.
type ProgressFunc func(what string, done, total int64)

// stallTimeout bounds a silent connection; a slow one may take as long as it needs.
const stallTimeout = time.Minute

// download fetches url into the file to and returns an error, the file removed,
// unless its content hashes to sum.
func download(ctx context.Context, url, to, sum string, progress ProgressFunc) (err error) {
	f, err := os.Create(to)
	if err != nil {
		return diskError("download "+url+" to "+to, to, err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = diskError("write "+to, to, cerr)
		}
		if err != nil {
			_ = os.Remove(to)
		}
	}()
	got, n, err := fetch(ctx, url, f, progress)
	if err != nil {
		return err
	}
	if got != sum {
		return fmt.Errorf("devstack: download %s: %w (%d bytes, sha256 %s, wanted %s); nothing was installed; try again, check FACTLINE_MAVEN_URL and proxies that rewrite downloads, %s",
			url, ErrChecksum, n, got, sum, usePostgres)
	}
	return nil
}

func fetch(ctx context.Context, url string, to *os.File, progress ProgressFunc) (sum string, n int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(stallTimeout, func() { cancel(fmt.Errorf("no data for %s", stallTimeout)) })
	defer stall.Stop()

	resp, err := get(ctx, url) //nolint:bodyclose // closed below; the linter does not follow get
	if err != nil {
		return "", 0, downloadError(ctx, url, err)
	}
	defer resp.Body.Close()

	hash := sha256.New()
	body := &meter{r: resp.Body, report: func(done int64) {
		stall.Reset(stallTimeout)
		if progress != nil {
			progress("PostgreSQL "+PostgresVersion, done, resp.ContentLength)
		}
	}}
	n, err = io.Copy(diskWriter{to}, io.TeeReader(body, hash))
	if body.err != nil {
		return "", n, downloadError(ctx, url, fmt.Errorf("%w after %d of %d bytes", body.err, n, resp.ContentLength))
	}
	return hex.EncodeToString(hash.Sum(nil)), n, err
}

func get(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	// One file a machine: nothing of the connection should stay behind.
	resp, err := (&http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true,
	}}).Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	return resp, nil
}

func downloadError(ctx context.Context, url string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("devstack: download %s: %w; check the network (HTTPS_PROXY is honoured) and try again, name a mirror with FACTLINE_MAVEN_URL, %s", url, err, usePostgres)
}

// meter counts what is read and keeps the read error apart from a write error.
type meter struct {
	r      io.Reader
	n      int64
	err    error
	report func(done int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	m.report(m.n)
	if err != nil && err != io.EOF {
		m.err = err
	}
	return n, err
}

type diskWriter struct{ f *os.File }

func (w diskWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		err = diskError("write "+w.f.Name(), w.f.Name(), err)
	}
	return n, err
}
