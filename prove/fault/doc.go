// Package fault kills the platform at a chosen point and brings the evidence.
//
// The platform runs as a child process of the prover. Its relays and consumers
// carry [Hooks], which do nothing until a point is armed. The first event that
// then reaches the point is reported to the parent, and the goroutine that
// carries it stands still until the parent kills the process by its id. The wait
// status tells whether it died by SIGKILL.
package fault
