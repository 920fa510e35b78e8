package engine

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
)

// Sizes of what an authenticator signs with, in bytes: a point of P-256 in the
// uncompressed form of SEC 1 §2.3.3, and the two numbers of a signature one
// after the other, both as WebCrypto makes them.
const (
	DeviceKeySize       = 65
	DeviceSignatureSize = 64
)

// signedWindow is how far the clock of a device may be from ours in what it
// signs, to either side.
const signedWindow = 2 * time.Minute

// DeviceTokenPrefix begins the bearer token of a device, which no token of an
// application does.
const DeviceTokenPrefix = "mfd1."

// ActivationText is what a new authenticator signs to prove that it has the
// private key: it binds name and key to the one code, and the PIN where there is
// one, in a line of its own.
func ActivationText(user, code, name string, key []byte, pin ...string) []byte {
	return signedText("activation", append([]string{user, cleanActivation(code), name, base64.RawURLEncoding.EncodeToString(key)}, pin...)...)
}

// AnswerText is what an authenticator signs when its user has pressed a button.
func AnswerText(r Response, at time.Time) []byte {
	parts := []string{string(r.User), r.Device, string(r.Challenge), string(r.Answer), r.Number, strconv.FormatInt(at.Unix(), 10)}
	if !r.PIN.IsZero() {
		parts = append(parts, string(r.PIN.Reveal()))
	}
	return signedText("answer", parts...)
}

// RequestText is what an authenticator signs to be let in.
func RequestText(user cloud.UserID, device string, at time.Time) []byte {
	return signedText("request", string(user), device, strconv.FormatInt(at.Unix(), 10))
}

// signedText puts a line for each part; a part that holds a line break could
// pass for two.
func signedText(what string, parts ...string) []byte {
	b := []byte("mfabridge " + what + " 1")
	for _, part := range parts {
		b = append(b, '\n')
		b = append(b, strings.ReplaceAll(part, "\n", "\uFFFD")...)
	}
	return b
}

// DeviceToken is the bearer token of a device: its name, the time, and the
// signature of [RequestText].
func DeviceToken(user cloud.UserID, device string, at time.Time, signature []byte) string {
	return DeviceTokenPrefix + strings.Join([]string{string(user), device, strconv.FormatInt(at.Unix(), 10),
		base64.RawURLEncoding.EncodeToString(signature)}, ".")
}

// parseDeviceKey takes a point that is on the curve.
func parseDeviceKey(b []byte) (*ecdsa.PublicKey, error) {
	if len(b) == DeviceKeySize {
		if key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b); err == nil {
			return key, nil
		}
	}
	return nil, refuse(cloud.Invalid, "the key of an authenticator must be a point of P-256 in 65 bytes")
}

// signedBy checks a signature.
func signedBy(key, text, signature []byte) bool {
	public, err := parseDeviceKey(key)
	if err != nil || len(signature) != DeviceSignatureSize {
		return false
	}
	sum := sha256.Sum256(text)
	half := DeviceSignatureSize / 2
	return ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
}

// fresh refuses what was signed too long ago, or lies too far ahead.
func (e *Engine) fresh(at time.Time) error {
	if age := e.now().Sub(at); age > signedWindow || age < -signedWindow {
		return because(cloud.WrongClock, cloud.Denied, "it was signed too long ago, or the clock of the authenticator is wrong")
	}
	return nil
}

// isSigned checks that an active device of the user signed text at a time.
func (e *Engine) isSigned(ctx context.Context, user cloud.UserID, device string, text, signature []byte, at time.Time) error {
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
	case len(key) == 0 || !signedBy(key, text, signature):
		return because(cloud.NotActive, cloud.Denied, "the authenticator is not an active one of this user, or has not signed this")
	}
	return e.fresh(at)
}

// AuthenticateDevice says whose device a bearer token was made by. It lets in
// for two minutes, and only what is active at this moment. Denied: it does not
// let in.
func (e *Engine) AuthenticateDevice(ctx context.Context, token string) (user cloud.UserID, device string, err error) {
	denied := refuse(cloud.Denied, "the token of the authenticator is not one")
	rest, ok := strings.CutPrefix(token, DeviceTokenPrefix)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 4 {
		return "", "", denied
	}
	seconds, err := strconv.ParseInt(parts[2], 10, 64)
	signature, err2 := base64.RawURLEncoding.DecodeString(parts[3])
	if err != nil || err2 != nil {
		return "", "", denied
	}
	user, device = cloud.UserID(parts[0]), parts[1]
	at := time.Unix(seconds, 0)
	if err := e.isSigned(ctx, user, device, RequestText(user, device, at), signature, at); err != nil {
		return "", "", err
	}
	return user, device, nil
}

// SignedResponse is a response with the signature of the device.
type SignedResponse struct {
	Response
	At        time.Time // by the clock of the device
	Signature []byte    // of AnswerText
}

// Press takes a signed answer: [Engine.Respond] behind the check that this
// device signed exactly this, a moment ago, and that the PIN is right where an
// approval needs one. Denied: it did not sign it.
func (e *Engine) Press(ctx context.Context, s SignedResponse) (Pressed, error) {
	if s.PIN.Len() > maxPINLength {
		return Pressed{}, refuse(cloud.Invalid, fmt.Sprintf("a PIN has at most %d digits", maxPINLength))
	}
	if err := e.isSigned(ctx, s.User, s.Device, AnswerText(s.Response, s.At), s.Signature, s.At); err != nil {
		return Pressed{}, err
	}
	hash, pressed, err := e.pressedPIN(ctx, s.Response)
	if err != nil || pressed.PIN != "" {
		return pressed, err
	}
	return e.respond(ctx, s.Response, hash)
}
