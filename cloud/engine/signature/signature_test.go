package signature_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/signature"
	"mfabridge/internal/secret"
)

// The texts stand here letter by letter: browsers make them by themselves, and
// what was agreed on before has to stay.
func TestTexts(t *testing.T) {
	at := time.Unix(1_800_000_000, 999)
	answer := signature.Answer{User: "u", Device: "d", Challenge: "c", Word: "approve"}
	pinned := answer
	pinned.Number, pinned.PIN = "42", secret.FromString("2739")
	pin := secret.FromString("2739")
	for want, got := range map[string][]byte{
		"mfabridge activation 1\nada\nabcdefghjkmn\nPhone\nAQI":      signature.Activation("ada", secret.FromString("ABCD-efgh jkmn"), "Phone", []byte{1, 2}, secret.Bytes{}),
		"mfabridge activation 1\nada\nabcd\nPhone\nAQI\n2739":        signature.Activation("ada", secret.FromString("abcd"), "Phone", []byte{1, 2}, pin),
		"mfabridge activation 1\nada\nabcd\nA\uFFFDB\nAQI":           signature.Activation("ada", secret.FromString("abcd"), "A\nB", []byte{1, 2}, secret.Bytes{}),
		"mfabridge answer 1\nu\nd\nc\napprove\n\n1800000000":         answer.Text(at),
		"mfabridge answer 1\nu\nd\nc\napprove\n42\n1800000000\n2739": pinned.Text(at),
		"mfabridge request 1\nu\nd\n1800000000":                      signature.Request("u", "d", at),
		"mfabridge pin 1\nu\nd\n2739\n\n1800000000":                  signature.PIN("u", "d", pin, secret.Bytes{}, at),
		"mfabridge pin 1\nu\nd\n2739\n482915\n1800000000":            signature.PIN("u", "d", pin, secret.FromString("482915"), at),
	} {
		if string(got) != want {
			t.Errorf("signed is %q, not %q", got, want)
		}
	}
}

// A signature holds for its key and its text, and nothing else is one.
func TestHolds(t *testing.T) {
	private, public := pair(t)
	_, other := pair(t)
	text := signature.Request("u", "d", time.Unix(1, 0))
	signed, err := signature.Make(private, text)
	if err != nil || !signature.Holds(public, text, signed) {
		t.Fatalf("its own signature: %v", err)
	}
	altered := func(at int) []byte {
		b := slices.Clone(signed)
		b[at] ^= 1
		return b
	}
	for name, holds := range map[string]bool{
		"another key":        signature.Holds(other, text, signed),
		"another text":       signature.Holds(public, signature.Request("u", "e", time.Unix(1, 0)), signed),
		"another first half": signature.Holds(public, text, altered(0)),
		"another other half": signature.Holds(public, text, altered(signature.Size-1)),
		"a byte less":        signature.Holds(public, text, signed[:signature.Size-1]),
		"a byte more":        signature.Holds(public, text, append(slices.Clone(signed), 0)),
		"of zero":            signature.Holds(public, text, make([]byte, signature.Size)),
		"none":               signature.Holds(public, text, nil),
		"no key":             signature.Holds(nil, text, signed),
	} {
		if holds {
			t.Errorf("%s: the signature holds", name)
		}
	}
}

func TestKeys(t *testing.T) {
	_, public := pair(t)
	if err := signature.CheckKey(public); err != nil {
		t.Errorf("a key: %v", err)
	}
	for name, key := range map[string][]byte{
		"none": nil, "a byte less": public[:signature.KeySize-1], "beside the curve": append(slices.Clone(public[:signature.KeySize-1]), public[signature.KeySize-1]^1),
		"of zero": make([]byte, signature.KeySize), "compressed": append([]byte{2}, public[1:33]...),
	} {
		if err := signature.CheckKey(key); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokensThatAreNone(t *testing.T) {
	for _, s := range []string{"", "mfd1.", "mfd1.u.d.1", "mfd1.u.d.1.AAAA.x", "mfd2.u.d.1.AAAA", "mfd1.u.d.now.AAAA", "mfd1.u.d.1.AAA!", "mfd1.u.d.99999999999999999999.AAAA"} {
		if got, ok := signature.ParseToken(s); ok {
			t.Errorf("%q is read as %+v", s, got)
		}
	}
}

// What is read is what was written.
func FuzzParseToken(f *testing.F) {
	f.Add("mfd1.user.device.1.AAAA")
	f.Add("mfd1.user.device.-1.AAB")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := signature.ParseToken(s)
		if !ok {
			return
		}
		if strings.Count(s, ".") != 4 || !strings.HasPrefix(s, signature.TokenPrefix) {
			t.Fatalf("%q is read", s)
		}
		again, ok := signature.ParseToken(got.String())
		if !ok || again.User != got.User || again.Device != got.Device || !again.At.Equal(got.At) || !slices.Equal(again.Signature, got.Signature) {
			t.Errorf("%q is %+v, and written %+v", s, got, again)
		}
	})
}

func pair(t *testing.T) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}
