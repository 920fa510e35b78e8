package pskc

import (
	"slices"
	"time"
)

// policy reads what the key may be used for (RFC 6030 §5). Whatever is not
// known, or not kept to by those who will verify the codes, makes the key
// unusable: the RFC has a recipient assume that it may not be used.
func (c *container) policy(k *Key, n *node) string {
	p := c.one(n, "Policy")
	if p == nil {
		return ""
	}
	if problem := c.validity(k, p); problem != "" {
		return problem
	}
	uses := 0
	otp := false
	for _, child := range p.children {
		if child.space != c.space {
			return "its policy holds " + quote(child.local) + ", which is not known"
		}
		switch child.local {
		case "StartDate", "ExpiryDate":
		case "KeyUsage":
			use := string(child.trimmed())
			if !registeredUse(use) {
				return "its policy allows the use " + quote(use) + ", which is not known"
			}
			uses++
			otp = otp || use == "OTP"
		case "PINPolicy":
			if problem := pinPolicy(child); problem != "" {
				return problem
			}
		case "NumberOfTransactions":
			return "its policy limits how often it may be used, which nobody counts"
		default:
			return "its policy holds " + quote(child.local) + ", which is not known"
		}
	}
	if uses > 0 && !otp {
		return "its policy does not allow one-time passwords"
	}
	return ""
}

// pinPolicy takes a PIN that the token itself asks for. Any other is part of
// what the user types, and would be missing where the key goes.
func pinPolicy(n *node) string {
	for _, a := range n.attrs {
		if !slices.Contains([]string{"PINKeyId", "PINUsageMode", "MaxFailedAttempts", "MinLength", "MaxLength", "PINEncoding"}, a.name) {
			return "its PIN policy holds " + quote(a.name) + ", which is not known"
		}
	}
	switch mode := n.attr("PINUsageMode"); {
	case len(n.children) > 0:
		return "its PIN policy holds " + quote(n.children[0].local) + ", which is not known"
	case mode != "Local":
		return "its codes need a PIN that the token does not check by itself (mode " + quote(mode) + ")"
	}
	return ""
}

// registeredUse tells whether a KeyUsage is in the registry (RFC 6030 §12.6).
func registeredUse(use string) bool {
	return slices.Contains([]string{"OTP", "CR", "Encrypt", "Integrity", "Verify", "Unlock", "Decrypt",
		"KeyWrap", "Unwrap", "Derive", "Generate"}, use)
}

// validity narrows the time that k is valid by the dates in n: of a Policy
// (RFC 6030 §5), of a device (§4.3.1), or where drafts put them.
func (c *container) validity(k *Key, n *node) string {
	start, ok := dateTime(c.text(n, "StartDate"))
	if !ok {
		return "its start date is not a date and time"
	}
	expiry, ok := dateTime(c.text(n, "ExpiryDate", "Expiry"))
	if !ok {
		return "its expiry date is not a date and time"
	}
	if start.After(k.Start) {
		k.Start = start
	}
	if !expiry.IsZero() && (k.Expiry.IsZero() || expiry.Before(k.Expiry)) {
		k.Expiry = expiry
	}
	return ""
}

// dateTime reads an xs:dateTime; without a zone it is UTC, as the canonical
// form that the RFC asks for has it. "" is the zero time.
func dateTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
