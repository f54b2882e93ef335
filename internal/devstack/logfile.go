package devstack

import (
	"io"
	"os"
	"sync"
	"time"
)

const (
	logLimit = 10 << 20
	logEvery = 5 * time.Second
)

// logKeeper gives a server a plain file to log to, so that its last words are
// kept when we are killed, and keeps the file small.
type logKeeper struct {
	path string
	file *os.File
	from int64 // where this run's part begins
	stop chan struct{}
	once sync.Once
}

func openLog(path string) (*logKeeper, error) {
	if err := makeParent(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return nil, diskError("open log "+path, path, err)
	}
	k := &logKeeper{path: path, file: f, stop: make(chan struct{})}
	k.limit()
	if info, err := f.Stat(); err == nil {
		k.from = info.Size()
	}
	go k.keep()
	return k, nil
}

func (k *logKeeper) keep() {
	tick := time.NewTicker(logEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.limit()
		case <-k.stop:
			_ = k.file.Close()
			return
		}
	}
}

// limit copies and truncates: the server holds the file open and, as it appends,
// goes on at the new end. What it writes meanwhile may be lost.
func (k *logKeeper) limit() {
	info, err := k.file.Stat()
	if err != nil || info.Size() < logLimit {
		return
	}
	if copyFile(k.path, k.path+".1", 0o640) == nil {
		_ = k.file.Truncate(0)
	}
}

func (k *logKeeper) close() { k.once.Do(func() { close(k.stop) }) }

// tail is what this run wrote, at most the last 16 KB.
func (k *logKeeper) tail() string {
	f, err := os.Open(k.path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		from := max(0, info.Size()-16<<10)
		if k.from <= info.Size() {
			from = max(from, k.from)
		}
		_, _ = f.Seek(from, io.SeekStart)
	}
	b, _ := io.ReadAll(f)
	return string(b)
}
