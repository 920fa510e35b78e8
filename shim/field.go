package shim

import (
	"bytes"
	"context"
	"strings"

	"mfabridge/cloud"
	"mfabridge/internal/numeral"
	"mfabridge/internal/secret"
	"mfabridge/shim/config"
)

// words are what may be typed behind the password to say how to be asked.
var words = map[string]cloud.Preference{
	"push":  cloud.Push,
	"sms":   cloud.SMS,
	"phone": cloud.VoiceMobile,
	"code":  cloud.OATHCode,
	"email": cloud.EmailCode,
}

// codeLengths are those of codes that may stand behind a password.
var codeLengths = [...]int{6, 8}

// Identifier is an optional interface of a [Primary] that knows whom a typed
// name stands for before a password is tried. Of a Primary without it, the typed
// name stands for itself. Errors as [Primary].
type Identifier interface {
	Identify(ctx context.Context, l Login) (subject, otherwise cloud.Key, err error)
}

// field is the password field of a first leg, taken apart.
type field struct {
	password secret.Bytes
	code     secret.Bytes     // behind the password; none: it is asked for
	method   cloud.Preference // that a word asks for; empty: none
}

// takeApart finds where the password ends. A word counts as one wherever it
// stands behind the delimiter. Digits count as a code only if the engine says
// that they are one; else they belong to the password, and nothing is cut. So
// the primary hears of one password a login, never of two.
func (l *logins) takeApart(ctx context.Context, a attempt) (field, error) {
	whole := a.takeWord()
	if whole.method != "" {
		return whole, nil
	}
	text := a.password.Reveal()
	tail := -1
	if d := a.client.FactorDelimiter; d != "" {
		if tail = bytes.LastIndex(text, []byte(d)); tail < 0 {
			return whole, nil
		}
	}
	if a.client.CodeEntry != config.Append {
		return whole, nil
	}
	for _, n := range codeLengths {
		code, cut := numeral.Tail(text, n)
		end := cut // of the password
		if tail >= 0 {
			end = tail
		}
		if code == nil || end < 1 || tail >= 0 && cut != tail+len(a.client.FactorDelimiter) {
			continue
		}
		typed := secret.New(code)
		matches, err := l.matches(ctx, a, typed)
		if err != nil {
			return field{}, err
		}
		if matches {
			return field{password: secret.New(bytes.Clone(text[:end])), code: typed}, nil
		}
	}
	return whole, nil
}

// takeWord finds a word behind the password.
func (a attempt) takeWord() field {
	whole := field{password: a.password}
	d := a.client.FactorDelimiter
	if d == "" {
		return whole
	}
	text := a.password.Reveal()
	tail := bytes.LastIndex(text, []byte(d))
	if tail < 0 {
		return whole
	}
	if method, ok := words[strings.ToLower(string(text[tail+len(d):]))]; ok {
		whole.password, whole.method = secret.New(bytes.Clone(text[:tail])), method
	}
	return whole
}

// matches asks whether a tail is a code of whom the typed name stands for. It
// says where the password ends and nothing else: whose code is taken depends
// on whom the primary proves.
func (l *logins) matches(ctx context.Context, a attempt, code secret.Bytes) (bool, error) {
	subject, otherwise := cloud.Key{Kind: cloud.ByName, Value: a.user}, cloud.Key{}
	if who := a.client.who; who != nil {
		var err error
		if subject, otherwise, err = who.Identify(ctx, a.login(secret.Bytes{})); err != nil {
			return false, err
		}
	}
	for _, key := range []cloud.Key{subject, otherwise} {
		if key.Value == "" {
			continue
		}
		if matches, err := l.matcher.MatchCode(ctx, key, code, a.asker()); matches || err != nil {
			return matches, err
		}
	}
	return false, nil
}
