package pskc

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"

	"mfabridge/internal/hint"
)

// octets reads a secret. What is wrong with a plain one is a problem of the
// key; what does not open is an error of the file.
func (c *container) octets(k *Key, n *node) ([]byte, error) {
	plain, encrypted, err := c.forms(n)
	if err != nil {
		return nil, err
	}
	var value []byte
	switch {
	case encrypted != nil:
		if value, err = c.open(n, encrypted); err != nil {
			return nil, err
		}
		k.Encrypted = true
	case plain != nil:
		var ok bool
		if value, ok = decodeBase64(plain.trimmed()); !ok {
			k.note("its secret is not Base64")
			return nil, nil
		}
	}
	switch {
	case len(value) == 0:
		k.note("the file holds no secret for it")
	case len(value) > MaxSecret:
		k.note(fmt.Sprintf("its secret has more than %d bytes", MaxSecret))
	}
	return value, nil
}

// number reads a counter, interval or drift; 0 if there is none. In the clear
// it is decimal; encrypted, and in a Value of the drafts, it is a big-endian
// integer, which has a sign if it has the four octets of an xs:int.
func (c *container) number(k *Key, n *node, what string, least, most int64) (int64, error) {
	plain, encrypted, err := c.forms(n)
	if err != nil {
		return 0, err
	}
	var value int64
	ok := true
	switch {
	case encrypted != nil:
		var octets []byte
		if octets, err = c.open(n, encrypted); err != nil {
			return 0, err
		}
		value, ok = bigEndian(octets)
	case plain == nil:
		return 0, nil
	case plain.local == "Value":
		var octets []byte
		if octets, ok = decodeBase64(plain.trimmed()); ok {
			value, ok = bigEndian(octets)
		}
	default:
		value, err = strconv.ParseInt(string(plain.trimmed()), 10, 64)
		ok = err == nil
	}
	if !ok || value < least || value > most {
		k.note("its " + what + " is not a number in its range")
		return 0, nil
	}
	return value, nil
}

func bigEndian(octets []byte) (int64, bool) {
	if len(octets) == 0 || len(octets) > 8 {
		return 0, false
	}
	if len(octets) == 4 {
		return int64(int32(binary.BigEndian.Uint32(octets))), true
	}
	var b [8]byte
	copy(b[8-len(octets):], octets)
	return int64(binary.BigEndian.Uint64(b[:])), true
}

// forms finds the value of n: in the clear or encrypted, never both.
func (c *container) forms(n *node) (plain, encrypted *node, err error) {
	plain, encrypted = c.one(n, "PlainValue", "Value"), c.one(n, "EncryptedValue")
	if plain != nil && encrypted != nil {
		return nil, nil, n.errorAt("%s stands there in the clear and encrypted", n.local)
	}
	if c.err != nil {
		return nil, nil, c.err
	}
	if draft := c.locks.draftOf(plain, encrypted); draft != "" {
		return nil, nil, hint.Wrap(n.errorAt("it is encrypted as a draft before RFC 6030 had it (%s), which is not read", draft),
			"convert the file to RFC 6030, for instance with pskc2pskc of python-pskc")
	}
	return plain, encrypted, nil
}

// open decrypts the value of n.
func (c *container) open(n, encrypted *node) ([]byte, error) {
	box, err := c.box(encrypted)
	if err != nil {
		return nil, err
	}
	var mac []byte
	if m := c.one(n, "ValueMAC"); m != nil {
		var ok bool
		if mac, ok = decodeBase64(m.trimmed()); !ok || len(mac) == 0 {
			return nil, m.errorAt("a MAC is not Base64")
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	return c.locks.open(box, mac)
}

// box is an encrypted value (XML Encryption §3.1).
type box struct {
	at         *node
	algorithm  string
	ciphertext []byte
}

func (c *container) box(n *node) (box, error) {
	b := box{at: n, algorithm: c.part(n, "EncryptionMethod").attr("Algorithm")}
	value := c.part(c.part(n, "CipherData"), "CipherValue")
	if c.err != nil {
		return box{}, c.err
	}
	if value == nil {
		return box{}, n.errorAt("%s holds no CipherValue", n.local)
	}
	var ok bool
	if b.ciphertext, ok = decodeBase64(value.trimmed()); !ok {
		return box{}, value.errorAt("a CipherValue is not Base64")
	}
	return b, nil
}

// decodeBase64 takes xs:base64Binary: white space anywhere, padding required.
func decodeBase64(text []byte) ([]byte, bool) {
	squeezed := bytes.Join(bytes.Fields(text), nil)
	defer clear(squeezed)
	b := make([]byte, base64.StdEncoding.DecodedLen(len(squeezed)))
	n, err := base64.StdEncoding.Strict().Decode(b, squeezed)
	if err != nil {
		clear(b)
		return nil, false
	}
	return b[:n], true
}
