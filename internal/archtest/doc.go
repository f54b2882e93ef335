// Package archtest holds the architecture of factline as rules that fail: which
// room may import which, what a library room may link, that services do not know
// each other, and how large, how named and how finished code may be.
//
// [Rooms] is the one table to change when a room is added or its direction
// changes; ARCHITECTURE.md explains it. Every rule is a pure function from a
// [Tree] to what is wrong with it, so that each has a test that sees it fail.
//
// It judges what is written, not what runs, and only files that git tracks or
// would track.
package archtest
