package radius

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// authenticatorAt is where a Builder puts the value of Message-Authenticator:
// right behind the header.
const authenticatorAt = HeaderLength + 2

// AppendAttribute appends one attribute to b. A value longer than 253 octets
// is an error, and b is returned as it was.
func AppendAttribute(b []byte, t Type, value []byte) ([]byte, error) {
	if len(value) > MaxValue {
		return b, fmt.Errorf("attribute %d has %d octets, more than %d", t, len(value), MaxValue)
	}
	b = append(b, byte(t), byte(len(value)+2))
	return append(b, value...), nil
}

// Builder makes a packet in a caller's buffer. Its first error is kept and
// returned when the packet is sealed, so that a half-made packet never leaves.
type Builder struct {
	b    []byte
	err  error
	bare bool // without Message-Authenticator: accounting
}

// NewReply starts a reply to request in buf, whose contents are overwritten;
// with a capacity of MaxLength nothing is allocated.
func NewReply(buf []byte, code Code, request Packet) Builder {
	return start(buf, code, request.Identifier(), request.Authenticator())
}

// NewRequest starts an Access-Request or Status-Server in buf. The
// authenticator, 16 octets, must be random and never used before.
func NewRequest(buf []byte, code Code, identifier byte, authenticator [16]byte) Builder {
	return start(buf, code, identifier, authenticator[:])
}

func start(buf []byte, code Code, identifier byte, authenticator []byte) Builder {
	b := append(buf[:0], byte(code), identifier, 0, 0)
	b = append(b, authenticator...)
	b = append(b, byte(MessageAuthenticator), 18)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	return Builder{b: b}
}

// Add appends an attribute; a value over 253 octets is an error.
func (w *Builder) Add(t Type, value []byte) {
	if w.err == nil {
		w.b, w.err = AppendAttribute(w.b, t, value)
	}
}

// AddEncoded appends attributes that are in the form of a packet already, each
// with its type and length. Anything else is an error.
func (w *Builder) AddEncoded(attributes []byte) {
	if w.err != nil {
		return
	}
	for at := 0; at < len(attributes); at += int(attributes[at+1]) {
		if at+1 == len(attributes) || attributes[at+1] < 2 || at+int(attributes[at+1]) > len(attributes) {
			w.err = errors.New("attributes to be added are malformed")
			return
		}
	}
	w.b = append(w.b, attributes...)
}

// AddText appends a text as one attribute, or as several of at most 253
// octets, none of which ends inside a UTF-8 character. An empty text appends
// nothing: RFC 2865 has no empty text.
func (w *Builder) AddText(t Type, text string) {
	for len(text) > 0 && w.err == nil {
		n := min(len(text), MaxValue)
		for n < len(text) && n > MaxValue-utf8.UTFMax && !utf8.RuneStart(text[n]) {
			n--
		}
		w.b = append(w.b, byte(t), byte(n+2))
		w.b = append(w.b, text[:n]...)
		text = text[n:]
	}
}

// AddUint32 appends a number of four octets.
func (w *Builder) AddUint32(t Type, n uint32) {
	if w.err == nil {
		w.b = append(w.b, byte(t), 6)
		w.b = binary.BigEndian.AppendUint32(w.b, n)
	}
}

// AddPassword appends User-Password, hidden under the secret and this
// request's authenticator. More than 128 octets is an error: a password is
// never cut.
func (w *Builder) AddPassword(s *Secret, password []byte) {
	if w.err != nil {
		return
	}
	head := len(w.b)
	w.b = append(w.b, byte(UserPassword), 0)
	w.b, w.err = s.appendPassword(w.b, password, w.b[4:HeaderLength])
	if w.err == nil {
		w.b[head+1] = byte(len(w.b) - head)
	}
}

// AddProxyStates copies all Proxy-State of a request in their order
// (RFC 2865 section 5.33).
func (w *Builder) AddProxyStates(request Packet) {
	b := request.b
	for at := HeaderLength; at < len(b) && w.err == nil; at += int(b[at+1]) {
		if Type(b[at]) == ProxyState {
			w.b = append(w.b, b[at:at+int(b[at+1])]...)
		}
	}
}

// finish checks and writes the length.
func (w *Builder) finish() error {
	switch {
	case w.err != nil:
		return fmt.Errorf("packet cannot be built: %w", w.err)
	case len(w.b) < HeaderLength || !w.bare && len(w.b) < authenticatorAt+16:
		return errors.New("packet was not begun with NewReply or NewRequest")
	case len(w.b) > MaxLength:
		return fmt.Errorf("packet cannot be built: it has %d octets, more than %d", len(w.b), MaxLength)
	}
	binary.BigEndian.PutUint16(w.b[2:4], uint16(len(w.b)))
	return nil
}
