package prove

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/outbox"
	"factline.dev/platform"
	"factline.dev/prove/fault"
)

// childSettings are what the prover sends to the platform it starts.
type childSettings struct {
	Databases map[string]string `json:"databases"`
	Brokers   []string          `json:"brokers"`
	Listen    string            `json:"listen"`
	// SessionMillis is how long a killed member keeps its partitions.
	SessionMillis int `json:"sessionMillis"`
}

// RunChild is the platform as the prover runs and kills it: all services, with
// hooks that are armed over in. It reports to out and logs to standard error.
func RunChild(ctx context.Context, in io.Reader, out io.Writer) error {
	return fault.Serve(ctx, in, out, runPlatform)
}

func runPlatform(ctx context.Context, text json.RawMessage, hooks *fault.Hooks, ready func()) error {
	var s childSettings
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("prove: read the settings of the platform: %w", err)
	}
	session := time.Duration(s.SessionMillis) * time.Millisecond
	return platform.Run(ctx, platform.Config{
		Databases: s.Databases, Brokers: s.Brokers, Listen: s.Listen, LineDelay: 20 * time.Millisecond, MaxConns: 12,
		Relay: outbox.RelayConfig{LeaseTTL: 2 * time.Second},
		Consumer: consumer.Config{
			SweepInterval: 200 * time.Millisecond,
			ClientOptions: []kgo.Opt{kgo.SessionTimeout(session), kgo.HeartbeatInterval(session / 6), kgo.RebalanceTimeout(session)},
		},
		Hooks: hooks, Ready: func(string) { ready() },
		Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
}
