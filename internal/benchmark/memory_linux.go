package benchmark

import (
	"bytes"
	"fmt"
	"os"
)

// peakResident is the most memory this program has had resident. It is not
// rusage's maximum: that one counts the parent's pages, which a child has until it
// has become another program.
func peakResident() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	var kibibytes uint64
	if _, err := fmt.Sscanf(string(rest), "%d kB", &kibibytes); err != nil {
		return 0, fmt.Errorf("benchmark: read the peak of resident memory: %w", err)
	}
	return kibibytes << 10, nil
}
