package radius

import (
	"crypto/subtle"
	"errors"
)

// ErrRequestAuthenticator means that an Accounting-Request is not from
// somebody who has the secret, or was altered on its way.
var ErrRequestAuthenticator = errors.New("packet has a wrong Request Authenticator")

// NewAccountingRequest starts an Accounting-Request in buf. It has no Message-
// Authenticator (RFC 3579 section 3.3): its Request Authenticator covers all
// of it.
func NewAccountingRequest(buf []byte, identifier byte) Builder {
	return startBare(buf, AccountingRequest, identifier)
}

// NewAccountingResponse starts the answer to an Accounting-Request, or at an
// accounting port to Status-Server.
func NewAccountingResponse(buf []byte, request Packet) Builder {
	return startBare(buf, AccountingResponse, request.Identifier())
}

func startBare(buf []byte, code Code, identifier byte) Builder {
	b := append(buf[:0], byte(code), identifier, 0, 0)
	return Builder{b: append(b, make([]byte, 16)...), bare: true}
}

// VerifyAccounting checks the Request Authenticator of an Accounting-Request
// (RFC 2866 section 3), and Message-Authenticator if it has one.
func (s *Secret) VerifyAccounting(p Packet) error {
	if subtle.ConstantTimeCompare(s.responseAuthenticator(p.b, s.zero[:]), p.Authenticator()) != 1 {
		return ErrRequestAuthenticator
	}
	if err := s.verify(p, s.zero[:]); err != nil && !errors.Is(err, ErrNoMessageAuthenticator) {
		return err
	}
	return nil
}

// VerifyAccountingResponse checks that a reply belongs to an Accounting-
// Request and is from somebody who has the secret.
func (s *Secret) VerifyAccountingResponse(reply, request Packet) error {
	if err := s.VerifyReply(reply, request); err != nil && !errors.Is(err, ErrNoMessageAuthenticator) {
		return err // VerifyReply looks at the Response Authenticator first
	}
	return nil
}

// SealAccountingRequest writes Length and Request Authenticator of an
// Accounting-Request and returns its bytes, which lie in the Builder's buffer.
func (s *Secret) SealAccountingRequest(w *Builder) ([]byte, error) {
	if err := w.finish(); err != nil {
		return nil, err
	}
	copy(w.b[4:HeaderLength], s.responseAuthenticator(w.b, s.zero[:]))
	return w.b, nil
}

// SealAccountingResponse writes Length and Response Authenticator of a reply.
func (s *Secret) SealAccountingResponse(w *Builder, request Packet) ([]byte, error) {
	if err := w.finish(); err != nil {
		return nil, err
	}
	copy(w.b[4:HeaderLength], s.responseAuthenticator(w.b, request.Authenticator()))
	return w.b, nil
}
