package form

import (
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
)

// CheckEmail takes the bare address of one mailbox as it is used (RFC 5322
// addr-spec, RFC 6531): one @, no spaces, no quoting.
func CheckEmail(s string) error {
	at := strings.LastIndexByte(s, '@')
	if len(s) > maxEmail || !IsDomain(s[at+1:]) || !isCommon(s) && !isMailbox(s, at) {
		return invalid("an email address must be written name@domain")
	}
	return nil
}

func isMailbox(s string, at int) bool {
	if at < 1 || !IsName(s[:at]) || strings.ContainsAny(s[:at], ` @"<>(),;:\`) {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// isCommon tells the addresses that most people have: words of letters, digits,
// _ + and - with single points between them, on both sides of one @.
func isCommon(s string) bool {
	at, begins := 0, true
	for i := range len(s) {
		switch c := s[i]; {
		case isLDH(c), c == '_', c == '+':
			begins = false
			continue
		case begins, c != '@' && c != '.':
			return false
		case c == '@':
			at++
		}
		begins = true
	}
	return at == 1 && !begins
}

func isLDH(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-'
}

// IsDomain tells whether s may be a domain name, in letters of any script: one
// that is no ASCII has a form in it (UTS 46, with the rules of RFC 5892 for
// joiners and of RFC 5893 for scripts from right to left), which is not too
// long for DNS.
func IsDomain(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return isForeign(s)
		}
	}
	return isASCIIDomain(s)
}

func isASCIIDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxDNSLabel {
			return false
		}
		for i := range len(label) {
			if !isLDH(label[i]) {
				return false
			}
		}
	}
	return len(s) <= maxDomain
}

// FoldDomain is a domain name as two are compared: as DNS has it, in lower case,
// whether it is written in letters of its script or begins with xn-- (RFC 5890,
// A-labels). What is no domain is in lower case only.
func FoldDomain(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			if ascii, ok := inDNS(s); ok {
				return ascii
			}
			break
		}
	}
	return strings.ToLower(s)
}

// isForeign is IsDomain for names that are not ASCII.
func isForeign(s string) bool {
	_, ok := inDNS(s)
	return ok
}

// inDNS is a domain that is not ASCII as DNS has it.
func inDNS(s string) (string, bool) {
	if len(s) > 4*maxDomain || !IsName(s) {
		return "", false // the mapping would leave out what is not seen
	}
	rules := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckJoiners(true), idna.CheckHyphens(false), idna.StrictDomainName(true), idna.Transitional(false))
	ascii, err := rules.ToASCII(s)
	return ascii, err == nil && strings.Count(ascii, ".") == strings.Count(s, ".") && isASCIIDomain(ascii)
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
