// Package form says what the values of a user may look like: names, telephone
// numbers, addresses of mail, generators; and how a number or an address is
// shown to people who know it. It is the form alone that is looked at: whether
// somebody else has the number, or a target can hold it, is for the engine and
// its Capabilities.
//
// # Numbers
//
// A number is kept as "+CC NNN": country code, one space, digits, up to 15 of
// them (E.164); an office number may end with x and an extension. [PlainNumber]
// makes that of what people write.
//
// # Errors
//
// What is refused is a *cloud.Error of kind Invalid whose sentence names the
// rule. It never quotes the value.
package form

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"mfabridge/cloud"
)

// Limits on what a user may have and be called.
const (
	MaxName      = 256 // bytes of a user principal name, alias or display name
	maxAliases   = 20
	MinSecret    = 10
	MaxSecret    = 128 // bytes
	MaxDrift     = 500 // steps that may be imported; 4 hours at 30 seconds
	MaxLabel     = 128 // bytes of a generator's name, serial, manufacturer, model
	maxEmail     = 254 // RFC 5321 §4.5.3.1.3, without the brackets
	maxDigits    = 15  // E.164
	minDigits    = 5   // with the country code
	maxExtension = 11
)

// IsDigits tells whether s is one or more of the digits 0 to 9.
func IsDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// IsPlain tells whether s is printable text on one line.
func IsPlain(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// CheckText takes printable text of 1 to limit bytes without spaces around it;
// what names it in the error.
func CheckText(what, s string, limit int) error {
	if s == "" || len(s) > limit || !IsPlain(s) || strings.TrimSpace(s) != s {
		return invalid(fmt.Sprintf("%s must be 1 to %d bytes of printable text without spaces around it", what, limit))
	}
	return nil
}

func invalid(message string) error { return &cloud.Error{Kind: cloud.Invalid, Message: message} }
