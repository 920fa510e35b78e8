// Package primary checks first factors for the shim where neither the client
// nor the engine has done so: by asking RADIUS servers that did it before the
// old server stood in between ([RADIUS]), or the customer's directory ([LDAP]).
//
//	p := primary.RADIUS{Client: upstreamClient}
//	server, err := shim.New(shim.Options{Primaries: map[string]shim.Primary{"old": p}, …})
//
// Each of its types is a [shim.Primary]. A definite no is never asked for
// again elsewhere; only who answers nothing is passed over.
package primary

import (
	"context"
	"fmt"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// RADIUS asks home servers. The password travels as User-Password; what else
// the client sent goes along, except what belongs to the way between two hosts.
type RADIUS struct {
	Client *upstream.Client

	// NamesTunnelUser says that the servers put the name of who has proven it
	// inside a tunnel, or by a certificate, into User-Name of Access-Accept.
	// Many put the name from outside there, which nobody has proven.
	NamesTunnelUser bool
}

// stays are attributes that are not passed on, in either direction.
func stays(t radius.Type, value []byte) bool {
	switch t {
	case radius.UserPassword, radius.CHAPPassword, radius.CHAPChallenge, radius.State, radius.EAPMessage,
		radius.MessageAuthenticator, radius.ProxyState, radius.ReplyMessage, radius.SessionTimeout, radius.TunnelPassword:
		return true
	case radius.VendorSpecific:
		vendor, first, ok := radius.Vendor(value)
		if !ok || vendor != radius.Microsoft {
			return !ok
		}
		_, inside, ok := radius.VendorAttributes(value)
		if !ok || hidden(first) {
			return true
		}
		for kind := range inside {
			if hidden(kind) {
				return true
			}
		}
	}
	return false
}

// hidden tells whether a Microsoft attribute is made for one hop and one
// exchange: MS-CHAP's answers and keys (RFC 2548 sections 2.1 to 2.4).
func hidden(kind uint8) bool {
	switch kind {
	case 1, 2, 3, 4, 5, 6, 11, 12, 16, 17, 25, 26, 27:
		return true
	}
	return false
}

// Prove implements [shim.Primary]. The person is the one whom the home server
// names in its answer, else the one whose name was typed. A challenge is no
// proof: a home server that asks for more is not a first factor.
func (p RADIUS) Prove(ctx context.Context, l shim.Login) (shim.Proof, error) {
	request := upstream.Request{Password: l.Password}
	request.Attributes = append(request.Attributes, upstream.Attribute{Type: radius.UserName, Value: []byte(l.User)})
	for t, value := range l.Request.Attributes() {
		if t != radius.UserName && !stays(t, value) {
			request.Attributes = append(request.Attributes, upstream.Attribute{Type: t, Value: value})
		}
	}
	reply, err := p.Client.Exchange(ctx, request)
	if err != nil {
		return shim.Proof{}, err
	}
	switch reply.Packet.Code() {
	case radius.AccessAccept:
		proof, err := accepted(l, reply.Packet)
		if err == nil {
			proof.Hidden, err = revealed(reply)
		}
		return proof, err
	case radius.AccessReject:
		return shim.Proof{Reason: cloud.WrongPassword}, nil
	}
	return shim.Proof{}, &cloud.Error{Kind: cloud.Unsupported,
		Message: fmt.Sprintf("the RADIUS server %s asks for more than a password", reply.Server)}
}

func accepted(l shim.Login, reply radius.Packet) (shim.Proof, error) {
	proof := shim.Proof{OK: true, Subject: cloud.Key{Kind: cloud.ByName, Value: l.User}}
	names := 0
	for t, value := range reply.Attributes() {
		if t == radius.UserName {
			names++
			proof.Subject.Value = string(value)
		}
		if stays(t, value) && t != radius.SessionTimeout { // which bounds the session there
			continue
		}
		var err error
		if proof.Reply, err = radius.AppendAttribute(proof.Reply, t, value); err != nil {
			return shim.Proof{}, err
		}
	}
	if names > 1 || proof.Subject.Value == "" {
		return shim.Proof{}, &cloud.Error{Kind: cloud.Conflict, Message: "the RADIUS server does not say whom it accepts"}
	}
	proof.Name = proof.Subject.Value
	return proof, nil
}

// Ready implements [shim.Primary].
func (p RADIUS) Ready(ctx context.Context) error { return p.Client.Ready(ctx) }
