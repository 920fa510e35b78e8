package cloud

import (
	"context"
	"iter"
	"net/netip"
	"time"

	"mfabridge/internal/secret"
)

// Limits on what a caller may hand to a [Verifier].
const (
	MaxContext        = 4 << 10 // bytes of Request.Context
	MaxIdempotencyKey = 64      // bytes of Request.Key and Answer.Key
)

// RepeatWindow is how long an equal repeat of a login gets the verdict that
// was recorded for it.
const RepeatWindow = 30 * time.Second

// JoinWindow is how long after its verdict a push or call still is the answer
// to an equal [Request].
const JoinWindow = 10 * time.Second

// ChallengeID names a challenge. It cannot be guessed and is at most 32 bytes
// of URL-safe text.
type ChallengeID string

// State is where a challenge stands.
type State string

const (
	Pending  State = "pending"
	Approved State = "approved"
	Refused  State = "denied"
	Expired  State = "expired"
)

// Reason says why a verdict is not an approval, or more closely than its [Kind]
// why an [Error] is one. The words go into logs, metrics and audit, and never
// change; whether an end user sees them is the caller's choice.
type Reason string

const (
	WrongCode     Reason = "wrong_code"
	UsedCode      Reason = "used_code"      // right, but it was accepted before
	WrongPassword Reason = "wrong_password" // of Passwords
	UserDenied    Reason = "user_denied"    // pressed deny
	UserDisabled  Reason = "user_disabled"
	UserBlocked   Reason = "user_blocked"
	NoMethod      Reason = "no_method"      // nothing registered that could be asked for
	NotAllowed    Reason = "not_allowed"    // registered, but forbidden by policy
	TooManyTries  Reason = "too_many_tries" // limits of this user or calling station
	Undeliverable Reason = "undeliverable"  // no channel could take the message
	TimedOut      Reason = "timed_out"      // nobody answered in time
	RepeatRefused Reason = "repeat_refused" // the challenge has had its verdict; this is another attempt at it
	NeedNextCode  Reason = "need_next_code" // right for a far-off clock; the next code proves it
)

// Client says who asks and for whom: what a user is shown and what limits
// count by.
type Client struct {
	App     string     // name of the application, as users know it
	Address netip.Addr // where the login comes from, if known
	Station string     // calling station (RFC 2865 §5.31), if known and reliable
}

// Request begins a challenge.
type Request struct {
	Subject Key        // whose second factor; a proven ByID or BySID, or the typed ByName
	SID     string     // of the subject, if the caller knows it: a user who has another one is Conflict
	Method  Preference // empty: the user's default, or the most secure one there is
	Client  Client

	// Code, if there is one, is checked at once and the challenge is answered
	// when Begin returns: a password field that holds nothing but a code.
	Code secret.Bytes

	// ShowsNumber is set where the client can show a number while it waits, so
	// that a push can be matched by it.
	ShowsNumber bool

	// Tries is how many wrong codes the challenge survives; at least 1. With 1
	// the first answer decides.
	Tries int

	// Context is kept with the challenge and returned with it, unread: at most
	// MaxContext bytes, sealed by the caller if it is nobody's business.
	Context []byte

	// Key makes the call repeatable: an equal Key within RepeatWindow returns
	// the same challenge or verdict and does nothing, except that an open or
	// approved challenge is refused now if its user may no longer verify. With
	// push and calls a person takes longer, and is not to approve for a login
	// that comes long after: there an equal Key returns the challenge while it
	// is pending and within JoinWindow of its verdict, and begins another one
	// later. At most MaxIdempotencyKey bytes; empty: not repeatable.
	Key string
}

// Challenge is a second factor being asked for.
type Challenge struct {
	ID        ChallengeID
	User      UserID
	State     State
	Reason    Reason // with State Refused or Expired
	Method    Preference
	Prompt    string // what to show the user who is to type a code; one line
	Number    string // the number to show with a push, if it is matched
	Bypassed  bool   // Approved by a bypass that an administrator allowed; nobody was asked
	Repeated  bool   // an equal Request before this one began it
	ExpiresAt time.Time
}

// Answer is what a user typed in reply to a challenge.
type Answer struct {
	Challenge ChallengeID
	Code      secret.Bytes
	Key       string // as Request.Key, of this attempt
}

// Decision is the verdict on a challenge, or that it is still open.
type Decision struct {
	Challenge ChallengeID
	User      UserID
	State     State
	Reason    Reason
	Method    Preference
	TriesLeft int    // with State Pending
	Context   []byte // as given to Begin
	Repeated  bool   // this verdict was recorded before this call

	At time.Time // when the verdict was reached, by the engine's clock; zero: pending, or not known
}

// Verifier asks for second factors. No method waits for a person: decisions
// that a person takes later come through Decisions.
//
// All methods may be called concurrently. A verdict is durable before it is
// returned: together with the use of the code it is recorded in one
// transaction, so that no crash, repeat or second node can accept a code
// twice or forget that it did. A code that is wrong, used, expired or for
// somebody else is a Decision, not an error. Errors are *[Error]:
//
//   - NotFound: the subject of Begin or the challenge of Answer is unknown
//   - Conflict: the subject leads to several users
//   - Invalid: a limit of this file is broken
//   - Throttled, Unavailable, Internal: no verdict was reached; the caller may
//     ask again with the same Key
type Verifier interface {
	// Begin starts a challenge and sends what is to be sent. The challenge is
	// durable before anything is sent. A user who cannot be asked (disabled,
	// blocked, nothing registered) gets a Challenge that is Refused already.
	Begin(ctx context.Context, r Request) (Challenge, error)

	// Answer checks a code. An equal Key within RepeatWindow gets the recorded
	// decision, but no approval if the user may no longer verify; a challenge
	// that has its verdict refuses everything else.
	Answer(ctx context.Context, a Answer) (Decision, error)

	// Decisions yields the verdicts on challenges begun by this caller that
	// are reached after the call, also on other nodes, each at least once. It
	// ends with an error when the stream breaks, and without one when ctx is
	// done; after a break the caller asks Look for what it is waiting for.
	Decisions(ctx context.Context) iter.Seq2[Decision, error]

	// Look returns where challenges stand, in the order asked; for an unknown
	// or forgotten one a Decision with State Expired, and for an open or approved
	// one a refusal if the user may no longer verify.
	Look(ctx context.Context, ids []ChallengeID) ([]Decision, error)
}

// Case is one login among several that a [Settler] takes at once: what is asked,
// and what came of it.
type Case struct {
	Request Request // as to Begin; counts where Answer names no challenge
	Answer  Answer  // as to Answer

	Challenge Challenge // of Begin
	Decision  Decision  // of Answer
	Err       error

	// Apart is set where nothing was done: a person would have to be asked by a
	// message, a push or a call, which Begin does.
	Apart bool
}

// Settler is an optional interface of a [Verifier] that can take many logins
// together for less than one by one.
type Settler interface {
	// Settle does for each case what Begin or Answer does, with all that they
	// promise, and returns when all of it is durable. It waits for the store and
	// for nobody else. The cases have no order among themselves, and each has an
	// error of its own.
	Settle(ctx context.Context, cases []Case)
}

// CodeMatcher is an optional interface of a [Verifier] that can tell whether a
// code is right without using it up. Where password and code come in one field,
// the caller has to find out where the password ends before it tries it anywhere.
type CodeMatcher interface {
	// MatchCode tells whether code is one that a generator of the subject takes
	// now or has taken within RepeatWindow, or the code that was sent last: also
	// a code that was used up is no part of the password. It changes nothing but
	// the counts of failures, and obeys their limits: beyond them nothing matches. An unknown subject matches nothing. Errors as [Verifier].
	MatchCode(ctx context.Context, subject Key, code secret.Bytes, client Client) (bool, error)
}

// Noticeboard is an optional interface of a [Verifier] whose callers can leave
// each other notes, so that what one node has found out (a password that is
// wrong, say) is not tried again by the next one. A note is a hint. It may be
// lost, and no verdict rests on it alone.
type Noticeboard interface {
	// Note puts key, of at most MaxIdempotencyKey bytes, up for a time of at
	// most RepeatWindow twice. Errors as [Verifier].
	Note(ctx context.Context, key string, life time.Duration) error

	// Noted tells whether key is up now.
	Noted(ctx context.Context, key string) (bool, error)

	// Claim puts key up as Note does unless it is up, and tells whether it did:
	// of several who claim at once, on whatever nodes, one does.
	Claim(ctx context.Context, key string, life time.Duration) (bool, error)

	// Withdraw takes key down, if it is up.
	Withdraw(ctx context.Context, key string) error
}

// Proof is the answer to a password.
type Proof struct {
	OK     bool
	Reason Reason // if not OK
	User   UserID // if OK
	UPN    string
	Groups []string
}

// Passwords checks first factors where the target keeps them. A wrong
// password, a user without one and an unknown user answer alike, in time and
// content: not OK, WrongPassword. Errors as [Verifier].
type Passwords interface {
	CheckPassword(ctx context.Context, subject Key, password secret.Bytes, client Client) (Proof, error)
}
