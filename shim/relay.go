package shim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
)

// Relayer is an optional interface of a [Primary] that can pass on protocols
// whose proof only a home server can judge: CHAP, MS-CHAPv2 and EAP.
type Relayer interface {
	// Relay passes a request on and returns what came back. A definite no is a
	// Proof that is not OK; errors as those of [Primary].Prove.
	Relay(ctx context.Context, r Relayed) (Answer, error)
}

// Relayed is a request to be passed on.
type Relayed struct {
	Login               // without a password
	Protocol            // not PAP
	EAP      radius.EAP // with protocol EAP

	// Server is the home server that the State of the request is of; empty:
	// the request has none.
	Server string
}

// Answer is a home server's to a [Relayed].
type Answer struct {
	Proof
	Server string // whose it is

	// Challenge is set if the conversation goes on. State then goes to the
	// client unchanged, with Attributes and Timeout.
	Challenge bool
	State     []byte
	Timeout   time.Duration  // 0: none was given
	Method    radius.EAPType // that the home server speaks; 0: none

	// Attributes are, in the form of a packet, what the protocol ends or goes
	// on with: EAP-Message, MS-CHAP2-Success or MS-CHAP-Error. The client gets
	// them whatever its reply rules say.
	Attributes []byte

	// Named tells whether the home server named the person whose proof it
	// took; if not, Subject is the name that the client sent.
	Named bool

	// TrustsTunnels tells whether the operator vouches that the name is that
	// of who has proven it inside a tunnel, not the one outside.
	TrustsTunnels bool
}

// Hidden is an attribute that travels hidden under a shared secret, here in
// the clear.
type Hidden struct {
	Type   radius.Type
	Vendor uint32 // with Type Vendor-Specific
	Kind   uint8  // inside it
	Tag    byte   // of Tunnel-Password
	Value  secret.Bytes
}

// relay judges a request whose first factor only a home server can judge.
func (l *logins) relay(ctx context.Context, a attempt) verdict {
	r := Relayed{Login: a.login(secret.Bytes{}), Protocol: a.protocol, EAP: a.eap}
	var at pin
	if _, states := a.packet.Lookup(radius.State); states > 0 {
		var known bool
		if at, known = l.pins.find(a, l.now()); !known || a.protocol != EAP {
			return deny(stateForeign)
		}
		r.Server = at.server
	}
	if a.protocol == EAP {
		if why := checkIdentity(a); why != "" {
			return deny(why)
		}
	}
	answer, v, err := l.relayOnce(ctx, a, r)
	switch {
	case v.reason != "":
		return v
	case err != nil:
		return fault(a.client, err, userUnknown)
	case answer.Challenge:
		return l.goOn(a, at, answer)
	case !answer.OK:
		cause := v.cause
		v = judge(cloud.Refused, answer.Reason)
		v.ending, v.cause = answer.Attributes, cause
		return v
	}
	return l.relayed(ctx, a, at, answer)
}

// relayOnce passes a request on, unless the same proof has just been refused:
// then v has that reason. No two packets of an EAP conversation are the same
// proof.
func (l *logins) relayOnce(ctx context.Context, a attempt, r Relayed) (answer Answer, v verdict, err error) {
	if a.protocol == EAP {
		answer, err = a.client.relayer.Relay(ctx, r)
		return answer, verdict{}, err
	}
	fields := append([]string{"relay", a.client.Primary, a.user}, a.proofOf()...)
	tried, cause := l.tryOnce(ctx, a.client, l.factor(fields...), func() bool {
		answer, err = a.client.relayer.Relay(ctx, r)
		return err == nil && !answer.OK && !answer.Challenge && answer.Reason == cloud.WrongPassword
	})
	switch {
	case !tried && cause != nil:
		return Answer{}, verdict{}, cause
	case !tried:
		return Answer{}, deny(reason(cloud.WrongPassword)), nil
	}
	return answer, verdict{cause: cause}, err
}

// goOn passes a challenge of the home server on. Only EAP has any: elsewhere
// something would have to be typed.
func (l *logins) goOn(a attempt, at pin, answer Answer) verdict {
	at.rounds++
	switch {
	case a.protocol != EAP:
		return needsTyping(a, errors.New("the RADIUS server asks for more than the first factor"))
	case at.rounds > maxRounds:
		return deny(eapTooLong)
	}
	if answer.Method > radius.EAPNak {
		at.method = answer.Method
	}
	at.server = answer.Server
	l.pins.put(a, answer.State, at, l.now())
	return verdict{code: radius.AccessChallenge, state: answer.State, timeout: answer.Timeout, ending: answer.Attributes, relayed: true}
}

// relayed asks for the second factor of whom a home server has accepted. Its
// acceptance is held meanwhile.
func (l *logins) relayed(ctx context.Context, a attempt, at pin, answer Answer) (v verdict) {
	proof := answer.Proof
	proof.Ending = answer.Attributes
	if proof.Subject.Value == "" {
		return fault(a.client, errors.New("primary accepted and named no user"), userUnknown)
	}
	if a.protocol == EAP && !namesItself(at.method) && !(answer.Named && answer.TrustsTunnels) {
		v = deny(identityHidden)
		v.cause = fmt.Errorf("EAP method %d proves a name that is not seen here; the RADIUS server has to put it into User-Name of its Access-Accept, "+
			"and names_tunnel_user: true has to say that it does", at.method)
		return v
	}
	defer func() { v.person = proof.Name }()
	// Who has proven it names the login, not who stands outside of a tunnel. A
	// leg joins the push of another one by the same way to prove it.
	key := l.keys().name("relay", a.client.Name, string(a.protocol), strconv.Itoa(int(at.method)), string(proof.Subject.Kind), proof.Subject.Value, a.user, a.place)
	if v, spared := l.spare(ctx, a, proof, key); spared {
		return v
	}
	if v, ok := l.bypassed(ctx, a, proof, key); ok {
		return v
	}
	return l.press(ctx, a, proof, key)
}

// press begins a second factor that needs no typing: a push, else a call. No
// text is sent that nobody could type.
func (l *logins) press(ctx context.Context, a attempt, proof Proof, key string) verdict {
	for _, way := range []cloud.Preference{cloud.Push, cloud.VoiceMobile} {
		c, err := l.begin(ctx, proof, cloud.Request{Client: a.asker(), Method: way, Tries: 1, Key: l.keys().name(key, string(way))})
		switch {
		case err != nil:
			return l.unasked(a, proof, err)
		case c.State == cloud.Refused && c.Reason == cloud.NoMethod:
			continue
		case c.State == cloud.Pending && !waits(c.Method):
			return needsTyping(a, nil)
		}
		v, final := l.begun(ctx, a, proof, c)
		if !final {
			return needsTyping(a, nil)
		}
		return v
	}
	return needsTyping(a, nil)
}

// needsTyping refuses a login that would need something typed.
func needsTyping(a attempt, cause error) verdict {
	v := deny(methodNeedsTyping)
	if v.cause = cause; cause == nil {
		v.cause = fmt.Errorf("%s has no room for a typed code: push and calls work with it, codes need pap", a.protocol)
	}
	return v
}

// namesItself tells whether an EAP method proves the very name that its
// EAP-Response/Identity gave. All others may prove another one: inside a
// tunnel, or by a certificate.
func namesItself(method radius.EAPType) bool {
	return method == radius.EAPMD5 || method == radius.EAPGTC || method == radius.EAPMSCHAPv2
}

// checkIdentity refuses an EAP packet that names another person than the
// request's User-Name, which the second factor may be asked of (RFC 3579
// section 2.1 has them equal). Not even case may differ: names that fold alike
// may be two people's.
func checkIdentity(a attempt) reason {
	var name []byte
	switch a.eap.Type() {
	case radius.EAPIdentity:
		// Behind a NUL stand options (RFC 3748 section 5.1).
		name, _, _ = bytes.Cut(a.eap.Data(), []byte{0})
	case radius.EAPMSCHAPv2:
		d := a.eap.Data()
		if len(d) == 0 || d[0] != 2 { // Response
			return ""
		}
		const fixed = 4 + 1 + 49 // head, Value-Size, Value
		if len(d) < fixed {
			return eapMalformed
		}
		name = d[fixed:]
	default:
		return ""
	}
	if string(name) != a.user {
		return identityDiffers
	}
	return ""
}

// conclude gives a refusal the form that its protocol asks for: EAP ends with
// EAP-Failure, and without Reply-Message (RFC 3579 sections 2.6.3 and 2.6.5).
func (v *verdict) conclude(a attempt) {
	if a.protocol != EAP {
		return
	}
	v.message = ""
	if v.code == radius.AccessReject && len(v.ending) == 0 {
		v.ending = radius.AppendEAP(nil, a.eap.FailureTo())
	}
}

// addHidden hides attributes under the client's secret and this request's
// authenticator, each with a salt of its own.
func addHidden(w *radius.Builder, s *radius.Secret, request radius.Packet, hidden []Hidden, salt uint16) error {
	for i, h := range hidden {
		value, err := s.AppendSalted(nil, h.Value.Reveal(), request.Authenticator(), salt+uint16(i))
		if err != nil {
			return err
		}
		var encoded []byte
		if h.Type == radius.VendorSpecific {
			encoded, err = radius.AppendVendor(nil, h.Vendor, h.Kind, value)
		} else {
			encoded, err = radius.AppendAttribute(nil, h.Type, append([]byte{h.Tag}, value...))
		}
		if err != nil {
			return err
		}
		w.AddEncoded(encoded)
	}
	return nil
}
