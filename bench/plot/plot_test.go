package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"factline.dev/internal/benchmark"
)

func TestThePictureShowsEveryRateAndIsWellFormed(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	err := Write(&b, "relay", []benchmark.Result{
		{Benchmark: "relay", Subject: "ours", Unit: "events/s", Median: 90000, Min: 80000, Max: 99000, Runs: 3},
		{Benchmark: "relay", Subject: "theirs <x>", Unit: "events/s", Median: 500, Min: 400, Max: 900, Runs: 3},
		{Benchmark: "relay", Subject: "ours/theirs", Unit: "ratio", Median: 180},
		{Benchmark: "consumer", Subject: "elsewhere", Unit: "events/s", Median: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">ours<", "theirs &lt;x&gt;", ">90000<", "3 runs"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in the picture", want)
		}
	}
	for _, not := range []string{"elsewhere", "ours/theirs"} {
		if strings.Contains(b.String(), not) {
			t.Errorf("%q is in the picture", not)
		}
	}
	decoder := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		if _, err := decoder.Token(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			return
		}
	}
}

func TestAPictureOfNothingIsAnError(t *testing.T) {
	t.Parallel()
	if err := Write(io.Discard, "relay", nil); err == nil {
		t.Error("a picture of nothing was drawn")
	}
}
