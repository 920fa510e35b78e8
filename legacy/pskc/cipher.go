package pskc

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"encoding/binary"
)

// suite is an encryption of XML Encryption that RFC 6030 §6.1 lists.
type suite struct {
	keys      []int // lengths of its key in bytes; the first is the usual one
	authentic bool  // it shows by itself that a value was changed
	open      func(key, ciphertext []byte) ([]byte, bool)
}

// ciphers finds a suite by its identifier.
func ciphers(uri string) (suite, bool) {
	switch uri {
	case spaceEnc + "aes128-cbc":
		return suite{keys: []int{16}, open: openAES}, true
	case spaceEnc + "aes192-cbc":
		return suite{keys: []int{24}, open: openAES}, true
	case spaceEnc + "aes256-cbc":
		return suite{keys: []int{32}, open: openAES}, true
	case spaceEnc + "tripledes-cbc":
		return suite{keys: []int{24, 16}, open: openTripleDES}, true
	case spaceEnc + "kw-aes128", spaceEnc11 + "kw-aes-128-pad":
		return suite{keys: []int{16}, authentic: true, open: unwrap}, true
	case spaceEnc + "kw-aes192", spaceEnc11 + "kw-aes-192-pad":
		return suite{keys: []int{24}, authentic: true, open: unwrap}, true
	case spaceEnc + "kw-aes256", spaceEnc11 + "kw-aes-256-pad":
		return suite{keys: []int{32}, authentic: true, open: unwrap}, true
	}
	return suite{}, false
}

func openAES(key, ciphertext []byte) ([]byte, bool) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	return openCBC(block, ciphertext)
}

// openTripleDES takes a key of two or three parts (NIST SP 800-67 §3.1).
func openTripleDES(key, ciphertext []byte) ([]byte, bool) {
	if len(key) == 16 {
		key = bytes.Join([][]byte{key, key[:8]}, nil)
	}
	block, err := des.NewTripleDESCipher(key)
	if err != nil {
		return nil, false
	}
	return openCBC(block, ciphertext)
}

// openCBC decrypts what begins with its initialisation vector and ends with
// padding of which only the last octet, its length, means anything (XML
// Encryption §5.2).
func openCBC(block cipher.Block, ciphertext []byte) ([]byte, bool) {
	size := block.BlockSize()
	if len(ciphertext) < 2*size || len(ciphertext)%size != 0 {
		return nil, false
	}
	plain := make([]byte, len(ciphertext)-size)
	cipher.NewCBCDecrypter(block, ciphertext[:size]).CryptBlocks(plain, ciphertext[size:])
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > size {
		clear(plain)
		return nil, false
	}
	return plain[:len(plain)-padding], true
}

// unwrap reverses AES key wrap, with or without padding. RFC 6030 §6.1 has
// secrets of other than whole groups of eight octets padded by RFC 5649, and
// writers give both the same identifier; the integrity check tells which it is.
func unwrap(key, ciphertext []byte) ([]byte, bool) {
	block, err := aes.NewCipher(key)
	if err != nil || len(ciphertext) < 16 || len(ciphertext)%8 != 0 {
		return nil, false
	}
	check, plain := unwrapRaw(block, ciphertext)
	if len(plain) >= 16 && subtle.ConstantTimeCompare(check, bytes.Repeat([]byte{0xA6}, 8)) == 1 {
		return plain, true // RFC 3394 §2.2.3.1
	}
	// RFC 5649 §3: a constant, the length, and zeros up to a group of eight.
	length := int64(binary.BigEndian.Uint32(check[4:]))
	if subtle.ConstantTimeCompare(check[:4], []byte{0xA6, 0x59, 0x59, 0xA6}) == 1 &&
		length > int64(len(plain)-8) && length <= int64(len(plain)) && isZero(plain[length:]) {
		return plain[:length], true
	}
	clear(plain)
	return nil, false
}

// unwrapRaw returns the integrity check and the plaintext (RFC 3394 §2.2.2; for
// two blocks RFC 5649 §4.2).
func unwrapRaw(block cipher.Block, ciphertext []byte) (check, plain []byte) {
	out := bytes.Clone(ciphertext)
	if len(out) == 16 {
		block.Decrypt(out, out)
		return out[:8], out[8:]
	}
	var b [16]byte
	copy(b[:8], out)
	n := len(out)/8 - 1
	for step := 6 * n; step >= 1; step-- {
		group := out[8*((step-1)%n+1):][:8]
		binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])^uint64(step))
		copy(b[8:], group)
		block.Decrypt(b[:], b[:])
		copy(group, b[8:])
	}
	copy(out, b[:8])
	return out[:8], out[8:]
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
