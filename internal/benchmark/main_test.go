package benchmark

import (
	"testing"

	"factline.dev/factlinetest"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }
