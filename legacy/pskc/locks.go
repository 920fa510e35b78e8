package pskc

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"

	"mfabridge/internal/hint"
)

// locks open the encrypted values of a file.
type locks struct {
	opt    Options
	derive *derivation // nil: the key is pre-shared
	draft  string      // how a draft before the RFC says that it encrypts; "": it does not
	mac    *macMethod  // nil: the file has none

	encryptionKey bool           // an EncryptionKey was there
	derived       map[int][]byte // by length
}

// derivation are the parameters of PBKDF2 (RFC 8018 §5.2).
type derivation struct {
	at         *node
	hash       func() hash.Hash
	salt       []byte
	iterations int
	length     int // 0: not said
}

// macMethod is how values are authenticated (RFC 6030 §6.1.1).
type macMethod struct {
	at   *node
	name string // of the algorithm; looked at when a MAC is met, python-pskc leaves it empty where none is
	box  *box   // of the MAC key; nil: it is the encryption key
	key  []byte
}

// encryptionKey reads EncryptionKey: a name of a pre-shared key (RFC 6030
// §6.1) or how to derive one (§6.2).
func (c *container) encryptionKey(n *node) error {
	if c.locks.encryptionKey || len(c.keys) > 0 {
		return n.errorAt("an EncryptionKey stands where none may be")
	}
	c.locks.encryptionKey = true
	if c.part(n, "X509Data") != nil || c.part(n, "EncryptedKey") != nil {
		return n.errorAt("the file is encrypted to a certificate, which is not read")
	}
	method := c.part(c.part(n, "DerivedKey"), "KeyDerivationMethod")
	if method == nil {
		if c.part(n, "DerivedKey") != nil {
			return n.errorAt("nothing says how the key is derived")
		}
		return nil
	}
	switch name := method.attr("Algorithm"); name {
	case spacePKCS5 + "pbkdf2", spaceEnc11 + "pbkdf2", "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5#pbkdf2":
	default:
		return method.errorAt("the key is derived by %s, which is not PBKDF2", quote(name))
	}
	d, err := c.derivation(c.part(method, "PBKDF2-params"), method)
	c.locks.derive = d
	return err
}

func (c *container) derivation(p, at *node) (*derivation, error) {
	d := &derivation{at: at}
	var ok bool
	if d.salt, ok = decodeBase64(c.part(c.part(p, "Salt"), "Specified").trimmed()); !ok || len(d.salt) == 0 || len(d.salt) > MaxField {
		return nil, at.errorAt("PBKDF2 has no salt that can be read")
	}
	var err error
	if d.iterations, err = strconv.Atoi(string(c.part(p, "IterationCount").trimmed())); err != nil || d.iterations < 1 || d.iterations > MaxIterations {
		return nil, at.errorAt("the iteration count of PBKDF2 is not from 1 to %d", MaxIterations)
	}
	if length := c.part(p, "KeyLength"); length != nil {
		if d.length, err = strconv.Atoi(string(length.trimmed())); err != nil || !slices.Contains([]int{16, 24, 32}, d.length) {
			return nil, length.errorAt("PBKDF2 makes a key of other than 16, 24 or 32 bytes")
		}
	}
	prf := c.part(p, "PRF")
	name := prf.attr("Algorithm")
	if name == "" { // python-pskc puts it there
		name = string(prf.trimmed())
	}
	if name == "" {
		d.hash = sha1.New // the default of RFC 8018
	} else if d.hash = hmacHash(name); d.hash == nil {
		return nil, at.errorAt("PBKDF2 uses %s, which is none of HMAC-SHA1, -SHA256, -SHA384 and -SHA512", quote(name))
	}
	return d, nil
}

// macMethod reads MACMethod.
func (c *container) macMethod(n *node) error {
	if c.locks.mac != nil || len(c.keys) > 0 {
		return n.errorAt("a MACMethod stands where none may be")
	}
	m := &macMethod{at: n, name: n.attr("Algorithm")}
	if ref := c.one(n, "MACKeyReference"); ref != nil {
		return ref.errorAt("the MAC key is one that the file only names, which is not read")
	}
	if key := c.one(n, "MACKey"); key != nil {
		b, err := c.box(key)
		if err != nil {
			return err
		}
		m.box = &b
	}
	c.locks.mac = m
	return nil
}

// draftMethod takes note of how a draft says that values are encrypted.
func (c *container) draftMethod(n *node) error {
	if len(c.keys) > 0 {
		return n.errorAt("%s stands after keys that it is about", n.local)
	}
	if n.local != "EncryptionMethod" {
		if n.local == "MACAlgorithm" {
			c.locks.draft = n.local
		}
		return nil // a DigestMethod comes with values in the clear, too
	}
	switch name := n.attr("Algorithm", "algorithm"); name {
	case "", "NONE", "none":
	default:
		c.locks.draft = n.local
	}
	return nil
}

// draftOf names the element by which a value is encrypted as in a draft; "": it
// is not. A Value looks the same encrypted and in the clear, so that anything
// about encryption in the file makes it unreadable.
func (l *locks) draftOf(plain, encrypted *node) string {
	value := plain != nil && plain.local == "Value"
	switch {
	case l.draft != "" && (value || encrypted != nil):
		return l.draft
	case value && l.encryptionKey:
		return "EncryptionKey"
	case value && l.mac != nil:
		return "MACMethod"
	}
	return ""
}

// hmacHash is the hash of an HMAC (RFC 6030 §6.1.1), nil if it is not known.
func hmacHash(uri string) func() hash.Hash {
	switch uri {
	case spaceDS + "hmac-sha1":
		return sha1.New
	case "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256":
		return sha256.New
	case "http://www.w3.org/2001/04/xmldsig-more#hmac-sha384":
		return sha512.New384
	case "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512":
		return sha512.New
	}
	return nil
}

// open verifies the MAC of a value, which covers the initialisation vector and
// the ciphertext, and then decrypts it. Without a MAC only what authenticates
// itself is opened.
func (l *locks) open(b box, mac []byte) ([]byte, error) {
	s, ok := ciphers(b.algorithm)
	switch {
	case !ok:
		return nil, b.at.errorAt("the encryption %s is not known", quote(b.algorithm))
	case mac != nil && l.mac == nil:
		return nil, b.at.errorAt("a value has a MAC, but the file does not say which")
	case mac == nil && !s.authentic:
		return nil, hint.Wrap(b.at.errorAt("a value is encrypted without a MAC (RFC 6030 section 6.1.1 demands one)"),
			"ask who made the file for one with MACMethod and ValueMAC")
	}
	key, err := l.key(b, s)
	if err != nil {
		return nil, err
	}
	if mac != nil {
		if err := l.verify(b, key, mac); err != nil {
			return nil, err
		}
	}
	plain, ok := s.open(key, b.ciphertext)
	if !ok {
		return nil, ErrKey
	}
	return plain, nil
}

func (l *locks) verify(b box, key, mac []byte) error {
	hash := hmacHash(l.mac.name)
	if hash == nil {
		return l.mac.at.errorAt("the MAC is %s, which is none of HMAC-SHA1, -SHA256, -SHA384 and -SHA512", quote(l.mac.name))
	}
	macKey, err := l.macKey(key)
	if err != nil {
		return err
	}
	h := hmac.New(hash, macKey)
	h.Write(b.ciphertext)
	if !hmac.Equal(h.Sum(nil), mac) {
		return ErrKey
	}
	return nil
}

// macKey opens the MAC key, once. It has no MAC of its own: with a wrong key it
// comes out as nonsense, which the first MAC shows.
func (l *locks) macKey(key []byte) ([]byte, error) {
	if l.mac.box == nil {
		return key, nil
	}
	if l.mac.key == nil {
		b := *l.mac.box
		s, ok := ciphers(b.algorithm)
		if !ok {
			return nil, b.at.errorAt("the encryption %s is not known", quote(b.algorithm))
		}
		outer, err := l.key(b, s)
		if err != nil {
			return nil, err
		}
		if l.mac.key, ok = s.open(outer, b.ciphertext); !ok || len(l.mac.key) == 0 {
			return nil, ErrKey
		}
	}
	return l.mac.key, nil
}

// key is the encryption key for a cipher.
func (l *locks) key(b box, s suite) ([]byte, error) {
	switch {
	case l.derive == nil && l.opt.Key.IsZero():
		return nil, hint.Wrap(fmt.Errorf("%w with a pre-shared key", ErrKeyNeeded), "give the key that its sender agreed upon with you")
	case l.derive == nil:
		if n := l.opt.Key.Len(); !slices.Contains(s.keys, n) {
			return nil, b.at.errorAt("the key that was given has %d bytes, and the encryption takes one of %d", n, s.keys[0])
		}
		return l.opt.Key.Reveal(), nil
	case l.opt.Passphrase.IsZero():
		return nil, hint.Wrap(fmt.Errorf("%w with a pass phrase", ErrKeyNeeded), "give the pass phrase that its sender told you")
	}
	length := l.derive.length
	if length == 0 {
		length = s.keys[0]
	}
	if !slices.Contains(s.keys, length) {
		return nil, b.at.errorAt("PBKDF2 makes a key of %d bytes, and the encryption takes one of %d", length, s.keys[0])
	}
	if key := l.derived[length]; key != nil {
		return key, nil
	}
	key, err := pbkdf2.Key(l.derive.hash, string(l.opt.Passphrase.Reveal()), l.derive.salt, l.derive.iterations, length)
	if err != nil {
		return nil, errors.New("PBKDF2 makes no key: " + err.Error())
	}
	if l.derived == nil {
		l.derived = make(map[int][]byte)
	}
	l.derived[length] = key
	return key, nil
}

// wipe overwrites the keys that were made.
func (l *locks) wipe() {
	for _, key := range l.derived {
		clear(key)
	}
	if l.mac != nil {
		clear(l.mac.key)
	}
}
