package cloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"hash"
	"slices"
	"time"

	"mfabridge/internal/secret"
)

// UserID is the target's own id of a user, opaque to everybody else. It never
// changes and is never given to another user.
type UserID string

// Method is a registered way to verify, or another thing that a change can
// set on a user. The words are those of reports and of the HTTP API.
type Method string

const (
	Mobile          Method = "mobile"
	AlternateMobile Method = "alternateMobile"
	Office          Method = "office"
	Email           Method = "email"
	SoftwareOATH    Method = "softwareOath"
	HardwareOATH    Method = "hardwareOath"
	Authenticator   Method = "authenticator"
	DefaultMethod   Method = "defaultMethod" // which method is asked for first
	Blocked         Method = "block"         // until when the user may not verify
	Account         Method = "user"          // the user itself: names, enabled
)

// Methods are the ways to verify that a user may have, in the order of reports.
func Methods() []Method {
	return []Method{Authenticator, SoftwareOATH, HardwareOATH, Mobile, AlternateMobile, Office, Email}
}

// IsOATH tells whether the method is a code generator of RFC 4226 or 6238.
func (m Method) IsOATH() bool { return m == SoftwareOATH || m == HardwareOATH }

// IsPhone tells whether the method is one of the three phone slots.
func (m Method) IsPhone() bool { return m == Mobile || m == AlternateMobile || m == Office }

// Preference names the way a user is asked by default. The words are those of
// Graph's userPreferredMethodForSecondaryAuthentication.
type Preference string

const (
	Push                 Preference = "push"
	OATHCode             Preference = "oath"
	SMS                  Preference = "sms"
	VoiceMobile          Preference = "voiceMobile"
	VoiceAlternateMobile Preference = "voiceAlternateMobile"
	VoiceOffice          Preference = "voiceOffice"

	// EmailCode is a code by mail to a confirmed address. It is no default: users
	// are asked so where a caller wishes it, or where nothing else is left.
	EmailCode Preference = "email"
)

// Algorithm is the HMAC's hash of an OATH generator.
type Algorithm string

const (
	SHA1   Algorithm = "SHA1"
	SHA256 Algorithm = "SHA256"
	SHA512 Algorithm = "SHA512"
)

// OATH is one time-based code generator (RFC 6238).
type OATH struct {
	Name         string
	Serial       string // its identity; unique in a target
	Manufacturer string
	Model        string
	Algorithm    Algorithm
	Digits       int
	Period       int // seconds
	Drift        int // known drift of the device's clock in steps; on write only

	// Secret is only ever on its way to a target. A Directory never returns it.
	Secret secret.Bytes
	// Fingerprint stands for the secret where the target can tell it apart
	// from others; see [Fingerprint]. Empty where the target hides it.
	Fingerprint string
}

// Same tells whether two generators are the same entry as far as both sides
// can tell: by fingerprint where both have one, else by serial number.
func (o OATH) Same(p OATH) bool {
	if o.Fingerprint != "" && p.Fingerprint != "" {
		return o.Fingerprint == p.Fingerprint
	}
	return o.Serial == p.Serial
}

// Equal tells whether nothing that a target keeps of o would change by p.
// Drift moves with use and does not count; neither does a fingerprint that
// only one side has.
func (o OATH) Equal(p OATH) bool {
	return o.Same(p) && o.Serial == p.Serial && o.Name == p.Name &&
		o.Algorithm == p.Algorithm && o.Digits == p.Digits && o.Period == p.Period
}

// Fingerprint returns 16 Base32 characters of HMAC-SHA256 over a secret, with
// the target's instance id as the key: equal secrets are seen to be equal
// within one target and nowhere else. An OATH method without a serial number
// of its own is given "MFB-" and this.
func Fingerprint(instance string, key secret.Bytes) string {
	return NewFingerprints(instance).Of(key)
}

// Fingerprints makes those of many secrets within one target. It is not for
// concurrent use.
type Fingerprints struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

// NewFingerprints returns the Fingerprints of the target with an instance id.
func NewFingerprints(instance string) *Fingerprints {
	return &Fingerprints{mac: hmac.New(sha256.New, []byte(instance))}
}

// Of is [Fingerprint] of key.
func (f *Fingerprints) Of(key secret.Bytes) string {
	const chars, bytes = 16, 10
	f.mac.Reset()
	f.mac.Write(key.Reveal())
	var text [chars]byte
	base32.StdEncoding.Encode(text[:], f.mac.Sum(f.sum[:0])[:bytes])
	return string(text[:])
}

// Profile is what a user is called and whether they may verify at all.
type Profile struct {
	UPN         string   // user principal name, as the target writes it
	DisplayName string   // may be empty
	Aliases     []string // other names that a login may use, unique in the target, sorted
	SID         string   // Windows security identifier, S-1-5-…, may be empty
	Enabled     bool
}

// Equal compares all fields; the order of Aliases does not count.
func (p Profile) Equal(q Profile) bool {
	a, b := slices.Clone(p.Aliases), slices.Clone(q.Aliases)
	slices.Sort(a)
	slices.Sort(b)
	return p.UPN == q.UPN && p.DisplayName == q.DisplayName && p.SID == q.SID &&
		p.Enabled == q.Enabled && slices.Equal(a, b)
}

// OATHEntry is an OATH method as a target holds it.
type OATHEntry struct {
	ID       string // the target's id of the method
	Method   Method // SoftwareOATH or HardwareOATH
	Inactive bool   // registered, and verifies nothing before somebody activates it; of targets that can tell
	OATH
}

// AuthenticatorEntry is a push device or an invitation to activate one.
type AuthenticatorEntry struct {
	ID    string
	Name  string
	State string    // "invited", "expired", "active"
	Until time.Time // end of an invitation; zero with "active"
}

// User is a user as a Directory reads it, with all methods that it can read.
type User struct {
	ID UserID
	Profile
	Guest          bool // user type Guest
	External       bool // belongs to another organisation, as most guests do
	Privileged     bool // has an administrative role, or may take one on
	GlobalAdmin    bool // has the role above all others; implies Privileged
	SMSSignIn      bool // policy lets a mobile phone of this user sign in without a password
	Mobile         string
	Alternate      string // the alternateMobile slot
	Office         string
	Email          string
	NumberSignIn   bool // signs in with Mobile and a code in place of a password; of targets that can tell
	EmailConfirmed bool // somebody proved to read mail at Email, so that codes may go there; of targets that can tell
	OATH           []OATHEntry
	Authenticators []AuthenticatorEntry
	Default        Preference // empty: none set
	BlockedUntil   time.Time  // zero: not blocked
	Forbidden      []Method   // methods that the target's policy does not allow this user

	// ForbiddenWays tells which of SMS and VoiceMobile policy does not allow
	// this user where Mobile itself is not Forbidden, since the other one is.
	ForbiddenWays []Preference
}

// Value returns what the user has for a method now. For OATH methods and
// authenticators want tells which one: by id if it is not empty, else the
// entry that is the same generator as want.OATH. The zero Value: none.
func (u *User) Value(m Method, id string, want Value) Value {
	switch m {
	case Mobile:
		return TextValue(u.Mobile)
	case AlternateMobile:
		return TextValue(u.Alternate)
	case Office:
		return TextValue(u.Office)
	case Email:
		return TextValue(u.Email)
	case DefaultMethod:
		return TextValue(string(u.Default))
	case Blocked:
		return Value{Until: u.BlockedUntil}
	case Account:
		if u.ID == "" {
			return Value{}
		}
		return Value{Profile: &u.Profile}
	case SoftwareOATH, HardwareOATH:
		for i := range u.OATH {
			e := &u.OATH[i]
			if e.Method == m && (id != "" && e.ID == id || id == "" && want.OATH != nil && e.Same(*want.OATH)) {
				return Value{OATH: &e.OATH}
			}
		}
	case Authenticator:
		for i := range u.Authenticators {
			if a := &u.Authenticators[i]; id == "" || a.ID == id {
				return Value{State: a.State}
			}
		}
	}
	return Value{}
}
