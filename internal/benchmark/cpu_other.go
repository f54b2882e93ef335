//go:build !unix

package benchmark

import "time"

// processTime is not known here.
func processTime() time.Duration { return 0 }
