package engine

import (
	"context"
	"errors"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/oath"
)

// ErrTaken is what [Tx.PutToken] returns when another generator has the
// serial number. The transaction can go on.
var ErrTaken = errors.New("the serial number belongs to another generator")

// Store keeps everything that the engine knows. All methods may be called
// concurrently, and several processes may have one store open.
type Store interface {
	// Update runs fn in a transaction of its own kind: what fn wrote is durable
	// once Update returned nil, and none of it exists if it returned an error.
	// Transactions are serial across all processes. fn may run more than once,
	// must not call Update, and must not keep the Tx. An error of fn comes back
	// as it is; any other is a *cloud.Error of kind Unavailable or Internal,
	// after Unavailable nothing was written.
	// Callers that wait at the same moment may be committed together; an error
	// of one undoes that one only.
	Update(ctx context.Context, fn func(Tx) error) error

	// UpdateEach is Update for each of fns, all waiting at the same moment, for
	// a caller who wants to be woken once. The errors are in the order of fns.
	UpdateEach(ctx context.Context, fns []func(Tx) error) []error

	// View runs fn on one consistent state that contains every Update that has
	// returned. Errors as with Update.
	View(ctx context.Context, fn func(Reader) error) error

	// Lock keeps two long runs apart, across processes: it returns at once, with
	// kind Locked naming the holder if another run has it. It does not hinder
	// Update. It ends with unlock or with the process.
	Lock(ctx context.Context, holder string) (unlock func() error, err error)

	// Watch returns a channel that signals, until ctx is done or the store is
	// closed, that another process may have written: within a second, several
	// times together perhaps, and sometimes for nothing. Then it is closed. What
	// was written is for the caller to look for.
	Watch(ctx context.Context) (<-chan struct{}, error)

	// Close waits for running calls and releases the store.
	Close() error
}

// Space separates kinds of unique names.
type Space int64

const (
	Names Space = iota // user principal names and aliases together
	SIDs
	GroupNames
	Numbers // mobile numbers that users sign in with, +CC and digits
)

// MemberKind says what a member of a group is.
type MemberKind int64

// Kinds of members.
const (
	MemberUser MemberKind = iota
	MemberGroup
)

// Reader looks things up. What is not there is nil or the zero value, not an
// error. Names are folded by the caller ([Fold]).
type Reader interface {
	Meta(name string) ([]byte, error)
	MetaNames(prefix string) ([]string, error) // ascending

	User(id cloud.UserID) (*User, error)
	UserNamed(space Space, name string) (*User, error)
	UsersAfter(id cloud.UserID, limit int) ([]*User, error) // ascending by id

	Tokens(user cloud.UserID) ([]Token, error) // ascending by id
	// Spent is the last second, since the epoch, of the last step at which a
	// generator that was removed had been used.
	Spent(fingerprint string) (int64, error)
	// HolderBesides is a user other than one who has a generator with a secret.
	HolderBesides(user cloud.UserID, fingerprint string) (cloud.UserID, error)

	Challenge(id cloud.ChallengeID) (*Challenge, error)
	Attempt(id cloud.ChallengeID, key string) (*Attempt, error)
	// LastSent is the challenge for which a code was last sent to user at place.
	LastSent(user cloud.UserID, place string) (cloud.ChallengeID, error)
	Failures(c tries.Counter) (tries.Failures, error)
	ChallengesAfter(id cloud.ChallengeID, limit int) ([]*Challenge, error) // ascending by id

	Flight(id cloud.ChallengeID) (*Flight, error)
	FlightOf(receipt string) (*Flight, error)              // by a name that PutReceipt gave it
	FlightsDue(by time.Time, limit int) ([]*Flight, error) // of those with a Due, the earliest first

	FailuresOf(user string) (map[tries.Counter]tries.Failures, error)

	App(name string) (*App, error)
	Apps() ([]App, error)                                // ascending by name
	Audit(after int64, limit int) ([]audit.Entry, error) // ascending by Seq
	LastAudit() (audit.Entry, error)

	Devices(user cloud.UserID) ([]Device, error) // ascending by id

	Slip(id string) (*Slip, error)
	SlipsOf(user cloud.UserID) ([]Slip, error) // ascending by id

	Group(id string) (*Group, error)
	GroupNamed(name string) (*Group, error) // folded
	GroupsAfter(id string, limit int) ([]Group, error)
	// MembersAfter are direct members of a group, ascending by id.
	MembersAfter(group string, kind MemberKind, member string, limit int) ([]string, error)
	// Parents are the groups of which a user or group is a direct member,
	// ascending, at most limit.
	Parents(member string, limit int) ([]string, error)
}

// Tx reads and writes within one transaction. Put inserts or replaces. Bytes that
// are nil may come back empty.
type Tx interface {
	Reader

	SetMeta(name string, value []byte) error
	RemoveMeta(name string) error

	PutUser(u *User) error
	RemoveUser(id cloud.UserID) error // the row only; names, tokens, devices and memberships first
	// Claim takes a name for a user, or returns who has it; that may be the
	// same user, for whom it is claimed again without effect.
	Claim(space Space, name string, user cloud.UserID) (owner cloud.UserID, err error)
	Release(space Space, name string) error

	PutToken(t *Token) error // ErrTaken
	SetClock(user cloud.UserID, id string, c oath.Clock) error
	RemoveToken(user cloud.UserID, id string) error
	SetSpent(fingerprint string, second int64) error // the later one stays

	PutChallenge(c *Challenge) error
	// ChallengeByKey is the latest with that Key. One of which the time is over
	// that Repeatable tells may be found or not.
	ChallengeByKey(key string) (*Challenge, error)
	PutAttempt(a *Attempt) error
	SetLastSent(user cloud.UserID, place string, id cloud.ChallengeID) error
	PutFailures(c tries.Counter, f tries.Failures) error // a zero Count removes
	PutFlight(f *Flight) error
	PutReceipt(name string, flight cloud.ChallengeID) error

	PutApp(a *App) error
	RemoveApp(name string) error
	// Append adds e behind the last entry of its node: the store gives Seq,
	// calls [audit.Entry.Chain] with the number and the Link of that one, and keeps
	// what it made. A node's numbers have no gaps and no two entries share one.
	Append(e audit.Entry) error
	// Redact replaces Subject, Detail, Reason and Link of the entry e.Seq.
	Redact(e *audit.Entry) error
	// PruneAudit removes at most limit of the oldest entries up to through, and
	// tells how many. A node whose entries all go is continued where it was.
	PruneAudit(through int64, limit int) (int, error)

	PutDevice(d *Device) error
	RemoveDevice(user cloud.UserID, id string) error

	PutSlip(s *Slip) error
	RemoveSlip(id string) error
	// PruneSlips forgets at most limit slips that ended before t.
	PruneSlips(t time.Time, limit int) error

	PutGroup(g *Group) error
	RemoveGroup(id string) error // with its members; its name and its own memberships first
	// AddMember and RemoveMember tell whether there was something to do.
	AddMember(group string, kind MemberKind, member string) (bool, error)
	RemoveMember(group string, kind MemberKind, member string) (bool, error)
	LeaveAll(member string) error // out of every group

	// Prune forgets at most limit challenges older than id with their attempts
	// and flights, and at most limit counters whose last failure is before t.
	Prune(id cloud.ChallengeID, t time.Time, limit int) error

	// ForgetUser removes a user's challenges with what was answered to them, the
	// slips and flights, and the counts of failures. What is removed from here to
	// the end of the transaction is overwritten where the store can do that.
	ForgetUser(user cloud.UserID) error
	// Fence makes everything worthless that was given out up to a time: all
	// challenges, slips, flights and what is aside of users is removed, and no generator takes a
	// code of a step that could have been accepted by then: its drift counts,
	// and so many steps more for one that is proven or is not.
	Fence(at time.Time, proven, unproven int) error
}

// User is a user as stored. OATH and Authenticators of the embedded User are
// empty: they are [Token]s and [Device]s. Privileged, GlobalAdmin, SMSSignIn
// and Forbidden are worked out when a user is shown.
type User struct {
	cloud.User
	Password []byte // sealed argon2id hash; nil: none
	Created  time.Time
	Roles    []string // administrative roles, as they were given
	Devices  int      // how many Device rows there are
	Aside    []byte   // what few users have and every login must know, see aside; nil: none of it
	Proof    []byte   // MAC of the address of mail that is confirmed; nil: none is, see emailProof
}

// Device is an authenticator as stored, or an invitation to become one.
type Device struct {
	User    cloud.UserID
	ID      string
	Name    string
	State   string    // "invited", "active"
	Until   time.Time // end of an invitation
	Created time.Time // since when it is invited or, once it is, active
	Opened  time.Time // when somebody proved to be who was invited; zero: not yet
	Key     []byte    // public, see [signature.KeySize]; nil: none, and nothing that it signs is taken
	Aside   []byte    // see deviceAside; nil: none of it
}

// Slip is a note that ends by itself: how far a sign-in has come, what a
// refresh token stands for, from where a user came. Nothing in it is a secret.
type Slip struct {
	ID    string
	User  cloud.UserID // empty: of nobody yet
	Data  []byte
	Until time.Time
}

// Group is a named set of users and of other groups.
type Group struct {
	ID      string
	Name    string
	Created time.Time
}

// Token is a generator as stored. OATH.Secret is empty.
type Token struct {
	User cloud.UserID
	cloud.OATHEntry
	Sealed []byte // the secret, see Key
	oath.Clock
}

// Challenge is a challenge as stored, with its verdict once there is one.
type Challenge struct {
	ID      cloud.ChallengeID
	Key     string // Request.Key
	User    cloud.UserID
	Method  cloud.Preference
	State   cloud.State
	Reason  cloud.Reason
	Prompt  string
	App     string
	Owner   string // the application that began it; empty: a process on this store
	Place   string // see tries.Place
	Tries   int    // wrong codes that are left
	Sent    []byte // HMAC of a sent code, of a push's number, or of whom a call goes to; nil: there is none
	Context []byte
	Created time.Time
	Expires time.Time
	Decided time.Time // zero: no verdict

	Proven   bool // whoever began it had proven who the user is, see proven
	Bypassed bool // approved by a bypass
}

// Flight is the message of a challenge on its way: by which channels, and what
// became of it.
type Flight struct {
	ID    cloud.ChallengeID // of the challenge
	User  cloud.UserID
	Due   time.Time // when the next channel is asked; zero: it is not
	State []byte    // see flight; the code is sealed in it
}

// Attempt is what was answered to an Answer that carried a Key.
type Attempt struct {
	Challenge cloud.ChallengeID
	Key       string
	State     cloud.State
	Reason    cloud.Reason
	Tries     int
	At        time.Time
}

// Role is what an application may do.
type Role string

const (
	RoleMigrate  Role = "migrate"
	RoleShim     Role = "shim"
	RoleHelpdesk Role = "helpdesk"
	RoleAuditor  Role = "auditor"
	RoleAdmin    Role = "admin"

	// No application can have these.
	RoleDevice Role = "device" // an authenticator
	RoleOwner  Role = "owner"  // somebody who has just signed in to look after theirs
)

// Roles are those that an application can have.
func Roles() []Role { return []Role{RoleMigrate, RoleShim, RoleHelpdesk, RoleAuditor, RoleAdmin} }

// App is a program that may call the engine's API.
type App struct {
	Name     string
	Role     Role
	Digest   []byte // SHA-256 of its 256-bit random secret
	Created  time.Time
	Until    time.Time // zero: no end
	Disabled bool
}
