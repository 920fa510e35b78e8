// Package carrier is the contract between a channel and its drivers: what a
// driver is given to send, what it says of it, and how receipts come back.
//
//	taken, err := driver.Send(ctx, note)
//	switch {
//	case err == nil:                            // accepted; taken.ID is what receipts will call it
//	case errors.Is(err, carrier.ErrUnreachable): // this number has no such channel: the next channel is asked
//	case errors.Is(err, carrier.ErrUnknown):     // it may have been taken over all the same
//	default:                                     // not accepted
//	}
//
// A driver is one provider. It knows neither users nor challenges, keeps no
// state that it could not lose, and puts nothing of a message, a number, a secret
// or a provider's answer into an error or a log line.
package carrier

import (
	"context"
	"errors"
	"net/url"
	"time"
)

// Note is one message to one telephone, as a driver gets it.
type Note struct {
	ID          string        // the same when the message is sent again by the same channel; not for the provider as it is, see Public
	Public      string        // ID as a provider may see it: 32 hexadecimal digits
	Number      string        // E.164: +442079460000; of mail the address
	Extension   string        // digits behind an office number; voice only
	Text        string        // the whole message; the only thing that a notice has
	Subject     string        // of a mail; empty: the configured one
	Code        string        // in Text, for drivers with words of their own
	Application string        // as users know it
	Language    string        // of a template, "default" or as configured
	Life        time.Duration // after which the code is worth nothing
}

// Taken is what a provider said when it took a message over.
type Taken struct {
	// ID is how receipts will call the message, unique within the provider; empty:
	// there will be none.
	ID string
}

// Errors of Send that mean something to the caller. Drivers wrap them (%w).
var (
	// ErrUnreachable: the number cannot be reached by this channel. Nothing was
	// delivered and nothing will be.
	ErrUnreachable = errors.New("the number cannot be reached by this channel")

	// ErrUnknown: no answer came, so that the provider may have taken the message
	// over or not. Whoever sends it again may send it twice.
	ErrUnknown = errors.New("it is not known whether the message was taken over")

	// ErrUnwell: the provider takes nothing now, whatever the message. It says so
	// (5xx, throttling, a refused login) or cannot be reached. After a few of these
	// and of ErrUnknown it is left alone for a while.
	ErrUnwell = errors.New("the provider takes nothing now")
)

// Mark is an error of one of these kinds that says what happened in words of its
// own.
func Mark(kind error, what string) error { return marked{kind, what} }

type marked struct {
	kind error
	what string
}

func (m marked) Error() string { return m.what }
func (m marked) Unwrap() error { return m.kind }

// Driver hands notes to one provider. Send may be called concurrently, returns
// when ctx is done, and says nil only once the provider has taken the note over.
type Driver interface {
	Send(ctx context.Context, n Note) (Taken, error)
	Close() error
}

// Repeater is a driver whose provider ignores a note that it has had before, by
// its Public id: it may be sent again after ErrUnknown or a restart.
type Repeater interface {
	Driver
	Repeats() bool
}

// Revoker is a driver that can call a message back that was not delivered yet.
type Revoker interface {
	Driver
	Revoke(ctx context.Context, n Note, taken Taken) error
}

// Status is what became of a message. Statuses come in any order, late, and
// more than once.
type Status string

const (
	Sent        Status = "sent"        // on its way
	Delivered   Status = "delivered"   // on the telephone
	Read        Status = "read"        // and seen there
	Failed      Status = "failed"      // it will not arrive
	Unreachable Status = "unreachable" // it will not arrive, as the number has no such channel

	Confirmed Status = "confirmed" // voice: # was pressed
	Fraud     Status = "fraud"     // voice: the fraud code was pressed
	Declined  Status = "declined"  // voice: the call ended without a key
)

// Receipt is what a provider tells of a message later.
type Receipt struct {
	ID     string // Taken.ID; or Note.Public where ByNote is set
	ByNote bool
	Status Status
	At     time.Time // by the provider's clock; zero: it does not say
}

// Reporter is a driver whose receipts come by its own connection. Report is
// called once, before the first Send; tell may be called from any goroutine until
// Close returns and does not block for long.
type Reporter interface {
	Driver
	Report(tell func(Receipt))
}

// Call is a request of a provider to us, at /delivery/v1/PROVIDER. The body was
// read and is bounded; nothing else of it was checked.
type Call struct {
	Method string
	URL    string // as the provider was told it: public address, path and query
	Query  url.Values
	Header func(name string) string
	Body   []byte
	Now    time.Time
}

// Reply is what a provider is answered.
type Reply struct {
	Receipts []Receipt
	Media    string // of Body; empty: text/plain
	Body     []byte
}

// ErrForged is why a call is not listened to: it is not signed by the provider,
// or not fresh.
var ErrForged = errors.New("the call is not signed by the provider, or not fresh")

// Hook is a driver that is called by its provider. Every call is checked to be
// the provider's own before anything of it is believed; ErrForged if it is not.
type Hook interface {
	Driver
	Call(ctx context.Context, c Call) (Reply, error)
}
