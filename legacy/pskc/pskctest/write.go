// Package pskctest writes token files of RFC 6030 for tests of who reads them.
// Beside mfabridge itself python-pskc and pskctool read them.
package pskctest

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"mfabridge/internal/secret"
	"mfabridge/legacy/pskc"
)

// Namespaces (RFC 6030 §1.3).
const (
	spacePSKC  = "urn:ietf:params:xml:ns:keyprov:pskc"
	spaceDS    = "http://www.w3.org/2000/09/xmldsig#"
	spaceEnc   = "http://www.w3.org/2001/04/xmlenc#"
	spaceEnc11 = "http://www.w3.org/2009/xmlenc11#"
	spacePKCS5 = "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#"
)

// DefaultIterations is how many rounds of PBKDF2 Write asks for.
const DefaultIterations = 600_000

// Protection says how the secrets of a file that Write makes are protected:
// exactly one of the three. The others of a file, serial numbers among them,
// are always in the clear.
type Protection struct {
	Passphrase secret.Bytes // a key by PBKDF2-HMAC-SHA256 for AES-256-CBC
	Key        secret.Bytes // a pre-shared key for AES-CBC: 16, 24 or 32 bytes
	Plain      bool         // no protection at all

	KeyName    string // of Key, for whoever reads the file; empty: "Pre-shared-key"
	Iterations int    // of PBKDF2; 0: DefaultIterations
}

// Write writes a token file with the keys, in their order, as RFC 6030 has it.
// Secrets are encrypted with AES in CBC mode and authenticated with
// HMAC-SHA256 under a fresh key that is encrypted likewise. A key with a
// Problem or without a secret is refused. After an error, whatever was written
// is of no use.
func Write(w io.Writer, keys iter.Seq[pskc.Key], p Protection) error {
	s, err := newSealer(p)
	if err != nil {
		return err
	}
	defer s.wipe()
	out := &writer{w: bufio.NewWriter(w)}
	out.raw(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	out.raw(`<KeyContainer Version="1.0" xmlns="` + spacePSKC + `" xmlns:ds="` + spaceDS + `" xmlns:xenc="` + spaceEnc +
		`" xmlns:xenc11="` + spaceEnc11 + `" xmlns:pkcs5="` + spacePKCS5 + `">` + "\n")
	s.header(out, p)
	n := 0
	for k := range keys {
		if n++; n > pskc.MaxKeys {
			return fmt.Errorf("a token file takes at most %d keys", pskc.MaxKeys)
		}
		if err := out.key(k, s); err != nil {
			return err
		}
	}
	if n == 0 {
		return errors.New("a token file needs at least one key")
	}
	out.raw("</KeyContainer>\n")
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

// header writes how the values are protected.
func (s *sealer) header(out *writer, p Protection) {
	if s == nil {
		return
	}
	out.raw("  <EncryptionKey>\n")
	if s.salt == nil {
		name := p.KeyName
		if name == "" {
			name = "Pre-shared-key"
		}
		out.leaf(4, "ds:KeyName", name)
	} else {
		out.raw(`    <xenc11:DerivedKey><xenc11:KeyDerivationMethod Algorithm="` + spacePKCS5 + `pbkdf2"><pkcs5:PBKDF2-params>` + "\n")
		out.raw(`      <pkcs5:Salt><pkcs5:Specified>` + base64.StdEncoding.EncodeToString(s.salt) + `</pkcs5:Specified></pkcs5:Salt>` + "\n")
		out.raw(fmt.Sprintf("      <pkcs5:IterationCount>%d</pkcs5:IterationCount>\n      <pkcs5:KeyLength>32</pkcs5:KeyLength>\n", s.rounds))
		out.raw(`      <pkcs5:PRF Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"/>` + "\n")
		out.raw("    </pkcs5:PBKDF2-params></xenc11:KeyDerivationMethod></xenc11:DerivedKey>\n")
	}
	out.raw("  </EncryptionKey>\n")
	out.raw(`  <MACMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"><MACKey>` + "\n")
	out.cipherValue(s, s.seal(s.macKey))
	out.raw("  </MACKey></MACMethod>\n")
}

// writer writes elements; the first error stays.
type writer struct {
	w   *bufio.Writer
	err error
}

func (o *writer) raw(s string) {
	if o.err == nil {
		_, o.err = o.w.WriteString(s)
	}
}

// leaf writes an element with text, or nothing without.
func (o *writer) leaf(indent int, name, text string) {
	if text != "" {
		o.raw(strings.Repeat(" ", indent) + "<" + name + ">" + o.escape(text) + "</" + name + ">\n")
	}
}

func (o *writer) cipherValue(s *sealer, b []byte) {
	o.raw(`          <xenc:EncryptionMethod Algorithm="` + s.name + `"/>` + "\n")
	o.raw("          <xenc:CipherData><xenc:CipherValue>" + base64.StdEncoding.EncodeToString(b) + "</xenc:CipherValue></xenc:CipherData>\n")
}

// escape makes text of s for an element or an attribute. What XML 1.0 cannot
// hold is an error.
func (o *writer) escape(s string) string {
	bad := func(r rune) bool { return r < ' ' || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF }
	if o.err == nil && (len(s) > pskc.MaxField || strings.ContainsFunc(s, bad)) {
		o.err = fmt.Errorf("a value of a key has control characters or more than %d bytes, and cannot be written", pskc.MaxField)
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

// key writes one key package.
func (o *writer) key(k pskc.Key, s *sealer) error {
	id, err := writable(k)
	if err != nil {
		return err
	}
	profile := "totp"
	if k.HOTP {
		profile = "hotp"
	}
	o.raw("  <KeyPackage>\n    <DeviceInfo>\n")
	o.leaf(6, "Manufacturer", k.Manufacturer)
	o.leaf(6, "SerialNo", k.Serial)
	o.leaf(6, "Model", k.Model)
	o.raw("    </DeviceInfo>\n    <Key Id=\"" + o.escape(id) + `" Algorithm="` + spacePSKC + ":" + profile + "\">\n")
	o.leaf(6, "Issuer", k.Issuer)
	o.parameters(k)
	o.data(k, s)
	o.leaf(6, "UserId", k.UserID)
	o.raw("      <Policy>\n")
	o.leaf(8, "StartDate", dateText(k.Start))
	o.leaf(8, "ExpiryDate", dateText(k.Expiry))
	o.raw("        <KeyUsage>OTP</KeyUsage>\n      </Policy>\n    </Key>\n  </KeyPackage>\n")
	return o.err
}

// writable returns the identifier of a key, or why it is not written.
func writable(k pskc.Key) (string, error) {
	id := cmp.Or(k.ID, k.Serial)
	switch {
	case k.Problem != "":
		return "", fmt.Errorf("a key cannot be written: %s", k.Problem)
	case k.Secret.IsZero() || k.Secret.Len() > pskc.MaxSecret:
		return "", errors.New("a key cannot be written: it has no secret, or too long a one")
	case id == "":
		return "", errors.New("a key cannot be written: it has neither an identifier nor a serial number")
	case !slices.Contains([]string{"", "SHA1", "SHA256", "SHA512"}, k.Algorithm):
		return "", errors.New("a key cannot be written: its hash is not known")
	}
	return id, nil
}

func (o *writer) data(k pskc.Key, s *sealer) {
	o.raw("      <Data>\n")
	o.secret(k, s)
	if k.HOTP {
		o.raw(fmt.Sprintf("        <Counter><PlainValue>%d</PlainValue></Counter>\n", k.Counter))
	} else {
		o.plain("Time", 0)
		if k.Interval != 0 {
			o.plain("TimeInterval", k.Interval)
		}
		if k.Drift != 0 {
			o.plain("TimeDrift", k.Drift)
		}
	}
	o.raw("      </Data>\n")
}

func (o *writer) plain(name string, value int) {
	o.raw(fmt.Sprintf("        <%s><PlainValue>%d</PlainValue></%s>\n", name, value, name))
}

func (o *writer) parameters(k pskc.Key) {
	suite := ""
	if k.Algorithm != "" && k.Algorithm != "SHA1" { // which is what its absence means
		suite = "HMAC-" + k.Algorithm
	}
	if suite == "" && k.Digits == 0 {
		return
	}
	o.raw("      <AlgorithmParameters>\n")
	o.leaf(8, "Suite", suite)
	if k.Digits != 0 {
		o.raw(fmt.Sprintf("        <ResponseFormat Encoding=\"DECIMAL\" Length=\"%d\"/>\n", k.Digits))
	}
	o.raw("      </AlgorithmParameters>\n")
}

func (o *writer) secret(k pskc.Key, s *sealer) {
	if s == nil {
		o.raw("        <Secret><PlainValue>" + base64.StdEncoding.EncodeToString(k.Secret.Reveal()) + "</PlainValue></Secret>\n")
		return
	}
	b := s.seal(k.Secret.Reveal())
	o.raw("        <Secret><EncryptedValue>\n")
	o.cipherValue(s, b)
	o.raw("        </EncryptedValue><ValueMAC>" + base64.StdEncoding.EncodeToString(s.mac(b)) + "</ValueMAC></Secret>\n")
}

// dateText is the canonical form of an xs:dateTime; "" for the zero time.
func dateText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
