package config

import (
	"strings"
	"time"
	"unicode"

	"mfabridge/cloud/firstfactor"
)

// Bounds of how a second factor is asked for.
const (
	DefaultHold  = 45 * time.Second
	minHold      = 3 * time.Second
	maxHold      = 3 * time.Minute
	maxCache     = 24 * time.Hour
	maxDelimiter = 4
)

// second checks how a client's users are asked for the second factor.
func (k *check) second(c *Client, at string) {
	k.unmatched(c, at)
	k.delimiter(c, at)
	k.cache(c, at)
	c.Hold = k.duration(c.PushWait, DefaultHold, minHold, maxHold, at, "push_wait")
	if c.CodeEntry == Append && c.Primary == None {
		k.Refuse("use code_entry: only", "%s: code_entry: append needs a primary that checks the password before the code", at)
	}
	if c.PushNumber && c.MessageAuthenticator == Observe && len(c.Networks) > 0 {
		k.Warn("%s: a request without Message-Authenticator is shown no number (push_number): its push is approved without one", at)
	}
	if c.WithoutPassword {
		k.bare(c, at)
	}
	if c.CodeEntry != Only {
		return
	}
	for key, set := range map[string]bool{"push_wait": c.PushWait != "", "push_number": c.PushNumber,
		"fallback_oath": c.FallbackOATH, "factor_delimiter": c.FactorDelimiter != ""} {
		if set {
			k.Refuse("remove it, or use code_entry: challenge", "%s: %s says nothing with code_entry: only", at, key)
		}
	}
}

// bare checks a client that sends no password.
func (k *check) bare(c *Client, at string) {
	if c.Primary != None {
		k.Refuse("write primary: none and primary_done_by_client: true, or remove without_password", "%s: without_password leaves nothing for primary: %s to check", at, c.Primary)
	}
	if c.MessageAuthenticator == Observe {
		k.Refuse("write message_authenticator: require, and have the client send it",
			"%s: without_password and message_authenticator: observe: nothing would show that a request is the client's, and whoever can forge its address could make telephones ring", at)
	}
	for key, set := range map[string]bool{"code_entry: " + c.CodeEntry: c.CodeEntry != Challenge, "push_number": c.PushNumber,
		"fallback_oath": c.FallbackOATH, "factor_delimiter": c.FactorDelimiter != ""} {
		if set {
			k.Refuse("remove it, or without_password", "%s: %s needs something typed, and without_password says that nothing can be", at, key)
		}
	}
}

// unmatched refuses to let in who has not even been recognised: only a
// directory says who somebody is. With a primary that goes by the typed name,
// everybody could type a form of their name that the engine does not know.
func (k *check) unmatched(c *Client, at string) {
	k.Word(at, "unmatched", &c.Unmatched, []string{Deny, PrimaryOnly})
	if c.Unmatched != PrimaryOnly {
		return
	}
	switch p := k.Primaries[c.Primary]; {
	case c.Primary == None:
		k.Refuse("write unmatched: deny", "%s: unmatched: primary_only with primary: none would let in every name without a factor that is checked here", at)
	case c.Primary == Native:
		k.Refuse("write unmatched: deny", "%s: unmatched: primary_only says nothing with primary: engine, which knows whose password it checks", at)
	case p != nil && p.Type == firstfactor.TypeRADIUS:
		k.Refuse("use a primary of type ldap, or write unmatched: deny",
			"%s: unmatched: primary_only needs a primary of type ldap: a RADIUS server goes by the name that was typed, and another form of it would do without a second factor", at)
	}
}

func (k *check) delimiter(c *Client, at string) {
	wrong := func(r rune) bool {
		return r > unicode.MaxASCII || unicode.IsLetter(r) || unicode.IsDigit(r) || !unicode.IsPrint(r) || r == ' '
	}
	if len(c.FactorDelimiter) > maxDelimiter || strings.ContainsFunc(c.FactorDelimiter, wrong) {
		k.Refuse(`write for example factor_delimiter: ","`, "%s: factor_delimiter: %q is not one to %d signs", at, c.FactorDelimiter, maxDelimiter)
	}
}

func (k *check) cache(c *Client, at string) {
	c.Cache.Life = k.duration(c.Cache.For, 0, 0, maxCache, at, "cache: for")
	switch {
	case c.Cache.Life == 0:
	case c.Primary == None:
		k.Refuse("remove the cache, or name a primary", "%s: a cache with primary: none would leave a login without any factor that is checked here", at)
	case c.CallingStation == Unreliable:
		k.Refuse("remove the cache", "%s: a cache needs calling stations that tell people apart", at)
	}
}

// duration parses a key; empty: the standard.
func (k *check) duration(value string, standard, least, most time.Duration, at, key string) time.Duration {
	if value == "" {
		return standard
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < least || d > most {
		example := standard
		if example == 0 {
			example = min(most, time.Hour)
		}
		k.Refuse("write for example "+example.String()+", with its unit", "%s: %s: %q is not a time from %s to %s", at, key, value, least, most)
		return standard
	}
	return d
}
