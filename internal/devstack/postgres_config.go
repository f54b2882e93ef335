package devstack

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"time"
)

// PostgresConfig says how to run the server. Only DataDir is required.
type PostgresConfig struct {
	// DataDir is the cluster's folder, made if missing. It holds data only; the
	// log and the password lie beside it.
	DataDir string

	// PasswordFile keeps the generated superuser password, mode 0600.
	// Default DataDir + ".password".
	PasswordFile string

	// LogFile receives the server's log; at 10 MB it moves to LogFile + ".1".
	// Default DataDir + ".log".
	LogFile string

	// Port on 127.0.0.1. 0 picks a free one.
	Port int

	// Volatile turns fsync and full-page writes off: faster, and the data
	// survives a killed server but not a power cut. For tests.
	Volatile bool

	// Prebuilt copies a cluster that is made once per machine and kept in the
	// cache, instead of running initdb: a tenth of the time. All such clusters
	// share one password. For tests.
	Prebuilt bool

	// Settings are further server settings, which win over ours.
	Settings map[string]string

	// StartTimeout bounds the time to readiness, crash recovery included.
	// Default 2 minutes. Negative waits as long as the server lives.
	StartTimeout time.Duration

	// Cache is where the binaries are. Default [CacheDir].
	Cache string

	// Progress is told about a download. Default none.
	Progress ProgressFunc

	// Logger is told of starts, stops and recoveries. Default discards.
	Logger *slog.Logger
}

// WithDefaults returns c with every unset field filled in.
func (c PostgresConfig) WithDefaults() PostgresConfig {
	if c.PasswordFile == "" && c.DataDir != "" {
		c.PasswordFile = filepath.Clean(c.DataDir) + ".password"
	}
	if c.LogFile == "" && c.DataDir != "" {
		c.LogFile = filepath.Clean(c.DataDir) + ".log"
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = 2 * time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c PostgresConfig) validate() error {
	var errs []error
	if !filepath.IsAbs(c.DataDir) {
		errs = append(errs, fmt.Errorf("devstack: PostgresConfig.DataDir: must be an absolute path (%q)", c.DataDir))
	}
	if c.Port < 0 || c.Port > 65535 {
		errs = append(errs, fmt.Errorf("devstack: PostgresConfig.Port: must be 0 to 65535 (%d)", c.Port))
	}
	for name := range c.Settings {
		if strings.ContainsAny(name, "= \n") || name == "" {
			errs = append(errs, fmt.Errorf("devstack: PostgresConfig.Settings: %q is no setting name", name))
		}
	}
	return errors.Join(errs...)
}

// arguments of the server. The socket folder is off: its path is limited to 107
// bytes and it has to belong to the right user, and TCP on loopback suffices.
func (c PostgresConfig) arguments(port int) []string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
		"port":                    fmt.Sprint(port),
		"max_connections":         "200",
		"shared_buffers":          "128MB",
		"max_wal_size":            "1GB",
		"synchronous_commit":      "on",
		"log_line_prefix":         "%m [%p] %d ",
		"lc_messages":             "C",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
	}
	if c.Volatile {
		settings["fsync"] = "off"
		settings["full_page_writes"] = "off"
	}
	maps.Copy(settings, c.Settings)
	args := []string{"-D", c.DataDir}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	return args
}
