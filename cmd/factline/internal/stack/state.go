package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// State is stack.json: where the last stack of a folder can be reached. It
// holds no password.
type State struct {
	// PID and StartedAt are of the process that wrote it.
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"startedAt"`
	HTTP      string    `json:"http"`
	// Brokers are host:port addresses to bootstrap from.
	Brokers []string `json:"brokers"`
	// Postgres is the server's host:port.
	Postgres string `json:"postgres"`
	// ConnectionsFile holds the connection URL of each service's database, mode
	// 0600.
	ConnectionsFile string `json:"connectionsFile"`
	// LogFile receives the log of the platform.
	LogFile string `json:"logFile"`
}

// NotFoundError says that no stack ever ran in a folder.
type NotFoundError struct{ Folder string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("stack: find the stack of %s: none was ever started there; start one with \"factline up\", or name database and broker with --postgres and --kafka", e.Folder)
}

func stateFile(folder string) string { return filepath.Join(folder, "stack.json") }

// ReadState returns the state of the last stack in a folder, or a
// [*NotFoundError].
func ReadState(folder string) (State, error) {
	var s State
	err := readJSON(stateFile(folder), &s)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, &NotFoundError{folder}
	}
	if err != nil {
		return State{}, fmt.Errorf("stack: read the state of %s: %w", folder, err)
	}
	return s, nil
}

// Connections returns the connection URLs of the services' databases by
// service. They hold passwords: do not print them.
func (s State) Connections() (map[string]string, error) {
	urls := map[string]string{}
	if err := readJSON(s.ConnectionsFile, &urls); err != nil {
		return nil, fmt.Errorf("stack: read connections: %w; start the stack again", err)
	}
	return urls, nil
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file for the owner's eyes only, at once and whole.
func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("stack: encode %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("stack: write %s: %w", path, err)
	}
	if err := os.WriteFile(path+".part", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("stack: write %s: %w", path, err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fmt.Errorf("stack: write %s: %w", path, err)
	}
	return nil
}
