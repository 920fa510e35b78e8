package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/argon2id"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/signature"
	"mfabridge/internal/secret"
)

// pinTries is how many wrong PINs in a row lock a device. The user is not
// locked: other devices and methods go on.
const pinTries = 5

// pin is the PIN of a device as it is kept: argon2id over a MAC of it, whose key
// is sealed apart from it. Tries are those that are left.
type pin struct {
	Hash  string `json:"hash"`
	Tries int    `json:"tries"`

	device string // for which it was made
}

// PINState says why an approval was not taken for its PIN.
type PINState string

// States of a PIN.
const (
	PINNeeded PINState = "needed" // the device has none, or none was given
	PINWrong  PINState = "wrong"
	PINLocked PINState = "locked" // too many were wrong: the owner has to unlock the device
)

// pinMAC is what is hashed of a PIN.
func (e *Engine) pinMAC(user cloud.UserID, device string, typed secret.Bytes) string {
	return base64.RawStdEncoding.EncodeToString(e.sentMAC(cloud.ChallengeID("pin/"+device), string(user), typed.Reveal()))
}

// CheckPIN refuses what is no PIN, or one that is guessed first: all digits
// alike, or in a row up or down. It looks at Length and WeakPINs only.
func (s *Settings) CheckPIN(typed secret.Bytes) error {
	digits := typed.Reveal()
	if len(digits) < s.Length || len(digits) > maxPINLength {
		return because(cloud.WeakPIN, cloud.Invalid, fmt.Sprintf("a PIN must have %d to %d digits", s.Length, maxPINLength))
	}
	weak := map[int]int{}
	for i, c := range digits {
		if c < '0' || c > '9' {
			return because(cloud.WeakPIN, cloud.Invalid, fmt.Sprintf("a PIN must have %d to %d digits", s.Length, maxPINLength))
		}
		if i > 0 {
			weak[int(c)-int(digits[i-1])]++
		}
	}
	for _, step := range []int{-1, 0, 1} {
		if !s.WeakPINs && weak[step] == len(digits)-1 {
			return because(cloud.WeakPIN, cloud.Invalid, "a PIN of equal digits, or of digits in a row, is guessed first: choose another")
		}
	}
	return nil
}

// newPIN is a PIN as it is kept.
func (e *Engine) newPIN(ctx context.Context, user cloud.UserID, device string, typed secret.Bytes) (*pin, error) {
	hash, err := e.passwords.hash(ctx, e.pinMAC(user, device, typed))
	if err != nil {
		return nil, err
	}
	return &pin{Hash: hash, Tries: pinTries}, nil
}

// needsPIN tells whether a device of a user approves with a PIN: where the
// organisation or the user's administrator asks for one, or the owner has set it.
func needsPIN(s *Settings, u *aside, d *deviceAside) bool { return s.PIN || u.PIN || d.PIN != nil }

// pinned reads whether an approval by a device needs a PIN.
func pinned(r Reader, u *User, d *deviceAside) (bool, error) {
	s, err := settingsOf(r)
	if err != nil {
		return false, err
	}
	a, err := readAside(u)
	return needsPIN(&s, &a, d), err
}

// typed is a PIN that somebody has typed at a device.
type typedPIN struct {
	user   cloud.UserID
	device string
	pin    secret.Bytes
}

// tryPIN compares a PIN: it takes one of the tries before, which only what
// needs the PIN gives back, so that tries at the same moment are not more. The
// place to compare it in comes first: whoever is turned away while many passwords
// are checked loses no try. hash is the one that it was right for.
func (e *Engine) tryPIN(ctx context.Context, t typedPIN) (hash string, state PINState, left int, err error) {
	if !t.pin.IsZero() {
		if err := e.passwords.enter(ctx); err != nil {
			return "", "", 0, err
		}
		defer e.passwords.leave()
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		hash, state, left = "", "", 0
		d, err := deviceOf(tx, t.user, t.device)
		if err != nil {
			return err
		}
		a, err := d.aside()
		switch {
		case err != nil:
			return err
		case a.PIN == nil || t.pin.IsZero():
			state = PINNeeded
			return nil
		case a.PIN.Tries <= 0:
			state = PINLocked
			return nil
		}
		a.PIN.Tries--
		hash, left = a.PIN.Hash, a.PIN.Tries
		if err := d.setAside(a); err != nil {
			return err
		}
		return tx.PutDevice(d)
	})
	if err != nil || state != "" {
		return "", state, 0, asError(err)
	}
	right, err := argon2id.ComparePasswordAndHash(e.pinMAC(t.user, t.device, t.pin), hash)
	switch {
	case err != nil:
		return "", "", 0, refuse(cloud.Internal, "the stored hash of a PIN cannot be read")
	case right:
		return hash, "", left, nil
	}
	if left > 0 {
		return "", PINWrong, left, nil
	}
	return "", PINLocked, 0, e.pinLocked(ctx, t.user, t.device)
}

// pinLocked records that the last try was wrong.
func (e *Engine) pinLocked(ctx context.Context, user cloud.UserID, device string) error {
	e.log.WarnContext(ctx, "a device was locked for wrong PINs", "user", user)
	return asError(e.store.Update(ctx, func(tx Tx) error {
		return tx.Append(audit.Entry{Time: e.now(), Node: e.node, Actor: "device " + device, Action: "device.pin-locked", Subject: string(user), Detail: "device=" + device})
	}))
}

// right tells whether a PIN that was compared is still the one of the device,
// and gives its tries back.
func (a *deviceAside) right(hash string) bool {
	if a.PIN == nil || hash == "" || a.PIN.Hash != hash {
		return false
	}
	a.PIN.Tries = pinTries
	return true
}

// NewPIN is a PIN that the owner of a device sets there, signed by it.
type NewPIN struct {
	User      cloud.UserID
	Device    string
	PIN       secret.Bytes
	Old       secret.Bytes // zero: the device has none
	At        time.Time    // by the clock of the device
	Signature []byte       // of [signature.PIN]
}

// SetPIN sets the PIN of a device, in place of an old one that has to be right.
// Denied: it is not, or the device has not signed this; Invalid: it is none.
func (e *Engine) SetPIN(ctx context.Context, n NewPIN) (state PINState, left int, err error) {
	text := signature.PIN(n.User, n.Device, n.PIN, n.Old, n.At)
	if err := e.isSigned(ctx, n.User, n.Device, text, n.Signature, n.At); err != nil {
		return "", 0, err
	}
	s, err := e.Settings(ctx)
	if err != nil {
		return "", 0, err
	}
	if err := s.CheckPIN(n.PIN); err != nil {
		return "", 0, err
	}
	before, state, left, err := e.tryPIN(ctx, typedPIN{n.User, n.Device, n.Old})
	if err != nil || state != "" && (state != PINNeeded || !n.Old.IsZero()) {
		return state, left, err
	}
	made, err := e.newPIN(ctx, n.User, n.Device, n.PIN)
	if err != nil {
		return "", 0, err
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		d, err := deviceOf(tx, n.User, n.Device)
		if err != nil {
			return err
		}
		a, err := d.aside()
		if err != nil {
			return err
		}
		if a.PIN != nil && !a.right(before) {
			state = PINNeeded
			return nil
		}
		a.PIN, state = made, ""
		if err := d.setAside(a); err != nil {
			return err
		}
		return errors.Join(tx.PutDevice(d), tx.Append(audit.Entry{Time: e.now(), Node: e.node, Actor: "device " + n.Device, Action: "device.pin",
			Subject: string(n.User), Detail: "device=" + n.Device}))
	})
	return state, 0, asError(err)
}

// RequirePIN says whether a user approves with a PIN though not everybody has
// to. reset takes the PINs of all their devices away, which then ask for new ones.
func (e *Engine) RequirePIN(ctx context.Context, by Actor, id cloud.UserID, required, reset bool) error {
	return e.changePIN(ctx, by, id, &required, reset)
}

// ResetPINs takes the PINs of all devices of a user away. Whether the user
// approves with one stays as it is.
func (e *Engine) ResetPINs(ctx context.Context, by Actor, id cloud.UserID) error {
	return e.changePIN(ctx, by, id, nil, true)
}

func (e *Engine) changePIN(ctx context.Context, by Actor, id cloud.UserID, required *bool, reset bool) error {
	if err := by.check(); err != nil {
		return err
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		u, err := by.findUser(tx, id)
		if err != nil {
			return err
		}
		a, err := readAside(u)
		if err != nil {
			return err
		}
		if required != nil {
			a.PIN = *required
		}
		if err := setAside(u, a); err != nil {
			return err
		}
		if reset {
			if err := resetPINs(tx, id); err != nil {
				return err
			}
		}
		return errors.Join(tx.PutUser(u), tx.Append(e.entry(by, "user.pin", string(id), fmt.Sprintf("required=%t reset=%t", a.PIN, reset), e.now())))
	}))
}

func resetPINs(tx Tx, id cloud.UserID) error {
	devices, err := tx.Devices(id)
	if err != nil {
		return err
	}
	for i := range devices {
		if err := devices[i].editAside(tx, func(a *deviceAside) { a.PIN = nil }); err != nil {
			return err
		}
	}
	return nil
}
