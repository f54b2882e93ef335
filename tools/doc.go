// Package tools pins the programs that check factline. They live in a module of
// their own so that none of what they need reaches users of the library:
//
//	go tool -modfile=tools/go.mod golangci-lint run
//
// runs one from the root of the repository, at the version of tools/go.mod, with
// nothing installed by hand.
package tools
