// Package webpushtest plays, for tests, what is at the other end of a web push: a
// browser, which decrypts as RFC 8291 says without a line of what encrypts, and a
// push service.
package webpushtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// Browser is where a subscription was made.
type Browser struct {
	key  *ecdh.PrivateKey
	auth []byte
}

// NewBrowser makes one with keys of its own.
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &Browser{key: key, auth: make([]byte, 16)}
	rand.Read(b.auth)
	return b
}

// Keys are the keys of its subscription, in Base64url without padding as
// PushSubscription has them.
func (b *Browser) Keys() (p256dh, auth string) {
	return base64.RawURLEncoding.EncodeToString(b.key.PublicKey().Bytes()), base64.RawURLEncoding.EncodeToString(b.auth)
}

// Open decrypts a body of one record (RFC 8188 §2, RFC 8291 §3.4).
func (b *Browser) Open(body []byte) ([]byte, error) {
	if len(body) < 86 || body[20] != 65 {
		return nil, errors.New("no header")
	}
	salt, public, sealed := body[:16], body[21:86], body[86:]
	if size := binary.BigEndian.Uint32(body[16:20]); int(size) < len(sealed) {
		return nil, errors.New("more than a record")
	}
	theirs, err := ecdh.P256().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	shared, err := b.key.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	derive := func(from, salt []byte, info string, n int) []byte {
		out, err := hkdf.Key(sha256.New, from, salt, info, n)
		if err != nil {
			panic(err)
		}
		return out
	}
	ikm := derive(shared, b.auth, "WebPush: info\x00"+string(b.key.PublicKey().Bytes())+string(public), 32)
	block, err := aes.NewCipher(derive(ikm, salt, "Content-Encoding: aes128gcm\x00", 16))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, derive(ikm, salt, "Content-Encoding: nonce\x00", 12), sealed, nil)
	if err != nil {
		return nil, err
	}
	text, padding, ok := strings.Cut(string(plain), "\x02")
	if !ok || strings.Trim(padding, "\x00") != "" {
		return nil, errors.New("no end of the record")
	}
	return []byte(text), nil
}
