package ldapconn

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what went wrong in a way that a program can act on.
type Kind uint8

const (
	Failed      Kind = iota // anything else; the zero value
	Unavailable             // no server could be reached, or none answered in time; another try may help
	Untrusted               // the server's certificate does not hold
	Denied                  // the bind of Config, or what it may read, was refused
	TooMuch                 // a limit of the server or of ours was met
	Elsewhere               // the server refers to another one, which is not followed
	Missing                 // the base of a search does not exist

	// Of Authenticate only; whoever gets one of these is not let in.
	WrongPassword   // or an unknown user: servers do not always tell
	PasswordExpired // was right, or not looked at, and is too old
	MustChange      // was right, and has to be changed before it is used
	Locked          // too many tries
	Disabled        // by an administrator
	AccountExpired
	NotNow // not at this hour, or not from this machine
)

var kindNames = [...]string{"failed", "unavailable", "untrusted", "denied", "too much", "elsewhere", "missing",
	"wrong password", "password expired", "must change", "locked", "disabled", "account expired", "not now"}

// String is the kind's name in lower case, as it stands in logs and metrics.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Error is the one error type of this package. Message is a sentence without a
// full stop; it holds no password.
type Error struct {
	Kind    Kind
	Server  string // "dc1.corp.example:636"; empty: no one server
	Message string
	Err     error // the cause, may be nil
}

// Error is server, message and cause.
func (e *Error) Error() string {
	text := e.Message
	if e.Server != "" {
		text = e.Server + ": " + text
	}
	if e.Err != nil {
		// The library ends with a colon where a server gives no words of its own.
		text = strings.TrimRight(fmt.Sprintf("%s: %v", text, e.Err), ": ")
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain; Failed where
// there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Failed
}
