// Package audit is the record of who did what, made so that nobody can change it
// unseen: neither an operator with a copy of the database nor anybody who was
// handed an export.
//
// # Chains
//
// Each node writes a chain: an [Entry] holds a hash over what it says and over the
// hash of the entry before it, and a MAC that only the store's [Key] makes. What an
// entry says of a person goes into the hash as a salted digest, so that it can be
// erased ([Entry.Erase]) and the chain stays whole. What it takes to keep chains in
// a database is [Entry.Chain], [Head] and [MoveFloor].
//
// # Checks
//
// An [Auditor] takes entries in their order and says what is not as it was
// written. A [Checkpoint] is signed: whoever keeps one elsewhere can tell later that
// nothing before it is gone, with the public key alone. A [Floor], signed too, says
// what retention removed.
//
// # Exports
//
// [Entry.Line] and [ParseEntry] are the one form of an entry outside a store: a
// line of JSON.
package audit

import "time"

// Entry is one line of the audit. Nothing in it is secret, no number or
// address of a user is in it.
type Entry struct {
	Seq     int64
	Time    time.Time
	Node    string // which installation
	Actor   string // who: an operator, a calling application
	Action  string // "user.block", "verify.approved", …
	Subject string // user id, application name
	Detail  string
	Reason  string // as the operator gave it

	Number int64  // within the chain of its node, from 1; 0: from before there were chains
	Link   []byte // to the entry before; see [Entry.Chain]
	Key    *Key   // who appends it; nil in what was read
}
