package benchmark

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func drawn() []Result {
	return []Result{
		{Benchmark: "relay", Subject: "ours", Unit: "events/s", Median: 90000, Min: 80000, Max: 99000, Runs: 3},
		{Benchmark: "relay", Subject: "theirs <x>", Unit: "events/s", Median: 500, Min: 400, Max: 900, Runs: 3},
		{Benchmark: "relay", Subject: "ours/theirs", Unit: "ratio", Median: 180},
		{Benchmark: "latency", Subject: "p50", Unit: "ms", Median: 4.2, Min: 4, Max: 5, Runs: 3},
	}
}

func TestAPictureShowsEveryValueAndIsWellFormed(t *testing.T) {
	t.Parallel()
	all := pictures(drawn())
	if len(all) != 2 || all[0].file != "relay.svg" || all[1].file != "latency-ms.svg" {
		t.Fatalf("the pictures are %+v", all)
	}
	picture := string(all[0].svg())
	for _, want := range []string{">ours<", "theirs &lt;x&gt;", ">90,000<", "3 runs"} {
		if !strings.Contains(picture, want) {
			t.Errorf("no %q in the picture", want)
		}
	}
	for _, not := range []string{"p50", "ours/theirs"} {
		if strings.Contains(picture, not) {
			t.Errorf("%q is in the picture", not)
		}
	}
	decoder := xml.NewDecoder(strings.NewReader(picture))
	for {
		if _, err := decoder.Token(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			return
		}
	}
}

func TestADocumentShowsTheFilesThatAreDrawnBesideIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(path, []byte(BeginMarker+"\n"+EndMarker+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RenderFile(path, drawn()); err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "plots", "*.svg"))
	if err != nil || len(files) != 2 {
		t.Fatalf("drawn are %v (%v)", files, err)
	}
	for _, file := range files {
		if link := "](plots/" + filepath.Base(file) + ")"; !slices.Contains(strings.FieldsFunc(string(document), func(r rune) bool { return r == '!' || r == '\n' }), "["+strings.TrimSuffix(filepath.Base(file), ".svg")+link) {
			t.Errorf("the document does not show %s:\n%s", file, document)
		}
	}
}
