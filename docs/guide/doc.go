// Package guide holds the guides, and a test that follows those with commands.
// There is nothing to import.
package guide
