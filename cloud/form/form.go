// Package form says what the values of a user may look like: names, telephone
// numbers, addresses of mail, generators; and how a number or an address is
// shown to people who know it. It is the form alone that is looked at: whether
// somebody else has the number, or a target can hold it, is for the engine and
// its Capabilities. A plan asks here what an engine takes, and the engine asks
// here whether it takes it.
//
// # Numbers
//
// A number is kept as "+CC NNN": country code, one space, digits, up to 15 of
// them (E.164); an office number may end with x and an extension. [PlainNumber]
// makes that of what people write.
//
// # Text
//
// Text is what people can see, in every script. The two joiners (U+200C and
// U+200D) are no letters, but change how letters beside them are written: they
// stay where Persian, Hindi or Sinhala needs them (RFC 5892, appendix A), and
// between the parts of an emoji. Everything else that nobody sees is refused:
// it is there to deceive. Names with and without joiners are one name
// (internal/casefold).
//
// # Errors
//
// What is refused is a *cloud.Error of kind Invalid whose sentence names the
// rule. It never quotes the value.
package form

import "mfabridge/cloud"

// Limits on what a user may have and be called.
const (
	MaxName      = 256 // bytes of a user principal name, alias or display name
	MaxAliases   = 20  // of a user
	MinSecret    = 10
	MaxSecret    = 128 // bytes
	MaxDrift     = 500 // steps that may be imported; 4 hours at 30 seconds
	MaxLabel     = 128 // bytes of a generator's name, serial, manufacturer, model
	MaxDigits    = 15  // E.164, with the country code
	MaxExtension = 11  // digits
	maxEmail     = 254 // RFC 5321 §4.5.3.1.3, without the brackets
	maxDomain    = 253 // RFC 1035 §2.3.4, without the last point
	maxDNSLabel  = 63
	minDigits    = 5 // with the country code
	maxSIDParts  = 18
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

func invalid(message string) error { return &cloud.Error{Kind: cloud.Invalid, Message: message} }
