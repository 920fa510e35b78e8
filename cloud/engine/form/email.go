package form

import (
	"strings"
	"unicode"
)

// CheckEmail takes an address as it is used: one @, no spaces, no quoting.
func CheckEmail(s string) error {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > maxEmail || !IsDomain(domain) || !IsPlain(local) || strings.ContainsAny(local, ` "<>(),;:\`) {
		return invalid("an email address must be written name@domain")
	}
	return nil
}

// IsDomain tells whether s may be a domain name (letters of any script).
func IsDomain(s string) bool {
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

// MaskEmail leaves the first letter and the domain.
func MaskEmail(s string) string {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" {
		return "your address"
	}
	first := []rune(local)[0]
	return string(first) + "***@" + domain
}
