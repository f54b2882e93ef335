package outbox

import (
	"log/slog"
	"testing"
)

func factlinetestLogger(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}
