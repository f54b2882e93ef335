package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"factline.dev/contract"
	"factline.dev/contract/generate"
	"factline.dev/platform/contracts"
)

// A service or group that begins to run gets its generated types and tests.
func TestEveryServiceAndGroupThatRunsIsGenerated(t *testing.T) {
	t.Parallel()
	catalogue, err := contract.Load(contracts.FS())
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, s := range catalogue.Services() {
		folder := filepath.Join("..", "..", "platform", "internal", generate.Config{Service: s.Name}.WithDefaults().Package)
		code := source(t, folder)
		if !strings.Contains(code, `"`+s.Name+`"`) {
			continue
		}
		found++
		i := slices.IndexFunc(services(), func(cfg generate.Config) bool { return cfg.Service == s.Name })
		if i < 0 {
			t.Errorf("%s runs from %s; give it a line in services", s.Name, folder)
			continue
		}
		for _, g := range s.Groups {
			runs := regexp.MustCompile(`"` + regexp.QuoteMeta(g.Name) + `"`).MatchString(code)
			if listed := slices.Contains(services()[i].Groups, g.Name); runs != listed {
				t.Errorf("%s: its code names it: %t, services lists it: %t", g.Name, runs, listed)
			}
		}
	}
	if found != len(services()) {
		t.Errorf("%d services run, services lists %d", found, len(services()))
	}
}

func TestWhatIsGeneratedIsUpToDate(t *testing.T) {
	t.Parallel()
	if err := run("../..", true); err != nil {
		t.Error(err)
	}
}

// source is the code of a package that people wrote, without its tests.
func source(t *testing.T, folder string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_gen.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
