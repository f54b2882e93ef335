// Package history is what a run of the platform looked like from outside: what a
// workload asked and heard, what the databases hold, what stands on the log.
//
// A [Recorder] reads over connections of its own and asks the platform nothing.
// What it returns is plain data, so that a check can be run again later, or on
// a history that somebody made up.
package history
