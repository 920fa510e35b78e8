package cloud

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Kind says what went wrong in a way that a program can act on. Each surface
// (exit code, HTTP status, RADIUS reply) maps kinds in one table of its own.
type Kind uint8

const (
	// Internal is anything unexpected: a fault of ours. It is the zero value.
	Internal Kind = iota
	// Invalid breaks a rule of the target; the same call can never succeed.
	Invalid
	// NotFound names a user, method or challenge that is not there.
	NotFound
	// Conflict collides with something that exists: a name, a serial number.
	Conflict
	// Stale means that the target is not as the caller expected it.
	Stale
	// Denied means that this caller may not do that (401, 403).
	Denied
	// Unsupported is beyond what this target can do at all.
	Unsupported
	// Throttled asks to come back later; see Error.RetryAfter.
	Throttled
	// Unavailable could not be reached or not answer; safe to call again.
	Unavailable
	// Locked means that another run holds the lock.
	Locked
)

var kindNames = [...]string{"internal", "invalid", "not found", "conflict", "stale", "denied",
	"unsupported", "throttled", "unavailable", "locked"}

// String is the kind's name in lower case, as it stands in logs and metrics.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Reasons of an [Error], besides those that a verdict has, too. Only what a
// program must tell from others of its Kind has one; docs/api.md lists them all.
const (
	NoInvitation Reason = "no_invitation" // nobody has invited the user to activate an authenticator, or that is over
	HelpdeskOnly Reason = "helpdesk_only" // people do not activate authenticators by themselves
	DeviceLimit  Reason = "device_limit"  // the user has as many authenticators as the settings allow
	MethodLimit  Reason = "method_limit"  // the user has as many OATH methods and apps as a user can have
	LastMethod   Reason = "last_method"   // nothing else verifies the user
	WeakPIN      Reason = "weak_pin"      // too short, too long, or guessed first
	Ended        Reason = "ended"         // the sign-in that this belongs to has had its verdict, or its time
	NotActive    Reason = "not_active"    // the authenticator that asks does not exist, or was removed
	WrongClock   Reason = "wrong_clock"   // what an authenticator signed is too old, or lies ahead
	MailedBefore Reason = "mailed_before" // the user was sent such a mail a moment ago
)

// Error is the one error type of the contracts in this package. Message is a
// sentence without a full stop that an operator can read; it holds no secret
// and no phone number or address. Programs go by Kind and Reason alone.
type Error struct {
	Kind       Kind
	Reason     Reason // why, where Kind does not say enough; mostly empty
	Message    string
	RetryAfter time.Duration // with Throttled; zero: not said
	Lasting    bool          // with Unavailable: waiting alone does not mend it, as a full disk
	Alone      bool          // with Unavailable, of one Result: the target serves others, and fails at this user each time
	Err        error         // the cause, may be nil
}

// Error is the message and its cause.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	default:
		return e.Message + ": " + e.Err.Error()
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first Error in err's chain, Internal for any
// other error. It must not be asked about nil.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// ReasonOf returns the reason of the first Error in err's chain, and none for
// any other error.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// UnreadError is what a Read returns beside its users if some of them cannot
// be read and others can: the place of each who is named here holds nothing.
// It is for those who go on with the others; everybody else takes it for the
// error that it is, whose kind is that of one of the users.
type UnreadError struct {
	Users map[UserID]*Error // never empty
}

func (e *UnreadError) first() *Error {
	ids := slices.Sorted(maps.Keys(e.Users))
	if len(ids) == 0 {
		return nil
	}
	return e.Users[ids[0]]
}

// Error tells of one of them, and how many there are.
func (e *UnreadError) Error() string {
	if n := len(e.Users); n > 1 {
		return fmt.Sprintf("%v, and %d more", e.first(), n-1)
	}
	return fmt.Sprint(e.first())
}

// Unwrap returns why one of them cannot be read.
func (e *UnreadError) Unwrap() error { return e.first() }

// Unread splits the error of a Read: into who cannot be read while the others
// can, and an error that is about all of them.
func Unread(err error) (map[UserID]*Error, error) {
	if e, ok := errors.AsType[*UnreadError](err); ok {
		return e.Users, nil
	}
	return nil, err
}
