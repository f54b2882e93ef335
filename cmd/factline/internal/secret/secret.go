// Package secret keeps passwords out of everything the command prints.
//
// It is the last line: code should not print secrets in the first place. It
// finds passwords in URLs and in key=value connection strings by their form,
// and those it was told of wherever they stand.
package secret

import (
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Mask stands where a secret stood.
const Mask = "***"

// shortest is the length from which a known secret is looked for anywhere:
// shorter ones would tear holes into ordinary words.
const shortest = 6

// Scrubber replaces secrets. Its zero value knows forms only. It may be used
// concurrently.
type Scrubber struct {
	mu    sync.RWMutex
	known []string
}

// Learn makes a secret known, as it is and as it stands in a URL.
func (s *Scrubber) Learn(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range secrets {
		for _, form := range []string{one, url.QueryEscape(one), url.PathEscape(one), url.UserPassword("", one).String()[1:]} {
			if len(form) >= shortest && !slices.Contains(s.known, form) {
				s.known = append(s.known, form)
			}
		}
	}
	slices.SortFunc(s.known, func(a, b string) int { return len(b) - len(a) })
}

// LearnURL makes the password of a URL known, if it has one.
func (s *Scrubber) LearnURL(text string) {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return
	}
	if password, ok := u.User.Password(); ok {
		s.Learn(password)
	}
}

// A password with a slash or an at sign should have been escaped and was not,
// so for databases everything up to the last at sign counts.
var (
	databaseURL = regexp.MustCompile(`(?i)((?:postgres|postgresql)://[^:/?#\s@]*:)(\S*)(@)`)
	anyURL      = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*://[^:/?#\s@]*:)([^\s/@]*)(@)`)
	keyValue    = regexp.MustCompile(`(?i)(\b(?:password|passwd|pgpassword|sslpassword)\s*=\s*)('[^']*'|"[^"]*"|[^\s&;,"')]+)()`)
)

// Clean returns text without the secrets in it.
func (s *Scrubber) Clean(text string) string {
	s.mu.RLock()
	for _, known := range s.known {
		text = strings.ReplaceAll(text, known, Mask)
	}
	s.mu.RUnlock()
	for _, form := range []*regexp.Regexp{databaseURL, anyURL, keyValue} {
		text = form.ReplaceAllString(text, "${1}"+Mask+"${3}")
	}
	return text
}

// Writer cleans what is written to w. A secret must not be torn over two writes.
func (s *Scrubber) Writer(w io.Writer) io.Writer { return &writer{s, w} }

type writer struct {
	scrubber *Scrubber
	to       io.Writer
}

func (w *writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, w.scrubber.Clean(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
