// Package legacy reads what a retired MFA Server held: an export, that is a
// folder of tables in the format "mfabridge-export" version 1 (docs/export.md),
// as a stream of users with their devices and tokens.
//
// [Open] reads every table once. It checks all rows, takes the digests of the
// files, finds users that are there twice, and joins devices and tokens to
// their users by folded name ([Fold]). [Export.Users] then reads users.csv
// again, as often as wanted, and yields each user whole or not at all.
//
// What is wrong with a row is a [Problem] with file, line and column, of which
// [Export.Problems] yields all; the row is left out and reading goes on. What
// is wrong with a secret is part of its [Seed]: the user still moves, without
// it. What is wrong with the export as a whole is an error with a hint. No
// message quotes a value of a secret or unknown column.
//
// Nothing is held in memory but what the next user needs: tables may be in any
// order and of any size, within the limits that are constants of this package.
// Package legacy knows no cloud, never touches the network and never needs the
// old server.
package legacy
