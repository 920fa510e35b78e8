package legacy

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"

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
// hexadecimal. Spaces count nowhere, case only in Base64, padding may be
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
	for _, f := range []string{FormatBase32, FormatHex, FormatBase64} {
		if n := len(f); len(text) > n && text[n] == ':' && is(text[:n], f) {
			text, format = text[n+1:], f
			break
		}
	}
	plain := make([]byte, 0, len(text))
	for _, part := range bytes.Fields(text) {
		plain = append(plain, part...)
	}
	defer clear(plain[:cap(plain)])
	switch format {
	case FormatBase32:
		key, problem = decodeBase32(plain)
	case FormatHex:
		if key = decodeHex(plain); key == nil {
			problem = "it is not hexadecimal, which it is said to be"
		}
	case FormatBase64:
		if key = decodeBase64(plain); key == nil {
			problem = "it is not Base64, which it is said to be"
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

// guessed decodes a value of which nobody says what it is.
func guessed(plain []byte) ([]byte, SeedState, string) {
	key, problem := decodeBase32(plain)
	other := decodeHex(plain)
	clear(other)
	switch {
	case key != nil && other != nil:
		clear(key)
		return nil, SeedAmbiguous, "it is both Base32 and hexadecimal, and nothing says which"
	case other != nil:
		return nil, SeedInvalid, "it looks like hexadecimal, but nothing says so, and it is not Base32"
	case key == nil:
		return nil, SeedInvalid, problem
	}
	return key, SeedOK, ""
}

// decodeBase32 returns nil and why, if it cannot.
func decodeBase32(plain []byte) ([]byte, string) {
	body := bytes.TrimRight(plain, "=")
	if len(plain)-len(body) > 6 || len(body) < len(plain) && len(plain)%8 != 0 {
		return nil, "its padding is not that of Base32"
	}
	upper := bytes.ToUpper(body)
	defer clear(upper)
	for i, c := range upper {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return nil, fmt.Sprintf("it is not Base32: character %d is none of A to Z and 2 to 7", i+1)
		}
	}
	// RFC 4648 §6: the last group has 2, 4, 5, 7 or 8 characters.
	if n := len(body) % 8; n == 1 || n == 3 || n == 6 || len(body) == 0 {
		return nil, "it is not Base32: its length cannot be, a part may be missing"
	}
	key := make([]byte, base32.StdEncoding.WithPadding(base32.NoPadding).DecodedLen(len(upper)))
	n, err := base32.StdEncoding.WithPadding(base32.NoPadding).Decode(key, upper)
	if err != nil {
		return nil, "it is not Base32"
	}
	return key[:n], ""
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
