// Package stack is one factline platform on one machine: the folder it lives
// in, the database and the broker below it, the services on them, the quotes
// driven through them.
//
// A stack writes where it can be reached into its folder, so that other
// commands find it: addresses in stack.json, passwords in secrets/, both for
// the owner's eyes only.
package stack
