// Package generate writes Go code from a contracts folder: the types of the
// events that a service owns and reads, with functions that decode and check them
// in one pass, and encoders for its own.
//
// # When not to use it
//
// A program that handles events without knowing their types, such as an audit,
// validates with [contract.Catalogue.Validate] and keeps the JSON.
//
// # Guarantees
//
// The same folder and [Config] give the same bytes. Generated code refuses what
// the catalogue's validation refuses in the fields it reads, and it never accepts
// more: what a Go type cannot say (anyOf, if, not, patternProperties and their
// like) is an error of [Go], never left out. It refuses a little more where a type
// is smaller than its schema, such as a whole number beyond an int.
//
// Of an event that the service owns everything is read. Of one that it only
// consumes the fields that its groups declare in reads; the rest may be anything.
//
// # What fails how
//
// [Go] returns an [UnknownServiceError], or every place that no Go type can say at
// once, each an [InexpressibleError] joined by [errors.Join].
package generate
