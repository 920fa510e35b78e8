package radius

import (
	"crypto/hmac"
	"crypto/md5" // RFC 2865 leaves no choice; Message-Authenticator is what protects
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
)

// Why a packet is not authentic.
var (
	// ErrNoMessageAuthenticator means that there is none.
	ErrNoMessageAuthenticator = errors.New("packet has no Message-Authenticator")
	// ErrMessageAuthenticator means that it is wrong, of a wrong length, or
	// there more than once: another secret, or a packet altered on its way.
	ErrMessageAuthenticator = errors.New("packet has a wrong Message-Authenticator")
	// ErrResponseAuthenticator means that a reply is not one to this request.
	ErrResponseAuthenticator = errors.New("reply has a wrong Response Authenticator")
)

// Secret is a shared secret with the hash states that it keys, so that
// signing and checking allocate nothing. One goroutine at a time may use it.
type Secret struct {
	key  []byte
	mac  hash.Hash // HMAC-MD5 under key
	md5  hash.Hash
	out  [md5.Size]byte
	zero [md5.Size]byte // what Message-Authenticator counts as while it is computed
}

// NewSecret makes the states for a shared secret, which is not copied and must
// not be empty.
func NewSecret(key []byte) *Secret {
	return &Secret{key: key, mac: hmac.New(md5.New, key), md5: md5.New()}
}

// VerifyRequest checks the Message-Authenticator of an Access-Request or
// Status-Server: exactly one, 18 octets long, and right. The error is
// [ErrNoMessageAuthenticator] or [ErrMessageAuthenticator].
func (s *Secret) VerifyRequest(p Packet) error {
	return s.verify(p, p.Authenticator())
}

// VerifyReply checks that a reply belongs to request and is from somebody who
// has the secret: Identifier, Response Authenticator and Message-Authenticator.
func (s *Secret) VerifyReply(reply, request Packet) error {
	if reply.Identifier() != request.Identifier() {
		return ErrResponseAuthenticator
	}
	want := s.responseAuthenticator(reply.b, request.Authenticator())
	if subtle.ConstantTimeCompare(want, reply.Authenticator()) != 1 {
		return ErrResponseAuthenticator
	}
	return s.verify(reply, request.Authenticator())
}

func (s *Secret) verify(p Packet, authenticator []byte) error {
	at, length, count := p.offset(MessageAuthenticator)
	switch {
	case count == 0:
		return ErrNoMessageAuthenticator
	case count > 1 || length != md5.Size:
		return ErrMessageAuthenticator
	}
	if !hmac.Equal(s.messageAuthenticator(p.b, at, authenticator), p.b[at:at+md5.Size]) {
		return ErrMessageAuthenticator
	}
	return nil
}

// SealReply writes Length, Message-Authenticator and Response Authenticator of
// a reply and returns its bytes, which lie in the Builder's buffer.
func (s *Secret) SealReply(w *Builder, request Packet) ([]byte, error) {
	if err := w.finish(); err != nil {
		return nil, err
	}
	authenticator := request.Authenticator()
	copy(w.b[authenticatorAt:], s.messageAuthenticator(w.b, authenticatorAt, authenticator))
	copy(w.b[4:HeaderLength], s.responseAuthenticator(w.b, authenticator))
	return w.b, nil
}

// SealRequest writes Length and Message-Authenticator of a request and returns
// its bytes, which lie in the Builder's buffer.
func (s *Secret) SealRequest(w *Builder) ([]byte, error) {
	if err := w.finish(); err != nil {
		return nil, err
	}
	copy(w.b[authenticatorAt:], s.messageAuthenticator(w.b, authenticatorAt, w.b[4:HeaderLength]))
	return w.b, nil
}

// messageAuthenticator computes RFC 3579 section 3.2 over b, whose attribute
// value at `at` counts as zeros and whose Authenticator as the one given. The
// result is valid until the next call.
func (s *Secret) messageAuthenticator(b []byte, at int, authenticator []byte) []byte {
	s.mac.Reset()
	s.mac.Write(b[:4])
	s.mac.Write(authenticator)
	s.mac.Write(b[HeaderLength:at])
	s.mac.Write(s.zero[:])
	s.mac.Write(b[at+md5.Size:])
	return s.mac.Sum(s.out[:0])
}

// responseAuthenticator computes RFC 2865 section 3: MD5 over Code,
// Identifier, Length, the request's Authenticator, attributes, secret.
func (s *Secret) responseAuthenticator(b, authenticator []byte) []byte {
	s.md5.Reset()
	s.md5.Write(b[:4])
	s.md5.Write(authenticator)
	s.md5.Write(b[HeaderLength:])
	s.md5.Write(s.key)
	return s.md5.Sum(s.out[:0])
}

// Password reveals a User-Password value of a request with that authenticator
// (RFC 2865 section 5.2), appending it to dst. NULs at its end are padding and
// are left out. A value that is not 16 to 128 octets in steps of 16 is an
// error. A wrong secret is not noticed here: the result is noise then.
func (s *Secret) Password(dst, value, authenticator []byte) ([]byte, error) {
	if len(value) == 0 || len(value) > MaxPassword || len(value)%md5.Size != 0 {
		return dst, fmt.Errorf("value of User-Password has %d octets, not 16 to 128 in steps of 16", len(value))
	}
	from, previous := len(dst), authenticator
	for i := 0; i < len(value); i += md5.Size {
		block := value[i : i+md5.Size]
		pad := s.pad(previous)
		for j, c := range block {
			dst = append(dst, c^pad[j])
		}
		previous = block
	}
	for len(dst) > from && dst[len(dst)-1] == 0 {
		dst = dst[:len(dst)-1]
	}
	return dst, nil
}

// appendPassword hides a password; an empty one is a block of padding.
func (s *Secret) appendPassword(dst, password, authenticator []byte) ([]byte, error) {
	if len(password) > MaxPassword {
		return dst, fmt.Errorf("password has more than %d octets", MaxPassword)
	}
	previous := authenticator
	for i := 0; i == 0 || i < len(password); i += md5.Size {
		pad := s.pad(previous)
		for j := range md5.Size {
			c := pad[j]
			if i+j < len(password) {
				c ^= password[i+j]
			}
			dst = append(dst, c)
		}
		previous = dst[len(dst)-md5.Size:]
	}
	return dst, nil
}

// pad is MD5(secret, previous), valid until the next call.
func (s *Secret) pad(previous []byte) []byte {
	s.md5.Reset()
	s.md5.Write(s.key)
	s.md5.Write(previous)
	return s.md5.Sum(s.out[:0])
}
