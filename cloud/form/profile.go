package form

import (
	"fmt"
	"strings"

	"mfabridge/cloud"
)

// CheckProfile looks at the names and the security identifier of a user.
func CheckProfile(p *cloud.Profile) error {
	if err := checkName("a user principal name", p.UPN); err != nil {
		return err
	}
	if p.DisplayName != "" && (len(p.DisplayName) > MaxName || !IsPlain(p.DisplayName)) {
		return invalid(fmt.Sprintf("a display name must be at most %d bytes of printable text", MaxName))
	}
	if len(p.Aliases) > MaxAliases {
		return invalid(fmt.Sprintf("a user can have at most %d aliases", MaxAliases))
	}
	for _, alias := range p.Aliases {
		if err := checkName("an alias", alias); err != nil {
			return err
		}
	}
	if p.SID != "" && !IsSID(p.SID) {
		return invalid("a security identifier must be written S-1-5-…")
	}
	return nil
}

// IsSID checks the string form of a security identifier (MS-DTYP 2.4.2.1).
func IsSID(s string) bool {
	parts := 0
	for more := true; more; parts++ {
		var part string
		part, s, more = strings.Cut(s, "-")
		switch {
		case parts == 0 && !strings.EqualFold(part, "S"),
			parts == 1 && part != "1",
			parts > 1 && (len(part) > 15 || !IsDigits(part)):
			return false
		}
	}
	return parts >= 4 && parts <= maxSIDParts
}

// CheckOATH checks what can be checked without the user.
func CheckOATH(o *cloud.OATH) error {
	switch {
	case o.Algorithm != cloud.SHA1 && o.Algorithm != cloud.SHA256 && o.Algorithm != cloud.SHA512:
		return invalid("an OATH algorithm must be SHA1, SHA256 or SHA512")
	case o.Digits != 6 && o.Digits != 8:
		return invalid("OATH codes must have 6 or 8 digits")
	case o.Period != 30 && o.Period != 60:
		return invalid("an OATH period must be 30 or 60 seconds")
	case !o.Secret.IsZero() && (o.Secret.Len() < MinSecret || o.Secret.Len() > MaxSecret):
		return invalid(fmt.Sprintf("an OATH secret must have %d to %d bytes", MinSecret, MaxSecret))
	case o.Drift < -MaxDrift || o.Drift > MaxDrift:
		return invalid(fmt.Sprintf("an OATH drift must be within %d steps", MaxDrift))
	}
	for _, label := range []string{o.Name, o.Serial, o.Manufacturer, o.Model} {
		if len(label) > MaxLabel || !IsPlain(label) {
			return invalid(fmt.Sprintf("names of an OATH method must be at most %d bytes of printable text", MaxLabel))
		}
	}
	return nil
}
