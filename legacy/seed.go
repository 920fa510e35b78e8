package legacy

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"mfabridge/internal/secret"
)

// MaxSecretText is the longest text of a seed that is read, in bytes.
const MaxSecretText = 1024

// Formats of a secret, as Options.SecretFormat and as prefixes of a value.
const (
	FormatBase32 = "base32"
	FormatHex    = "hex"
	FormatBase64 = "base64"
)

// DecodeSeed reads the text of a secret column. A value may say its format
// itself ("hex:…", "base64:…", "base32:…"); else it is in the given one; if
// that is empty, it is Base32 (RFC 4648 §6), unless it could as well be
// hexadecimal. What is given as Base64 by format alone must not be Base32 or
// hexadecimal by all its characters. Spaces count nowhere, case only in Base64, padding may be
// missing. No part of the text shows up in Problem.
func DecodeSeed(text []byte, format string) Seed {
	key, state, problem := decodeSeed(text, format)
	if state != SeedOK {
		return Seed{State: state, Problem: problem}
	}
	return Seed{Key: secret.New(key), State: SeedOK}
}

func decodeSeed(text []byte, format string) (key []byte, state SeedState, problem string) {
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return nil, SeedMissing, ""
	}
	if len(text) > MaxSecretText {
		return nil, SeedInvalid, fmt.Sprintf("it has more than %d characters", MaxSecretText)
	}
	prefixed := false
	for _, f := range []string{FormatBase32, FormatHex, FormatBase64} {
		if n := len(f); len(text) > n && text[n] == ':' && is(text[:n], f) {
			text, format, prefixed = text[n+1:], f, true
			break
		}
	}
	plain, copied := withoutSpace(text)
	if copied {
		defer clear(plain)
	}
	switch format {
	case FormatBase32:
		key, problem = decodeBase32(plain)
	case FormatHex:
		if key = decodeHex(plain); key == nil {
			problem = "it is not hexadecimal, which it is said to be"
		}
	case FormatBase64:
		key = decodeBase64(plain)
		other := elsewise(plain)
		switch {
		case key == nil:
			problem = "it is not Base64, which it is said to be"
		case other != "" && !prefixed:
			clear(key)
			return nil, SeedAmbiguous, "it is said to be Base64, and has the characters of " + other + " alone"
		}
	case "":
		return guessed(plain)
	default:
		problem = "its format is none of base32, hex and base64"
	}
	if key == nil {
		return nil, SeedInvalid, problem
	}
	return key, SeedOK, ""
}

// withoutSpace is text without the space in it, a copy where there is any.
func withoutSpace(text []byte) (plain []byte, copied bool) {
	for _, c := range text {
		if c <= ' ' || c >= utf8.RuneSelf {
			return bytes.Join(bytes.Fields(text), nil), true
		}
	}
	return text, false
}

// guessed decodes a value of which nobody says what it is.
func guessed(plain []byte) ([]byte, SeedState, string) {
	key, problem := decodeBase32(plain)
	other := isHex(plain)
	switch {
	case key != nil && other:
		clear(key)
		return nil, SeedAmbiguous, "it is both Base32 and hexadecimal, and nothing says which"
	case other:
		return nil, SeedInvalid, "it looks like hexadecimal, but nothing says so, and it is not Base32"
	case key == nil:
		return nil, SeedInvalid, problem
	}
	return key, SeedOK, ""
}

// elsewise is what a value of Base64 is by its characters besides, "" as a rule.
// Base32 and hexadecimal nearly always decode as Base64, to a key that no token
// has; of ten random bytes or more Base64 hardly ever looks like one of them.
func elsewise(plain []byte) string {
	if isHex(plain) {
		return "hexadecimal"
	}
	var small, capital bool
	for _, c := range plain {
		small, capital = small || 'a' <= c && c <= 'z', capital || 'A' <= c && c <= 'Z'
	}
	if key, _ := decodeBase32(plain); key != nil && !(small && capital) {
		clear(key)
		return "Base32"
	}
	return ""
}

// decodeBase32 returns nil and why, if it cannot. Bits that make no whole byte
// are passed over.
func decodeBase32(plain []byte) ([]byte, string) {
	body := bytes.TrimRight(plain, "=")
	if len(plain)-len(body) > 6 || len(body) < len(plain) && len(plain)%8 != 0 {
		return nil, "its padding is not that of Base32"
	}
	key := make([]byte, 0, len(body)*5/8)
	bits, held := uint(0), 0
	for i, c := range body {
		switch {
		case 'A' <= c && c <= 'Z':
			c -= 'A'
		case 'a' <= c && c <= 'z':
			c -= 'a'
		case '2' <= c && c <= '7':
			c -= '2' - 26
		default:
			clear(key)
			return nil, fmt.Sprintf("it is not Base32: character %d is none of A to Z and 2 to 7", i+1)
		}
		bits, held = bits<<5|uint(c), held+5
		if held >= 8 {
			held -= 8
			key = append(key, byte(bits>>held))
		}
	}
	// RFC 4648 §6: the last group has 2, 4, 5, 7 or 8 characters.
	if n := len(body) % 8; n == 1 || n == 3 || n == 6 || len(body) == 0 {
		clear(key)
		return nil, "it is not Base32: its length cannot be, a part may be missing"
	}
	return key, ""
}

func isHex(plain []byte) bool {
	for _, c := range plain {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return len(plain) > 0 && len(plain)%2 == 0
}

func decodeHex(plain []byte) []byte {
	key := make([]byte, hex.DecodedLen(len(plain)))
	if n, err := hex.Decode(key, plain); err != nil || n == 0 {
		return nil
	}
	return key
}

// decodeBase64 takes both alphabets of RFC 4648.
func decodeBase64(plain []byte) []byte {
	body := bytes.TrimRight(plain, "=")
	if len(plain)-len(body) > 2 || len(body) < len(plain) && len(plain)%4 != 0 {
		return nil
	}
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(body, "-_") {
		enc = base64.RawURLEncoding
	}
	key := make([]byte, enc.DecodedLen(len(body)))
	if n, err := enc.Decode(key, body); err != nil || n == 0 {
		return nil
	}
	return key
}
