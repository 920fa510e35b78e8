package signature

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Activation is what a new authenticator signs to prove that it has the private
// key: it binds name and key to the one code, however that was typed, and to the
// PIN where there is one, in a line of its own.
func Activation(user string, code secret.Bytes, name string, key []byte, pin secret.Bytes) []byte {
	parts := []string{user, PlainCode(string(code.Reveal())), name, base64.RawURLEncoding.EncodeToString(key)}
	return text("activation", withPIN(parts, pin)...)
}

// PlainCode is a code to activate with as it was made, however it was typed.
func PlainCode(typed string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, typed))
}

// Answer is what a user has pressed.
type Answer struct {
	User      cloud.UserID
	Device    string
	Challenge cloud.ChallengeID
	Word      string       // "approve", "deny" or "fraud"
	Number    string       // as typed, where it is matched
	PIN       secret.Bytes // as typed, where an approval needs one
}

// Text is what is signed of it at a time by the clock of the device.
func (a Answer) Text(at time.Time) []byte {
	parts := []string{string(a.User), a.Device, string(a.Challenge), a.Word, a.Number, seconds(at)}
	return text("answer", withPIN(parts, a.PIN)...)
}

// Request is what is signed to be let in.
func Request(user cloud.UserID, device string, at time.Time) []byte {
	return text("request", string(user), device, seconds(at))
}

// PIN is what is signed to set a PIN; old is zero where the device has none.
func PIN(user cloud.UserID, device string, pin, old secret.Bytes, at time.Time) []byte {
	return text("pin", string(user), device, string(pin.Reveal()), string(old.Reveal()), seconds(at))
}

func withPIN(parts []string, pin secret.Bytes) []string {
	if pin.IsZero() {
		return parts
	}
	return append(parts, string(pin.Reveal()))
}

func seconds(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// text puts a line for each part; a part that holds a line break could pass for
// two.
func text(what string, parts ...string) []byte {
	b := []byte("mfabridge " + what + " 1")
	for _, part := range parts {
		b = append(b, '\n')
		b = append(b, strings.ReplaceAll(part, "\n", "\uFFFD")...)
	}
	return b
}
