package pskc_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"mfabridge/internal/peer"
	"mfabridge/internal/secret"
	"mfabridge/legacy/pskc"
)

// run runs a peer program and returns what it prints.
func run(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %v: %v\n%s%s", program, args, err, out.String(), complaint.String())
	}
	return out.String()
}

const peerPhrase = "correct horse battery staple"

// python-pskc writes, we read.
func TestReadsWhatPythonPSKCWrites(t *testing.T) {
	python := peer.Python(t, "pskc", "python3-pskc")
	key := strings.Repeat(figure6Key, 2)
	for form, keyHex := range map[string]string{
		"plain":                         "",
		"key:aes128-cbc":                key[:32],
		"key:aes192-cbc":                key[:48],
		"key:aes256-cbc":                key,
		"key:tripledes-cbc":             key[:48],
		"key:kw-aes128":                 key[:32],
		"key:kw-aes192":                 key[:48],
		"key:kw-aes256":                 key,
		"mac256:aes256-cbc":             key,
		"key:aes128-cbc+counter":        key[:32],
		"key:kw-aes128+counter":         key[:32],
		"phrase:aes128-cbc":             "",
		"phrase:aes192-cbc":             "",
		"phrase:aes256-cbc/hmac-sha256": "",
		"phrase:aes256-cbc/hmac-sha512": "",
	} {
		for _, length := range []int{20, 32} { // key wrap pads the first
			t.Run(fmt.Sprint(form, " ", length), func(t *testing.T) {
				plain := strings.Repeat(seed, 4)[:length]
				name := filepath.Join(t.TempDir(), "tokens.xml")
				run(t, []string{"PSKC_KEY=" + keyHex, "PSKC_PASSPHRASE=" + peerPhrase}, python, "testdata/peer.py", "write", form, hex.EncodeToString([]byte(plain)), name)
				document, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				o := pskc.Options{Passphrase: secret.FromString(peerPhrase)}
				if keyHex != "" {
					o = pskc.Options{Key: unhex(t, keyHex)}
				}
				got := mustRead(t, string(document), o)
				for i := range got {
					got[i].Line = 0
				}
				encrypted := form != "plain"
				compare(t, got, []flat{
					{pskc.Key{ID: "t1", Issuer: "Contoso", Serial: "700001", Manufacturer: "Contoso (synthetic)", Model: `M <&> "1"`,
						Algorithm: "SHA256", Digits: 6, Interval: 60, Drift: 3, Encrypted: encrypted}, plain},
					{pskc.Key{ID: "h1", Serial: "700002", HOTP: true, Algorithm: "SHA1", Digits: 8, Counter: 300, Encrypted: encrypted}, plain},
				})
				if !encrypted {
					return
				}
				wrong := pskc.Options{Passphrase: secret.FromString("another phrase")}
				if keyHex != "" {
					wrong = pskc.Options{Key: unhex(t, "ff"+keyHex[2:])}
				}
				if err := refused(t, string(document), wrong); !errors.Is(err, pskc.ErrKey) {
					t.Errorf("with a wrong key: %v", err)
				}
			})
		}
	}
}

// peerKey is a key as testdata/peer.py prints it.
type peerKey struct {
	ID, Issuer, UserID, Serial, Manufacturer, Model, Algorithm, Suite, Expiry, Secret string
	Digits, Interval, Drift, Counter                                                  int
}

func wantedOfPeer() []peerKey {
	totp, hotp := "urn:ietf:params:xml:ns:keyprov:pskc:totp", "urn:ietf:params:xml:ns:keyprov:pskc:hotp"
	in := samples()
	of := func(i int) string { return hex.EncodeToString(in[i].Secret.Reveal()) }
	return []peerKey{
		{ID: "t1", Issuer: in[0].Issuer, UserID: in[0].UserID, Serial: "800001", Manufacturer: in[0].Manufacturer, Model: in[0].Model,
			Algorithm: totp, Suite: "HMAC-SHA256", Digits: 6, Interval: 60, Drift: -2, Expiry: "2031-02-03T04:05:06+00:00", Secret: of(0)},
		{ID: "h1", Serial: "800002", Algorithm: hotp, Digits: 8, Counter: 300, Secret: of(1)},
		{ID: "800003", Serial: "800003", Algorithm: totp, Suite: "HMAC-SHA512", Interval: 30, Secret: of(2)},
		{ID: "m", Algorithm: totp, Secret: of(3)},
	}
}

// We write, python-pskc reads and pskctool validates.
func TestPeersReadWhatWeWrite(t *testing.T) {
	python, pskctool := peer.Python(t, "pskc", "python3-pskc"), peer.Path(t, "pskctool", "pskctool")
	for name, c := range protections(t) {
		t.Run(name, func(t *testing.T) {
			document := filepath.Join(t.TempDir(), "tokens.xml")
			if err := os.WriteFile(document, []byte(write(t, samples(), c.p)), 0o600); err != nil {
				t.Fatal(err)
			}
			var env []string
			if !c.o.Key.IsZero() {
				env = append(env, "PSKC_KEY="+hex.EncodeToString(c.o.Key.Reveal()))
			}
			if !c.o.Passphrase.IsZero() {
				env = append(env, "PSKC_PASSPHRASE="+string(c.o.Passphrase.Reveal()))
			}
			var got []peerKey
			for line := range strings.Lines(run(t, env, python, "testdata/peer.py", "read", document)) {
				var k peerKey
				if err := json.Unmarshal([]byte(line), &k); err != nil {
					t.Fatal(err)
				}
				got = append(got, k)
			}
			if d := cmp.Diff(wantedOfPeer(), got); d != "" {
				t.Errorf("python-pskc reads it differently (- wanted, + read):\n%s", d)
			}
			if out := run(t, nil, pskctool, "--validate", document); strings.TrimSpace(out) != "OK" {
				t.Errorf("pskctool does not validate it: %s", out)
			}
			info := run(t, nil, pskctool, "--info", document)
			for _, k := range samples() {
				line := "Key Secret (base64): " + base64.StdEncoding.EncodeToString(k.Secret.Reveal()) + "\n"
				if strings.Contains(info, line) != (name == "plain") {
					t.Errorf("pskctool and the secret of %s in a file that is %s:\n%s", k.ID, name, info)
				}
			}
		})
	}
}

// A file that pskctool signed says that it is signed.
func TestReadsWhatPskctoolSigns(t *testing.T) {
	pskctool := peer.Path(t, "pskctool", "pskctool")
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "vendor.example"}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key) // pskctool signs with RSA
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"key.pem": {Type: "PRIVATE KEY", Bytes: private}, "crt.pem": {Type: "CERTIFICATE", Bytes: certificate}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	signed := run(t, nil, pskctool, "--sign", "--sign-key", filepath.Join(dir, "key.pem"), "--sign-crt", filepath.Join(dir, "crt.pem"), "testdata/totp.xml")
	keys := mustRead(t, signed, pskc.Options{})
	if len(keys) != 1 || !keys[0].Signed || keys[0].Revealed != seed || keys[0].Drift != -4 {
		t.Errorf("got %+v", keys)
	}
}

// A key that went through python-pskc, encryption and our reader makes the
// codes that oathtool makes of the bare secret.
func TestCodesAreThoseOfOathtool(t *testing.T) {
	python, oathtool := peer.Python(t, "pskc", "python3-pskc"), peer.Path(t, "oathtool", "oathtool")
	plain := hex.EncodeToString([]byte(seed + seed[:12]))
	name := filepath.Join(t.TempDir(), "tokens.xml")
	run(t, []string{"PSKC_PASSPHRASE=" + peerPhrase}, python, "testdata/peer.py", "write", "phrase:aes128-cbc", plain, name)
	document, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	keys := mustRead(t, string(document), pskc.Options{Passphrase: secret.FromString(peerPhrase)})
	for _, at := range []int64{0, 59, 1111111109, 20000000000} {
		k := keys[0]
		want := run(t, nil, oathtool, "--totp=sha256", "--time-step-size=60s", "--digits=6", "--now", time.Unix(at, 0).UTC().Format("2006-01-02 15:04:05 UTC"), plain)
		if got := code(t, k.Revealed, uint64(at)/uint64(k.Interval), otp.Digits(k.Digits), otp.AlgorithmSHA256); got != strings.TrimSpace(want) {
			t.Errorf("TOTP at %d: %s, oathtool has %s", at, got, want)
		}
	}
	k := keys[1]
	want := run(t, nil, oathtool, "--hotp", "--counter", fmt.Sprint(k.Counter), "--digits", fmt.Sprint(k.Digits), plain)
	if got := code(t, k.Revealed, k.Counter, otp.Digits(k.Digits), otp.AlgorithmSHA1); got != strings.TrimSpace(want) {
		t.Errorf("HOTP: %s, oathtool has %s", got, want)
	}
}

func code(t *testing.T, secret string, counter uint64, digits otp.Digits, algorithm otp.Algorithm) string {
	t.Helper()
	c, err := hotp.GenerateCodeCustom(base32.StdEncoding.EncodeToString([]byte(secret)), counter, hotp.ValidateOpts{Digits: digits, Algorithm: algorithm})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
