// Package tries limits how often somebody may guess: which tries are checked at
// all, and what a check that went wrong or well counts for. It knows neither
// users nor codes, and of a store only where counts of failures are kept ([Tx]).
//
// # What counts where
//
// Failures count by user, way of verifying and place ([Where]). Beyond a few of
// them in a row nothing is checked there for a while, and longer each time; a
// success ends the count of its place. Whoever has proven who the user is (and
// with a password whoever tries) counts against the user as a whole as well,
// with a bar ten times as high, which leaves the networks open from which the
// user came in lately ([Gate]).
//
// Names that are nobody's count by network ([Strangers]), so that whoever makes
// them up fills nothing.
//
// # Errors
//
// They are those of the store, as they are.
package tries
