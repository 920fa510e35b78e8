package engine

import (
	"context"
	"fmt"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/signature"
)

// fresh refuses what was signed too long ago, or lies too far ahead.
func (e *Engine) fresh(at time.Time) error {
	if age := e.now().Sub(at); age.Abs() > signature.Window {
		return because(cloud.WrongClock, cloud.Denied, "it was signed too long ago, or the clock of the authenticator is wrong")
	}
	return nil
}

// isSigned checks that an active device of the user signed text at a time.
func (e *Engine) isSigned(ctx context.Context, user cloud.UserID, device string, text, signed []byte, at time.Time) error {
	var key []byte
	err := e.store.View(ctx, func(r Reader) error {
		key = nil
		devices, err := r.Devices(user)
		for _, d := range devices {
			if d.ID == device && d.State == deviceActive {
				key = d.Key
			}
		}
		return err
	})
	switch {
	case err != nil:
		return asError(err)
	case len(key) == 0 || !signature.Holds(key, text, signed):
		return because(cloud.NotActive, cloud.Denied, "the authenticator is not an active one of this user, or has not signed this")
	}
	return e.fresh(at)
}

// AuthenticateDevice says whose device a bearer token was made by. It lets in
// for two minutes, and only what is active at this moment. Denied: it does not
// let in.
func (e *Engine) AuthenticateDevice(ctx context.Context, token string) (user cloud.UserID, device string, err error) {
	t, ok := signature.ParseToken(token)
	if !ok {
		return "", "", refuse(cloud.Denied, "the token of the authenticator is not one")
	}
	if err := e.isSigned(ctx, t.User, t.Device, signature.Request(t.User, t.Device, t.At), t.Signature, t.At); err != nil {
		return "", "", err
	}
	return t.User, t.Device, nil
}

// SignedResponse is a response with the signature of the device.
type SignedResponse struct {
	Response
	At        time.Time // by the clock of the device
	Signature []byte    // of [signature.Answer]
}

// text is what the device has signed.
func (r Response) text(at time.Time) []byte {
	return signature.Answer{User: r.User, Device: r.Device, Challenge: r.Challenge, Word: string(r.Answer), Number: r.Number, PIN: r.PIN}.Text(at)
}

// Press takes a signed answer: [Engine.Respond] behind the check that this
// device signed exactly this, a moment ago, and that the PIN is right where an
// approval needs one. Denied: it did not sign it.
func (e *Engine) Press(ctx context.Context, s SignedResponse) (Pressed, error) {
	if s.PIN.Len() > maxPINLength {
		return Pressed{}, refuse(cloud.Invalid, fmt.Sprintf("a PIN has at most %d digits", maxPINLength))
	}
	if err := e.isSigned(ctx, s.User, s.Device, s.text(s.At), s.Signature, s.At); err != nil {
		return Pressed{}, err
	}
	hash, pressed, err := e.pressedPIN(ctx, s.Response)
	if err != nil || pressed.PIN != "" {
		return pressed, err
	}
	return e.respond(ctx, s.Response, hash)
}
