package shim

import (
	"context"
	"errors"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
)

// Login is a first factor to be proven.
type Login struct {
	User     string       // as typed, in NFC
	Password secret.Bytes // not empty
	Client   cloud.Client

	// Request is the whole Access-Request, for a primary that speaks RADIUS
	// itself. It is valid during the call only.
	Request radius.Packet
}

// Proof is a primary's answer to a [Login].
type Proof struct {
	OK     bool
	Reason cloud.Reason // if not OK

	// Subject is the person whose first factor was proven, as the engine knows
	// them: the second factor is asked for from nobody else. Set if OK. Where
	// the engine has nobody of that key, Otherwise is asked for if it is set.
	Subject, Otherwise cloud.Key

	// Name is what logs call the person, where the primary knows a name of
	// theirs: the entry's user principal name, or the name that a server gave.
	// Nobody is looked up by it. Set without OK too, if it is known whose
	// password was refused.
	Name string

	// SID is the person's security identifier, if it is known: an engine's user
	// who has another one is not that person.
	SID string

	// Groups are the person's, if the primary knows them: distinguished names
	// of a directory, or names of the engine's groups.
	Groups []string

	// Reply are attributes, in the form of a packet, that the client is to get
	// with Access-Accept. They are kept through a challenge. Empty: none.
	Reply []byte

	// Hidden are further attributes of that Access-Accept, which nobody but
	// the client may read: keys. They leave this process hidden under the
	// client's secret only, or sealed to be kept through a challenge.
	Hidden []Hidden

	// Ending is what the protocol of a relayed login ends with, in the form of
	// a packet.
	Ending []byte
}

// Reasons of a primary besides those of [cloud.Reason].
const (
	PasswordExpired    cloud.Reason = "password_expired"
	PasswordMustChange cloud.Reason = "password_must_change"
	AccountLocked      cloud.Reason = "account_locked"
	AccountExpired     cloud.Reason = "account_expired"
	NotNow             cloud.Reason = "not_now" // not at this hour, or not from here
)

// Primary checks first factors. All methods may be called concurrently.
type Primary interface {
	// Prove checks a password. A definite no is a Proof that is not OK; an
	// error means that nobody could say, of kind Invalid that this request
	// never can be judged.
	Prove(ctx context.Context, l Login) (Proof, error)

	// Ready tells whether the primary can be asked just now.
	Ready(ctx context.Context) error
}

// native is the engine as a primary.
type native struct{ passwords cloud.Passwords }

func (n native) Prove(ctx context.Context, l Login) (Proof, error) {
	answer, err := n.passwords.CheckPassword(ctx, cloud.Key{Kind: cloud.ByName, Value: l.User}, l.Password, l.Client)
	switch {
	case err != nil:
		return Proof{}, err
	case !answer.OK:
		return Proof{Reason: answer.Reason}, nil
	case answer.User == "":
		return Proof{}, errors.New("engine took a password and named no user")
	}
	return Proof{OK: true, Name: answer.UPN, Subject: cloud.Key{Kind: cloud.ByID, Value: string(answer.User)}, Groups: answer.Groups}, nil
}

// Ready is the engine's own affair: whoever asks for the second factor asks it.
func (native) Ready(context.Context) error { return nil }
