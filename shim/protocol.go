package shim

import (
	"mfabridge/shim/radius"
)

// Protocol is how a request proves the first factor. The words are those of
// logs.
type Protocol string

// Protocols. All but PAP can be judged by a [Relayer] alone: what travels is
// no password.
const (
	PAP      Protocol = "pap"
	CHAP     Protocol = "chap"
	MSCHAPv2 Protocol = "mschapv2"
	EAP      Protocol = "eap"

	// Bare is a request without any proof, of a client that has proven the
	// first factor itself and sends none.
	Bare Protocol = "without_password"
)

// Lengths in octets of what proves a first factor (RFC 2865 section 5.3, RFC
// 2548 sections 2.1.2 and 2.3.2).
const (
	chapLength      = 17
	mschapChallenge = 16
	mschap2Response = 50
)

// readProtocol finds out what a request proves itself by: by exactly one
// protocol, and that in its form. MS-CHAP's first version and its changes of
// passwords are refused by name: they give the password away.
func readProtocol(p radius.Packet) (Protocol, radius.EAP, reason) {
	found, why := readMSCHAP(p)
	if why != "" {
		return "", nil, why
	}
	eap, there, err := radius.JoinEAP(p)
	chap, chaps := p.Lookup(radius.CHAPPassword)
	_, passwords := p.Lookup(radius.UserPassword)
	_, challenges := p.Lookup(radius.CHAPChallenge)
	protocol, kinds := PAP, 0
	for _, one := range []struct {
		protocol Protocol
		there    bool
	}{{PAP, passwords > 0}, {CHAP, chaps > 0}, {MSCHAPv2, found}, {EAP, there}} {
		if one.there {
			protocol = one.protocol
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return protocol, eap, protocolsMixed
	case err != nil, there && eap.Code() != radius.EAPResponse && eap.Code() != 0:
		return protocol, nil, eapMalformed
	case chaps > 1 || challenges > 1:
		return protocol, nil, attributeTwice
	case protocol == CHAP && len(chap) != chapLength:
		return protocol, nil, chapMalformed
	}
	return protocol, eap, ""
}

// readMSCHAP tells whether a request has an MS-CHAPv2 response.
func readMSCHAP(p radius.Packet) (found bool, why reason) {
	challenges, responses := 0, 0
	malformed := false
	for kind, value := range p.Attributes() {
		if kind != radius.VendorSpecific {
			continue
		}
		vendor, first, known := radius.Vendor(value)
		if !known || vendor != radius.Microsoft {
			continue
		}
		_, inside, ok := radius.VendorAttributes(value)
		if !ok {
			malformed = malformed || first == radius.MSCHAP2Response || first == radius.MSCHAPChallenge
			continue
		}
		for kind, value := range inside {
			switch kind {
			case radius.MSCHAPResponse:
				return false, mschapFirst
			case 3, 4, 5, 6, 27: // CPW-1, CPW-2, LM-Enc-PW, NT-Enc-PW, CHAP2-CPW
				return false, passwordChange
			case radius.MSCHAPChallenge:
				challenges++
				malformed = malformed || len(value) != mschapChallenge
			case radius.MSCHAP2Response:
				responses++
				malformed = malformed || len(value) != mschap2Response
			}
		}
	}
	switch {
	case responses > 1 || challenges > 1:
		return false, attributeTwice
	case malformed, responses != challenges && responses > 0:
		return false, chapMalformed
	}
	return responses == 1, ""
}

// proofOf is what proves the first factor of a CHAP or MS-CHAPv2 request: two
// requests that have the same are the same try.
func (a attempt) proofOf() []string {
	fields := []string{string(a.protocol)}
	for kind, value := range a.packet.Attributes() {
		vendor, _, ok := radius.Vendor(value)
		switch {
		case kind == radius.CHAPPassword, kind == radius.CHAPChallenge,
			kind == radius.VendorSpecific && ok && vendor == radius.Microsoft:
			fields = append(fields, string(value))
		}
	}
	if _, given := a.packet.Lookup(radius.CHAPChallenge); a.protocol == CHAP && given == 0 {
		fields = append(fields, string(a.packet.Authenticator()))
	}
	return fields
}
