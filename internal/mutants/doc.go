// Command mutants shows that tests can fail: it takes one remedy out of a copy
// of the tree at a time and expects the test that stands for it to turn red.
//
//	go run ./internal/mutants [-only REGEXP] [FOLDER]
//
// FOLDER, by default mutants, holds lists and patches. Each line of a list
// (*.tsv) has, separated by tabs, a row of the list of pitfalls, the patch that
// takes its remedy out, the package and the test. A patch that no longer
// applies, does not compile, or leaves the test green is a failure: the exit
// code is then 1. The tree itself is never changed.
package main
