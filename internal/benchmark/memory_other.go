//go:build !linux

package benchmark

import "errors"

func peakResident() (uint64, error) {
	return 0, errors.New("benchmark: this system does not tell a process its peak of resident memory; measure memory on Linux")
}
