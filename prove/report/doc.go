// Package report is what a proof says in the end, for people and for programs.
package report
