// Package cloud is the domain of mfabridge: users and their methods as a
// cloud holds them, changes to them, challenges and decisions, and the two
// contracts that everything else is built around:
//
//   - [Directory] finds, reads and writes users and methods in batches. It is
//     what a migration talks to: our own engine in process or over HTTP, or
//     Microsoft Entra ID.
//   - [Verifier] asks a user for the second factor and says what was decided.
//     It is what the RADIUS shim talks to.
//
// Both are described by their comments and checked by one conformance suite,
// cloud/cloudtest. All failures speak one vocabulary, [Error] and its kinds.
// Package cloud imports neither a driver nor a protocol.
package cloud

import "context"

// KeyKind says how a user is looked up.
type KeyKind string

const (
	ByID   KeyKind = "id"   // the target's own id, exact
	ByUPN  KeyKind = "upn"  // user principal name, case-folded
	ByName KeyKind = "name" // what a person types at a login: UPN or alias, case-folded
	BySID  KeyKind = "sid"  // Windows security identifier, case-folded
)

// Key is one way to look a user up.
type Key struct {
	Kind  KeyKind
	Value string
}

// DirectoryReader is the half of [Directory] that cannot change anything. A
// plan is made with nothing else in its hands.
//
// All methods may be called concurrently. Errors are *[Error]; Unavailable
// and Throttled are worth another try, no other kind is.
type DirectoryReader interface {
	// Capabilities tells what the target can create, read back and delete.
	// They do not change while it is open.
	Capabilities(ctx context.Context) (Capabilities, error)

	// Find returns for each key, in order, the ids of all users that it leads
	// to: none, one, or several where the target does not keep that kind of
	// key unique. An unknown key kind is Unsupported.
	Find(ctx context.Context, keys []Key) ([][]UserID, error)

	// Read returns the users with all their methods, in the order asked; for
	// an id that does not exist, a User with an empty ID. It sees every Write
	// that has returned (on targets of delayed visibility: see
	// Capabilities.Delayed). Secrets are never returned.
	Read(ctx context.Context, ids []UserID) ([]User, error)
}

// Directory finds, reads and writes users and their methods.
type Directory interface {
	DirectoryReader

	// Write makes changes, at most Capabilities.Batch of them, and answers
	// each by one Result in the same place. Its promises:
	//
	//   - Conditional: a change is made only where the target holds Before;
	//     where it holds After already, nothing is written (Already); where it
	//     holds neither, nothing is written (Outdated). A target that can compare
	//     and write in one step does; the others compare right before.
	//   - Idempotent: the same call again answers Already (or Done for what had
	//     not been made), and leaves the target as it is.
	//   - Ordered: changes of one user are made in the order given. If the
	//     change of Method Account fails or is stale, no later change of that
	//     user in this call is tried; it answers Failed with kind Conflict.
	//   - Durable: what is answered Done survives a crash of the target.
	//   - Independent: a refusal concerns one change. Only an error that
	//     concerns the whole call (Unavailable, Throttled, Denied, Internal)
	//     stands in every Result.
	//
	// A batch is not atomic towards readers unless the target makes it so.
	Write(ctx context.Context, changes []Change) []Result
}

// Locker is what a [Directory] has besides if it can keep two runs of apply
// apart. Lock returns at once: with a kind Locked error naming the holder if
// another run has it. The lock ends with unlock or with its process.
type Locker interface {
	Lock(ctx context.Context, holder string) (unlock func() error, err error)
}

// Capabilities tell what a target takes, returns and knows. Decisions of a
// plan depend on them alone, never on what kind of target it is.
type Capabilities struct {
	Instance string   // identity of this target; never changes, differs from every other's
	Product  string   // for people: "mfabridge engine", "Microsoft Entra ID"
	Batch    int      // most changes in one Write, and users in one Find or Read
	Domains  []string // mail domains of the organisation, lower case; what is outside is external

	CreateUsers bool // takes Add of Account
	Aliases     bool // keeps Profile.Aliases and Profile.SID
	Disable     bool // keeps Profile.Enabled = false
	Block       bool // takes Set of Blocked
	Delayed     bool // a Read may miss a Write for a while

	Methods       map[Method]Access // what is not listed cannot be read or written
	DefaultMethod Access
	Preferences   []Preference // values that DefaultMethod takes
	DefaultIsUsed bool         // false: the target chooses itself and ignores the default

	OATH OATHCapabilities

	// Telephony is what delivers texts and calls: the preferences that an
	// enabled provider serves (an outbox does not count).
	Telephony []Preference
	// RetiresTelephony is set where the target's own telephony ends by a
	// published date.
	RetiresTelephony bool
}

// Access is what can be done with a method.
type Access struct {
	Create, Read, Update, Delete bool
}

// OATHCapabilities are the limits on code generators.
type OATHCapabilities struct {
	// Limit is how many OATH methods and authenticator apps one user may
	// have; 0: no limit.
	Limit        int
	Algorithms   []Algorithm
	Digits       []int
	Periods      []int // seconds
	Fingerprints bool  // Read fills OATH.Fingerprint
	MinSecret    int   // shortest secret, bytes
	MaxSecret    int   // longest secret, bytes
}
