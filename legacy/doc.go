// Package legacy reads what a retired MFA Server held: an export in the format
// "mfabridge-export" version 1 (docs/export.md, docs/formats), as a stream of
// users with their devices and tokens.
//
// An export is a folder, a .zip of one, a .zip.age of that, or one file of
// users. Nothing of an archive is unpacked or decrypted to the disk. A table is
// CSV, JSON lines or XML, in one file or in several, in UTF-8, UTF-16 or
// Windows-1252; tokens may be key containers (legacy/pskc), and everything may
// be captured answers of the old server's own interface (legacy/pfsdk).
//
// [Open] reads every table once. It checks all rows, takes the digests of the
// files, finds users that are there twice, and joins devices, tokens and logins
// to their users by folded name ([Fold]), tokens that name nobody by their
// serial number. [Export.Users] then reads the users again, as often as wanted,
// and yields each user whole or not at all. [Export.Settings] is what
// settings.json says.
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
