package primary

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// maxTimeout bounds what a home server says of how long a round may take.
const maxTimeout = 10 * time.Minute

// Relay implements [shim.Relayer]. What proves the first factor goes along
// unchanged, but that the challenge of CHAP, where it is the client's
// Authenticator, becomes an attribute: the Authenticator is made anew. State
// goes back to the server that gave it and to no other.
func (p RADIUS) Relay(ctx context.Context, r shim.Relayed) (shim.Answer, error) {
	reply, err := p.Client.Exchange(ctx, upstream.Request{Server: r.Server, Attributes: forward(r)})
	switch {
	case err != nil && r.Protocol == shim.EAP && len(r.EAP) == 0 && upstream.Unsigned(err):
		return shim.Answer{}, unsignedStart(err)
	case err != nil:
		return shim.Answer{}, err
	}
	answer := shim.Answer{Server: reply.Server, TrustsTunnels: p.NamesTunnelUser}
	if err := answerEAP(r, reply, &answer); err != nil {
		return shim.Answer{}, err
	}
	switch reply.Packet.Code() {
	case radius.AccessAccept:
		if answer.Proof, err = accepted(r.Login, reply.Packet); err != nil {
			return shim.Answer{}, err
		}
		_, names := reply.Packet.Lookup(radius.UserName)
		answer.Named = names == 1
		if answer.Hidden, err = revealed(reply); err != nil {
			return shim.Answer{}, err
		}
		return answer, microsoftEnding(reply.Packet, radius.MSCHAP2Success, &answer)
	case radius.AccessChallenge:
		return answer, challenged(reply, &answer)
	}
	answer.Proof = shim.Proof{Reason: cloud.WrongPassword}
	return answer, microsoftEnding(reply.Packet, radius.MSCHAPError, &answer)
}

// forward is what a home server gets of a request.
func forward(r shim.Relayed) []upstream.Attribute {
	var out []upstream.Attribute
	challenged := false
	for t, value := range r.Request.Attributes() {
		switch {
		case t == radius.CHAPChallenge && r.Protocol == shim.CHAP:
			challenged = true
		case t == radius.CHAPPassword && r.Protocol == shim.CHAP,
			t == radius.EAPMessage && r.Protocol == shim.EAP,
			t == radius.State && r.Server != "",
			t == radius.VendorSpecific && r.Protocol == shim.MSCHAPv2 && proves(value),
			!stays(t, value):
		default:
			continue
		}
		out = append(out, upstream.Attribute{Type: t, Value: value})
	}
	if r.Protocol == shim.CHAP && !challenged {
		out = append(out, upstream.Attribute{Type: radius.CHAPChallenge, Value: r.Request.Authenticator()})
	}
	return out
}

// proves tells whether a Vendor-Specific value has nothing but what MS-CHAPv2
// needs.
func proves(value []byte) bool {
	vendor, inside, ok := radius.VendorAttributes(value)
	if !ok || vendor != radius.Microsoft {
		return false
	}
	for kind := range inside {
		if kind != radius.MSCHAPChallenge && kind != radius.MSCHAP2Response {
			return false
		}
	}
	return true
}

// odd is the error about an answer that does not fit its request.
func odd(reply upstream.Reply, why string) error {
	return &cloud.Error{Kind: cloud.Unsupported, Message: fmt.Sprintf("the RADIUS server %s %s", reply.Server, why)}
}

// answerEAP checks the EAP packet of an answer: its code is that of the answer
// around it (RFC 3579 section 2.6.3), so that a client never hears of a
// success that is none.
func answerEAP(r shim.Relayed, reply upstream.Reply, answer *shim.Answer) error {
	eap, there, err := radius.JoinEAP(reply.Packet)
	code := reply.Packet.Code()
	switch want := map[radius.Code]radius.EAPCode{radius.AccessAccept: radius.EAPSuccess, radius.AccessChallenge: radius.EAPRequest,
		radius.AccessReject: radius.EAPFailure}[code]; {
	case err != nil:
		return odd(reply, "answers by EAP that is malformed")
	case r.Protocol != shim.EAP && !there, r.Protocol == shim.EAP && !there && code == radius.AccessReject:
		return nil
	case r.Protocol != shim.EAP || !there || eap.Code() != want || !reply.Signed:
		return odd(reply, "answers by EAP that does not fit")
	}
	answer.Method = eap.Type()
	answer.Attributes = radius.AppendEAP(nil, eap)
	return nil
}

// unsignedStart is the outage of a server that answers EAP-Start alone without
// Message-Authenticator, as FreeRADIUS 3.2.1: to all that comes behind it, it
// answers with one.
func unsignedStart(err error) error {
	return &cloud.Error{Kind: cloud.Unavailable, Err: err, Message: "the RADIUS server answers EAP-Start without Message-Authenticator: " +
		"have the client ask for the name itself, so that it begins with EAP-Response/Identity, or update the server"}
}

// challenged reads an Access-Challenge.
func challenged(reply upstream.Reply, answer *shim.Answer) error {
	state, states := reply.Packet.Lookup(radius.State)
	if states != 1 || len(state) == 0 {
		return odd(reply, "goes on without one State")
	}
	answer.Challenge, answer.State = true, state
	if value, n := reply.Packet.Lookup(radius.SessionTimeout); n == 1 && len(value) == 4 {
		answer.Timeout = min(time.Duration(binary.BigEndian.Uint32(value))*time.Second, maxTimeout)
	}
	return nil
}

// revealed takes out of an Access-Accept what is hidden under this server's
// secret, to be hidden anew: keys and Tunnel-Password.
func revealed(reply upstream.Reply) (out []shim.Hidden, err error) {
	clear := reply.Secret()
	key := radius.NewSecret(clear.Reveal())
	authenticator := reply.Authenticator()
	take := func(h shim.Hidden, value []byte) error {
		b, err := key.Salted(value, authenticator[:])
		if err != nil {
			return odd(reply, "sends a key that cannot be revealed")
		}
		h.Value = secret.New(b)
		out = append(out, h)
		return nil
	}
	for t, value := range reply.Packet.Attributes() {
		var err error
		vendor, inside, ok := radius.VendorAttributes(value)
		switch {
		case t == radius.TunnelPassword && len(value) > 0:
			err = take(shim.Hidden{Type: t, Tag: value[0]}, value[1:])
		case t != radius.VendorSpecific || !ok || vendor != radius.Microsoft:
		default:
			for kind, value := range inside {
				if err == nil && (kind == radius.MSMPPESendKey || kind == radius.MSMPPERecvKey) {
					err = take(shim.Hidden{Type: t, Vendor: vendor, Kind: kind}, value)
				}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// microsoftEnding passes what MS-CHAPv2 ends with: the server's own proof, or
// why it says no.
func microsoftEnding(p radius.Packet, ending uint8, answer *shim.Answer) error {
	for t, value := range p.Attributes() {
		vendor, inside, ok := radius.VendorAttributes(value)
		if t != radius.VendorSpecific || !ok || vendor != radius.Microsoft {
			continue
		}
		for kind, value := range inside {
			if kind != ending {
				continue
			}
			var err error
			if answer.Attributes, err = radius.AppendVendor(answer.Attributes, vendor, kind, value); err != nil {
				return err
			}
		}
	}
	return nil
}
