// Package planfile keeps a plan in one file and what apply did in a journal
// beside it.
//
// A plan file F is an SQLite database that is written once and never changed.
// [Create] builds it under another name; [Writer.Finish] puts it in its place
// whole, together with F.key. Any other end leaves nothing behind, but for a
// kill: what that leaves is hidden beside F, and the next Create for F takes it
// away.
//
// What stands in clear columns may be shown to anybody: telephone numbers and
// addresses are masked, secrets are absent. The full values of a user are in
// one sealed blob (AES-256-GCM), bound to the plan, to the user and to the
// changes that they belong to. Behind the last page of the database stands a
// line with an HMAC-SHA256 over the SHA-256 of everything before it. Both keys are in F.key,
// a small text file that only its owner can read, or in F.key.age, the same
// text sealed to age recipients: F alone may be passed around, and one changed
// bit in it is found by whoever has the key.
//
// [Open] trusts nothing in the file before it has looked at all of it: the
// last line, the MAC, the format's version, and that the schema is exactly
// ours. Opened without the key a plan can be shown, not applied, and says that
// its seal was not checked.
//
// F.journal, another SQLite database (WAL, FULL), remembers durably what apply
// was about to do and what came of it: see [OpenJournal]. It is never there without
// its tables, and while a run is at work, or was cut off, never without its log
// (F.journal-wal): one that lacks either has lost what it knew, and is refused.
package planfile

import "fmt"

// Version is the format of plan files that this package writes and reads.
const Version = 1

// applicationID marks our databases in SQLite's header ("MFBp").
const applicationID = 0x4d464270

// pageSize of new plans, in bytes: large pages cost a plan of many users less
// work, a small plan a few empty ones.
const pageSize = 16384

// Limits. What is beyond them is refused, in writing and in reading.
const (
	MaxChanges  = 256       // changes of one user
	MaxFacts    = 256       // facts of one user
	MaxFindings = 4096      // findings of one user
	MaxText     = 64 << 10  // bytes of one text
	MaxSealed   = 256 << 10 // bytes of the sealed values of one user
	maxKinds    = 4096      // different (code, severity, action) of findings
	maxCell     = 16 << 20  // bytes of one cell, header and summary included
)

// KeyPath is where the key of the plan file at path is.
func KeyPath(path string) string { return path + ".key" }

// JournalPath is where the journal of the plan file at path is.
func JournalPath(path string) string { return path + ".journal" }

// schema of a plan file; Open compares it word by word. All keys ascend while
// a plan is written. Tables with one integer key are ordinary tables, which
// SQLite then orders by that key; changes and findings have none and are read
// in the order in which they were written, by user: SQLite appends such rows
// in half the time. Facts are a list of names and values in turn: as rows of
// their own they cost half of a plan's making.
var schema = [...]string{
	`CREATE TABLE header (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
	`CREATE TABLE users (ordinal INTEGER PRIMARY KEY, username TEXT NOT NULL, upn TEXT NOT NULL, target TEXT NOT NULL,` +
		` matched_by TEXT NOT NULL, wave TEXT NOT NULL, action TEXT NOT NULL, outlook TEXT NOT NULL,` +
		` facts TEXT, sealed BLOB)`,
	`CREATE TABLE changes (ordinal INTEGER NOT NULL, seq INTEGER NOT NULL, op TEXT NOT NULL, method TEXT NOT NULL, id TEXT NOT NULL,` +
		` before TEXT, after TEXT, reason TEXT NOT NULL, irreversible INTEGER NOT NULL)`,
	`CREATE TABLE findings (ordinal INTEGER NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL, field TEXT NOT NULL,` +
		` detail TEXT NOT NULL, place TEXT NOT NULL)`,
	`CREATE TABLE problems (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, field TEXT NOT NULL, detail TEXT NOT NULL, place TEXT NOT NULL)`,
	`CREATE TABLE kinds (kind INTEGER PRIMARY KEY, code TEXT NOT NULL, severity TEXT NOT NULL, action TEXT NOT NULL)`,
	`CREATE TABLE summary (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
}

// tooNew is the answer to a file of a later format.
func tooNew(what string, version int64) error {
	return fmt.Errorf("%s has format %d, this program reads format %d: it was written by a newer mfabridge", what, version, Version)
}
