// Package radius reads and writes RADIUS packets (RFC 2865) in place: a
// [Packet] is a view of the caller's buffer, a [Builder] appends to one, and
// neither allocates. It knows nothing of sockets, clients or logins.
//
// A server that answers one datagram:
//
//	p, err := radius.Parse(datagram)          // lengths are right, or an error with the offset
//	err = secret.VerifyRequest(p)             // Message-Authenticator is there, once, and right
//	reply := radius.NewReply(buf, radius.AccessAccept, p)
//	reply.AddProxyStates(p)
//	bytes, err := secret.SealReply(&reply, p) // Length, Message-Authenticator, Response Authenticator
//
// Message-Authenticator (RFC 3579 section 3.2) is the first attribute of all
// that a Builder makes, and but for accounting there is no way to leave it out: a packet with
// nothing but the MD5 of RFC 2865 can be forged (CVE-2024-3596). All compares
// of secret values take constant time.
//
// A [Secret] keeps its hash states and so must not be used by two goroutines
// at once; everything else is safe as far as its buffer is.
package radius

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// Lengths in octets (RFC 2865 section 3 and 5).
const (
	HeaderLength = 20
	MaxLength    = 4096
	MaxValue     = 253 // of one attribute
	MaxPassword  = 128 // of User-Password, in clear
)

// Code is the kind of a packet.
type Code uint8

// Codes of RFC 2865, RFC 2866 and RFC 5997.
const (
	AccessRequest      Code = 1
	AccessAccept       Code = 2
	AccessReject       Code = 3
	AccountingRequest  Code = 4
	AccountingResponse Code = 5
	AccessChallenge    Code = 11
	StatusServer       Code = 12
)

// String is the code's name in the RFCs, or "Code-N".
func (c Code) String() string {
	switch c {
	case AccessRequest:
		return "Access-Request"
	case AccessAccept:
		return "Access-Accept"
	case AccessReject:
		return "Access-Reject"
	case AccountingRequest:
		return "Accounting-Request"
	case AccountingResponse:
		return "Accounting-Response"
	case AccessChallenge:
		return "Access-Challenge"
	case StatusServer:
		return "Status-Server"
	}
	return fmt.Sprintf("Code-%d", uint8(c))
}

// Type is the type of an attribute.
type Type uint8

// Types of RFC 2865, RFC 2869 and RFC 3579 that a login has to do with.
const (
	UserName             Type = 1
	UserPassword         Type = 2
	CHAPPassword         Type = 3
	NASPort              Type = 5
	ReplyMessage         Type = 18
	State                Type = 24
	VendorSpecific       Type = 26
	SessionTimeout       Type = 27
	CallingStationID     Type = 31
	NASIdentifier        Type = 32
	ProxyState           Type = 33
	CHAPChallenge        Type = 60
	TunnelPassword       Type = 69
	EAPMessage           Type = 79
	MessageAuthenticator Type = 80
)

// ParseError says why bytes are not a RADIUS packet.
type ParseError struct {
	Offset  int    // of the octet that is wrong
	Problem string // a phrase
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("not a RADIUS packet: %s at octet %d", e.Problem, e.Offset)
}

// Packet is a well-formed packet as it lies in somebody's buffer; it is valid
// as long as the buffer is left alone. The zero Packet has no methods to call:
// only [Parse] makes one.
type Packet struct {
	b []byte // exactly Length octets
}

// Parse checks the lengths of a datagram and returns a view of it. Octets
// after the packet's Length are padding and no part of it (RFC 2865 section
// 3). The error is a *[ParseError].
func Parse(datagram []byte) (Packet, error) {
	if len(datagram) < HeaderLength {
		return Packet{}, &ParseError{Offset: len(datagram), Problem: "it ends inside the header"}
	}
	n := int(binary.BigEndian.Uint16(datagram[2:4]))
	switch {
	case n < HeaderLength:
		return Packet{}, &ParseError{Offset: 2, Problem: "its Length is below 20"}
	case n > MaxLength:
		return Packet{}, &ParseError{Offset: 2, Problem: "its Length is above 4096"}
	case n > len(datagram):
		return Packet{}, &ParseError{Offset: len(datagram), Problem: "it ends before its Length"}
	}
	b := datagram[:n:n]
	for at := HeaderLength; at < n; at += int(b[at+1]) {
		if at+1 == n {
			return Packet{}, &ParseError{Offset: at, Problem: "an attribute has no length"}
		}
		if l := int(b[at+1]); l < 2 || at+l > n {
			return Packet{}, &ParseError{Offset: at + 1, Problem: "an attribute's length is below 2 or past the end"}
		}
	}
	return Packet{b: b}, nil
}

// Code is the packet's kind; it may be one that has no name here.
func (p Packet) Code() Code { return Code(p.b[0]) }

// Identifier matches replies to requests.
func (p Packet) Identifier() byte { return p.b[1] }

// Authenticator is the 16 octets of the Request or Response Authenticator.
func (p Packet) Authenticator() []byte { return p.b[4:HeaderLength:HeaderLength] }

// Bytes is the packet without padding.
func (p Packet) Bytes() []byte { return p.b }

// Attributes yields the attributes in their order; values are views of the
// packet and may be empty.
func (p Packet) Attributes() iter.Seq2[Type, []byte] {
	return func(yield func(Type, []byte) bool) {
		for at := HeaderLength; at < len(p.b); {
			end := at + int(p.b[at+1])
			if !yield(Type(p.b[at]), p.b[at+2:end:end]) {
				return
			}
			at = end
		}
	}
}

// Lookup returns the value of the first attribute of a type and how many of
// that type there are.
func (p Packet) Lookup(t Type) (value []byte, count int) {
	for at := HeaderLength; at < len(p.b); at += int(p.b[at+1]) {
		if Type(p.b[at]) != t {
			continue
		}
		if count == 0 {
			end := at + int(p.b[at+1])
			value = p.b[at+2 : end : end]
		}
		count++
	}
	return value, count
}

// offset returns where the value of the first attribute of a type starts, its
// length, and how many of that type there are.
func (p Packet) offset(t Type) (at, length, count int) {
	for i := HeaderLength; i < len(p.b); i += int(p.b[i+1]) {
		if Type(p.b[i]) != t {
			continue
		}
		if count == 0 {
			at, length = i+2, int(p.b[i+1])-2
		}
		count++
	}
	return at, length, count
}

// Vendor takes a Vendor-Specific value apart into the vendor's number and the
// type of the first attribute inside (RFC 2865 section 5.26). It is not ok
// where the value does not follow that form.
func Vendor(value []byte) (vendor uint32, kind uint8, ok bool) {
	if len(value) < 6 || value[0] != 0 {
		return 0, 0, false
	}
	if l := int(value[5]); l < 2 || 4+l > len(value) {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(value), value[4], true
}
