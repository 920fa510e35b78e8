package radius

import (
	"encoding/binary"
	"errors"
)

// EAPCode is the kind of an EAP packet (RFC 3748 section 4).
type EAPCode uint8

// Codes of RFC 3748.
const (
	EAPRequest  EAPCode = 1
	EAPResponse EAPCode = 2
	EAPSuccess  EAPCode = 3
	EAPFailure  EAPCode = 4
)

// EAPType is the method that an EAP request or response belongs to.
type EAPType uint8

// Types of RFC 3748, and the method of draft-kamath-pppext-eap-mschapv2.
const (
	EAPIdentity EAPType = 1
	EAPNak      EAPType = 3
	EAPMD5      EAPType = 4
	EAPGTC      EAPType = 6
	EAPMSCHAPv2 EAPType = 26
)

// EAP is a well-formed EAP packet; the empty one is EAP-Start (RFC 3579
// section 2.1). Only [JoinEAP] makes one.
type EAP []byte

var (
	errEAPApart  = errors.New("EAP-Message attributes do not follow each other")
	errEAPLength = errors.New("EAP packet does not have the length that it says")
	errEAPCode   = errors.New("EAP packet has a code that is not known, or no type")
)

// JoinEAP joins the EAP-Message attributes of a packet, in their order. They
// must follow each other and be one EAP packet (RFC 3579 section 3.1). It is
// not there if the packet has none.
func JoinEAP(p Packet) (eap EAP, there bool, err error) {
	var whole []byte
	ended := false
	for kind, value := range p.Attributes() {
		switch {
		case kind != EAPMessage:
			ended = there
		case ended:
			return nil, true, errEAPApart
		default:
			there = true
			whole = append(whole, value...)
		}
	}
	if !there {
		return nil, false, nil
	}
	if eap, err = parseEAP(whole); err != nil {
		return nil, true, err
	}
	return eap, true, nil
}

// parseEAP checks code, length and type of an EAP packet. No octets at all are
// EAP-Start.
func parseEAP(b []byte) (EAP, error) {
	if len(b) == 0 {
		return EAP{}, nil
	}
	if len(b) < 4 || int(binary.BigEndian.Uint16(b[2:4])) != len(b) {
		return nil, errEAPLength
	}
	switch code := EAPCode(b[0]); {
	case (code == EAPRequest || code == EAPResponse) && len(b) >= 5:
	case (code == EAPSuccess || code == EAPFailure) && len(b) == 4:
	default:
		return nil, errEAPCode
	}
	return EAP(b), nil
}

// Code is the kind of the packet; 0 of EAP-Start.
func (e EAP) Code() EAPCode {
	if len(e) == 0 {
		return 0
	}
	return EAPCode(e[0])
}

// Identifier matches responses to requests; 0 of EAP-Start.
func (e EAP) Identifier() byte {
	if len(e) == 0 {
		return 0
	}
	return e[1]
}

// Type is the method of a request or response; 0 of anything else.
func (e EAP) Type() EAPType {
	if len(e) < 5 {
		return 0
	}
	return EAPType(e[4])
}

// Data is what stands behind the type.
func (e EAP) Data() []byte {
	if len(e) < 5 {
		return nil
	}
	return e[5:]
}

// AppendEAP appends an EAP packet as EAP-Message attributes of at most 253
// octets each; EAP-Start is an empty one.
func AppendEAP(b []byte, e EAP) []byte {
	for rest := []byte(e); ; {
		n := min(len(rest), MaxValue)
		b = append(b, byte(EAPMessage), byte(n+2))
		b = append(b, rest[:n]...)
		if rest = rest[n:]; len(rest) == 0 {
			return b
		}
	}
}

// FailureTo is the EAP-Failure that ends the conversation which e is a packet
// of.
func (e EAP) FailureTo() EAP { return EAP{byte(EAPFailure), e.Identifier(), 0, 4} }
