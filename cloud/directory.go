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

import (
	"context"
	"iter"
)

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
// (unless it is Lasting) and Throttled are worth another try, no other kind is.
type DirectoryReader interface {
	// Capabilities tells what the target can create, read back and delete.
	// But for Forbidden, ForbiddenWays and SMSSignIn they do not change while it is open.
	Capabilities(ctx context.Context) (Capabilities, error)

	// Find returns for each key, in order, the ids of all users that it leads
	// to: none, one, or several where the target does not keep that kind of
	// key unique. An unknown key kind is Unsupported.
	Find(ctx context.Context, keys []Key) ([][]UserID, error)

	// Read returns the users with all their methods, in the order asked; for
	// an id that does not exist, a User with an empty ID. It sees every Write
	// that has returned (on targets of delayed visibility: see
	// Capabilities.Delayed). Secrets are never returned. Where single users
	// cannot be read and others can, it returns the others and an
	// *[UnreadError].
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

// Locker is an optional interface of a [Directory] that can keep two runs of
// apply apart. Lock returns at once: with a kind Locked error naming the holder if
// another run has it. The lock ends with unlock or with its process.
type Locker interface {
	Lock(ctx context.Context, holder string) (unlock func() error, err error)
}

// GroupReader is an optional interface of a [DirectoryReader] that knows groups.
type GroupReader interface {
	// Members yields the users of a group, direct members and those of groups
	// within it, each once, in no promised order. group is the target's id of
	// the group or its name. A group that does not exist is one NotFound error;
	// an error ends the sequence.
	Members(ctx context.Context, group string) iter.Seq2[UserID, error]
}

// Restorer is an optional interface of a [DirectoryReader] whose deleted users
// can be restored for a while, with all methods that they had.
type Restorer interface {
	// Restorable tells for each id whether the user was deleted and can still be
	// restored, in the order asked. Errors are *[Error].
	Restorable(ctx context.Context, ids []UserID) ([]bool, error)
}

// Preflighter is an optional interface of a [DirectoryReader] that can tell,
// before a plan is made, whether it would take one.
type Preflighter interface {
	// Preflight looks at permissions, policy and clock, and changes nothing.
	Preflight(ctx context.Context) ([]Check, error)
}

// CheckResult is how a [Check] came out.
type CheckResult string

const (
	CheckPassed  CheckResult = "passed"
	CheckWarning CheckResult = "warning" // works, but somebody should know
	CheckBlocker CheckResult = "blocker" // an apply would fail
	CheckUnknown CheckResult = "unknown" // the target does not let us look
)

// CheckEligible is the name of one check: whether people who may take an
// administrative role on for a while can be seen, and so count as
// administrators. Unless it passes, they count as ordinary users.
const CheckEligible = "roles.eligible"

// Check is one thing that was looked at before a plan.
type Check struct {
	Name   string // stable word: "clock", "writable", "policy.sms", …
	Result CheckResult
	Detail string // a sentence
	Action string // what to do about it; empty with CheckPassed
}

// Capabilities tell what a target takes, returns and knows. Decisions of a
// plan depend on them alone, never on what kind of target it is.
type Capabilities struct {
	Instance string   // identity of this target; never changes, differs from every other's
	Product  string   // for people: "mfabridge engine", "Microsoft Entra ID"
	Batch    int      // most changes in one Write, and users in one Find or Read
	Domains  []string // mail domains of the organisation, lower case; what is outside is external

	CreateUsers bool     // takes Add of Account
	Aliases     bool     // keeps Profile.Aliases and Profile.SID
	Disable     bool     // keeps Profile.Enabled = false
	Block       bool     // takes Set of Blocked
	Forbidden   []Method // with CreateUsers: methods that policy does not allow a user without groups, as new ones are
	SMSSignIn   bool     // with CreateUsers: User.SMSSignIn of a user without groups

	ForbiddenWays []Preference // with CreateUsers: User.ForbiddenWays of a user without groups

	Delayed bool // a Read may miss a Write for a while

	Methods       map[Method]Access // what is not listed cannot be read or written
	DefaultMethod Access
	Preferences   []Preference // values that DefaultMethod takes
	DefaultIsUsed bool         // false: the target chooses itself and ignores the default
	EmailVerifies bool         // a confirmed address is asked for a code; false: it only helps to reset a password

	OATH OATHCapabilities

	// Telephony is what delivers texts and calls: the preferences that an
	// enabled provider serves (an outbox does not count).
	Telephony []Preference
	// RetiresTelephony is set where the target's own telephony ends by a
	// published date, which depends on Cloud and on the user.
	RetiresTelephony bool
	Cloud            string // "global", "usgov", "china"; empty where it makes no difference

	Pace Pace
}

// Pace is how fast a target takes an apply, as far as it is known: the ground
// of an estimate, and where a run starts before it is throttled. Costs are in
// the target's own units (requests, or resource units of Graph).
type Pace struct {
	PerSecond float64            // units that the target takes a second; 0: not known
	Read      float64            // units to read one user
	Change    map[Method]float64 // units to make one change; what is not listed costs 1
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
	Activates    bool  // a generator that was written verifies at once; false: the user has to activate it
	MinSecret    int   // shortest secret, bytes
	MaxSecret    int   // longest secret, bytes
	MaxDrift     int   // steps that a generator's clock may be off, either way, and its codes are taken where Drift says so
}
