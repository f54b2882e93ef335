package prove

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"factline.dev/prove/report"
)

// childVariable makes this test binary the platform that the prover kills.
const childVariable = "FACTLINE_PROVE_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := RunChild(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestSlicePassesOnTheEmbeddedStack(t *testing.T) {
	t.Parallel()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Slice(t.Context(), Config{
		Binary: binary, Env: []string{childVariable + "=1"}, Quotes: 8, Patience: 30 * time.Second,
		OnStep: func(s report.Step) {
			var b strings.Builder
			_ = s.Write(&b)
			t.Log(b.String())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Verdict != report.Pass || len(got.Steps) != len(steps()) {
		t.Errorf("verdict %s after %d steps", got.Verdict, len(got.Steps))
	}
}
