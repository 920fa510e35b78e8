package pskc_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/internal/secret"
	"mfabridge/legacy/pskc"
)

// seed is the secret of RFC 4226, appendix D, and RFC 6238, appendix B.
const seed = "12345678901234567890"

func load(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func unhex(t testing.TB, s string) secret.Bytes {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(b)
}

// flat is a Key with its secret shown, to be compared.
type flat struct {
	pskc.Key
	Revealed string
}

func read(document string, o pskc.Options) (keys []flat, err error) {
	for k, e := range pskc.Read(strings.NewReader(document), o) {
		if e != nil {
			return keys, e
		}
		revealed := string(k.Secret.Reveal())
		k.Secret = secret.Bytes{}
		keys = append(keys, flat{k, revealed})
	}
	return keys, nil
}

func mustRead(t *testing.T, document string, o pskc.Options) []flat {
	t.Helper()
	keys, err := read(document, o)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

var bySecret = cmp.Comparer(func(a, b secret.Bytes) bool { return a.Equal(b) })

func compare(t *testing.T, got, want []flat) {
	t.Helper()
	if d := cmp.Diff(want, got, bySecret); d != "" {
		t.Errorf("keys differ (- wanted, + read):\n%s", d)
	}
}

// The keys of RFC 6030 §6.1 and §6.2.
const (
	figure6Key    = "12345678901234567890123456789012"
	figure7Phrase = "qwerty"
)

func TestFiguresOfRFC6030(t *testing.T) {
	t.Run("figure 2", func(t *testing.T) {
		compare(t, mustRead(t, load(t, "rfc6030-figure2.xml"), pskc.Options{}), []flat{{pskc.Key{
			Line: 5, ID: "12345678", Issuer: "Issuer-A", HOTP: true, Algorithm: "SHA1"}, "1234"}})
	})
	t.Run("figure 5", func(t *testing.T) {
		compare(t, mustRead(t, load(t, "rfc6030-figure5.xml"), pskc.Options{}), []flat{
			{pskc.Key{Line: 7, ID: "12345678", Issuer: "Issuer", Serial: "987654321", Manufacturer: "Manufacturer",
				HOTP: true, Algorithm: "SHA1", Digits: 8}, seed},
			{pskc.Key{Line: 23, ID: "123456781", Issuer: "Issuer", Serial: "987654321", Manufacturer: "Manufacturer",
				Algorithm: "SHA1", Digits: 4,
				Problem: `its algorithm "urn:ietf:params:xml:ns:keyprov:pskc:pin" is neither TOTP nor HOTP`}, ""},
		})
	})
	t.Run("figure 6", func(t *testing.T) {
		compare(t, mustRead(t, load(t, "rfc6030-figure6.xml"), pskc.Options{Key: unhex(t, figure6Key)}), []flat{{pskc.Key{
			Line: 17, ID: "12345678", Issuer: "Issuer", Serial: "987654321", Manufacturer: "Manufacturer",
			HOTP: true, Algorithm: "SHA1", Digits: 8, Encrypted: true}, seed}})
	})
	t.Run("figure 7", func(t *testing.T) {
		compare(t, mustRead(t, load(t, "rfc6030-figure7.xml"), pskc.Options{Passphrase: secret.FromString(figure7Phrase)}), []flat{{pskc.Key{
			Line: 34, ID: "123456", Issuer: "Example-Issuer", Serial: "987654321", Manufacturer: "TokenVendorAcme",
			HOTP: true, Algorithm: "SHA1", Digits: 8, Encrypted: true}, seed}})
	})
}

func TestTOTP(t *testing.T) {
	compare(t, mustRead(t, load(t, "totp.xml"), pskc.Options{}), []flat{{pskc.Key{
		Line: 11, ID: "k1", Issuer: "Contoso", UserID: "UID=ada@contoso.example", Serial: "1000000001",
		Manufacturer: "Contoso Tokens (synthetic)", Model: "T-1", Algorithm: "SHA1", Digits: 8, Interval: 30, Drift: -4,
		Start:  time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		Expiry: time.Date(2037, 12, 30, 23, 0, 0, 0, time.UTC)}, seed}})
}

func TestDraftsBeforeTheRFC(t *testing.T) {
	compare(t, mustRead(t, load(t, "draft-devices.xml"), pskc.Options{}), []flat{{pskc.Key{
		Line: 6, ID: "d1", Issuer: "Contoso", Serial: "2000000001", Manufacturer: "Contoso Tokens (synthetic)",
		Algorithm: "SHA1", Digits: 6, Interval: 60}, seed}})
	compare(t, mustRead(t, load(t, "draft-values.xml"), pskc.Options{}), []flat{{pskc.Key{
		Line: 8, ID: "c1", Issuer: "Contoso", Serial: "3000000001", Manufacturer: "Contoso Tokens (synthetic)",
		HOTP: true, Algorithm: "SHA1", Digits: 6, Counter: 42}, seed}})
}

// alter makes a variant of a document and insists that there was something to alter.
func alter(t testing.TB, document, old, new string) string {
	t.Helper()
	if strings.Count(document, old) == 0 {
		t.Fatalf("%q is not in the document", old)
	}
	return strings.ReplaceAll(document, old, new)
}

func TestSuites(t *testing.T) {
	for suite, want := range map[string]string{
		"": "SHA1", "HMAC-SHA1": "SHA1", "HMAC-SHA256": "SHA256", "HMAC-SHA512": "SHA512", "sha256": "SHA256",
		"HmacSHA512": "SHA512", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256": "SHA256",
	} {
		keys := mustRead(t, alter(t, load(t, "totp.xml"), "<Suite>HMAC-SHA1</Suite>", "<Suite>"+suite+"</Suite>"), pskc.Options{})
		if keys[0].Algorithm != want || keys[0].Problem != "" {
			t.Errorf("suite %q: %q, %q", suite, keys[0].Algorithm, keys[0].Problem)
		}
	}
}

func TestSignatureIsSaidAndNotVerified(t *testing.T) {
	signed := alter(t, load(t, "rfc6030-figure5.xml"), "</KeyContainer>",
		`<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>nonsense</ds:SignedInfo></ds:Signature></KeyContainer>`)
	for _, k := range mustRead(t, signed, pskc.Options{}) {
		if !k.Signed {
			t.Errorf("key %s does not say that the file is signed", k.ID)
		}
	}
	// A Signature of somebody else's namespace is none.
	other := alter(t, signed, "http://www.w3.org/2000/09/xmldsig#", "urn:example:else")
	if mustRead(t, other, pskc.Options{})[0].Signed {
		t.Error("an element in another namespace counts as a signature")
	}
}

func TestReadsOnceAndStops(t *testing.T) {
	n := 0
	for _, err := range pskc.Read(strings.NewReader(load(t, "rfc6030-figure5.xml")), pskc.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d keys after a break", n)
	}
}

func TestErrorsOfReading(t *testing.T) {
	broken := errors.New("disk on fire")
	in := &failing{r: strings.NewReader(load(t, "totp.xml")[:400]), err: broken}
	for k, err := range pskc.Read(in, pskc.Options{}) {
		if !errors.Is(err, broken) || k.ID != "" {
			t.Errorf("%v, %v", k.ID, err)
		}
	}
}

type failing struct {
	r   *strings.Reader
	err error
}

func (f *failing) Read(b []byte) (int, error) {
	if f.r.Len() == 0 {
		return 0, f.err
	}
	return f.r.Read(b)
}

func TestNothingShowsASecret(t *testing.T) {
	for _, k := range mustRead(t, load(t, "totp.xml"), pskc.Options{}) {
		k.Secret = secret.FromString(seed)
		if b := []byte(formatted(k.Key)); bytes.Contains(b, []byte(seed)) {
			t.Errorf("a key shows its secret: %s", b)
		}
	}
}
