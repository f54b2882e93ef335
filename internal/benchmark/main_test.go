package benchmark

import (
	"context"
	"fmt"
	"os"
	"testing"

	"factline.dev/factlinetest"
)

// childEnv makes this program the child of a measurement.
const childEnv = "FACTLINE_BENCH_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := RunChild(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	factlinetest.Main(m)
}
