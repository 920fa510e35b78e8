package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"mfabridge/cloud"
)

// Limits on what a user may have and be called.
const (
	maxName      = 256 // bytes of a user principal name, alias or display name
	maxAliases   = 20
	maxOATH      = 5 // generators and apps of one user
	minSecret    = 10
	maxSecret    = 128 // bytes
	maxLabel     = 128 // bytes of a generator's name, serial, manufacturer, model
	maxEmail     = 254 // RFC 5321 §4.5.3.1.3, without the brackets
	maxDigits    = 15  // E.164
	minDigits    = 5   // with the country code
	maxExtension = 11
)

// checkPhone takes "+CC NNN", with "xEXT" at the end only for the office slot.
func checkPhone(m cloud.Method, s string) error {
	number, extension, hasExtension := strings.Cut(s, "x")
	country, rest, ok := strings.Cut(strings.TrimPrefix(number, "+"), " ")
	switch {
	case !ok, !strings.HasPrefix(number, "+"), !isDigits(country), !isDigits(rest), country[0] == '0', len(country) > 3,
		len(country)+len(rest) > maxDigits, len(country)+len(rest) < minDigits:
		return refuse(cloud.Invalid, "a phone must be written +CC NNN: country code, one space, digits")
	case hasExtension && m != cloud.Office:
		return refuse(cloud.Invalid, "only the office phone takes an extension")
	case hasExtension && (!isDigits(extension) || len(extension) > maxExtension):
		return refuse(cloud.Invalid, fmt.Sprintf("an extension must be x and 1 to %d digits", maxExtension))
	}
	return nil
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// checkEmail takes an address as it is used: one @, no spaces, no quoting.
func checkEmail(s string) error {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > maxEmail || !isDomain(domain) || !isPlain(local) || strings.ContainsAny(local, ` "<>(),;:\`) {
		return refuse(cloud.Invalid, "an email address must be written name@domain")
	}
	return nil
}

// isDomain tells whether s may be a domain name (letters of any script).
func isDomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, r := range label {
			if r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				return false
			}
		}
	}
	return true
}

// isPlain tells whether s is printable text on one line.
func isPlain(s string) bool {
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

// checkText takes non-empty printable text without spaces around it.
func checkText(what, s string, limit int) error {
	if s == "" || len(s) > limit || !isPlain(s) || strings.TrimSpace(s) != s {
		return refuse(cloud.Invalid, fmt.Sprintf("%s must be 1 to %d bytes of printable text without spaces around it", what, limit))
	}
	return nil
}

func checkProfile(p *cloud.Profile) error {
	if err := checkText("a user principal name", p.UPN, maxName); err != nil {
		return err
	}
	if p.DisplayName != "" && (len(p.DisplayName) > maxName || !isPlain(p.DisplayName)) {
		return refuse(cloud.Invalid, fmt.Sprintf("a display name must be at most %d bytes of printable text", maxName))
	}
	if len(p.Aliases) > maxAliases {
		return refuse(cloud.Invalid, fmt.Sprintf("a user can have at most %d aliases", maxAliases))
	}
	for _, alias := range p.Aliases {
		if err := checkText("an alias", alias, maxName); err != nil {
			return err
		}
	}
	if p.SID != "" && !isSID(p.SID) {
		return refuse(cloud.Invalid, "a security identifier must be written S-1-5-…")
	}
	return nil
}

// isSID checks the string form of a security identifier (MS-DTYP 2.4.2.1).
func isSID(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) < 4 || len(parts) > 18 || !strings.EqualFold(parts[0], "S") || parts[1] != "1" {
		return false
	}
	for _, part := range parts[2:] {
		if !isDigits(part) || len(part) > 15 {
			return false
		}
	}
	return true
}

// checkOATH checks what can be checked without the user.
func checkOATH(o *cloud.OATH) error {
	switch {
	case o.Algorithm != cloud.SHA1 && o.Algorithm != cloud.SHA256 && o.Algorithm != cloud.SHA512:
		return refuse(cloud.Invalid, "an OATH algorithm must be SHA1, SHA256 or SHA512")
	case o.Digits != 6 && o.Digits != 8:
		return refuse(cloud.Invalid, "OATH codes must have 6 or 8 digits")
	case o.Period != 30 && o.Period != 60:
		return refuse(cloud.Invalid, "an OATH period must be 30 or 60 seconds")
	case !o.Secret.IsZero() && (o.Secret.Len() < minSecret || o.Secret.Len() > maxSecret):
		return refuse(cloud.Invalid, fmt.Sprintf("an OATH secret must have %d to %d bytes", minSecret, maxSecret))
	case o.Drift < -maxDrift || o.Drift > maxDrift:
		return refuse(cloud.Invalid, fmt.Sprintf("an OATH drift must be within %d steps", maxDrift))
	}
	for _, label := range []string{o.Name, o.Serial, o.Manufacturer, o.Model} {
		if len(label) > maxLabel || !isPlain(label) {
			return refuse(cloud.Invalid, fmt.Sprintf("names of an OATH method must be at most %d bytes of printable text", maxLabel))
		}
	}
	return nil
}

// maskPhone leaves country code and the last two digits.
func maskPhone(s string) string {
	number, _, _ := strings.Cut(s, "x")
	country, rest, ok := strings.Cut(number, " ")
	if !ok || len(rest) < 4 {
		return "your phone"
	}
	return country + " " + strings.Repeat("*", len(rest)-2) + rest[len(rest)-2:]
}

// place is what failures are counted by: the calling station, else the
// address. Long stations are cut by a digest, so that a counter stays small.
func place(c cloud.Client) string {
	switch {
	case c.Station != "":
		if len(c.Station) > 64 {
			return "station:" + digest(c.Station)
		}
		return "station:" + c.Station
	case c.Address.IsValid():
		return "address:" + subnet(c.Address)
	default:
		return "unknown"
	}
}

// subnet is the address itself, of IPv6 its /64: within one a caller picks
// addresses freely.
func subnet(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
