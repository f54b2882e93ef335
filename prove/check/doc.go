// Package check judges a recorded history. Every check is one file and one pure
// function: no clock, no network, nothing but its arguments. A check that finds
// nothing to look at fails, because it would prove nothing.
package check
