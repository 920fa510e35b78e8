package shim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// round sends a packet of an EAP conversation and returns the checked reply,
// whose form is not that of our own challenges.
func (r *rig) round(q ask) radius.Packet {
	r.t.Helper()
	request := r.build(q)
	r.send(request, q.source())
	return r.eapReply(r.receive(), request)
}

func (r *rig) eapReply(reply, request []byte) radius.Packet {
	r.t.Helper()
	p, err := radius.Parse(reply)
	if err != nil {
		r.t.Fatal(err)
	}
	q, err := radius.Parse(request)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.secret.VerifyReply(p, q); err != nil {
		r.t.Fatal(err)
	}
	e, there, err := radius.JoinEAP(p)
	code := map[radius.Code]radius.EAPCode{radius.AccessAccept: radius.EAPSuccess, radius.AccessReject: radius.EAPFailure, radius.AccessChallenge: radius.EAPRequest}[p.Code()]
	if _, texts := p.Lookup(radius.ReplyMessage); err != nil || !there || e.Code() != code || texts != 0 {
		r.t.Errorf("%v has EAP %x and %d texts, %v", p.Code(), e, texts, err)
	}
	return p
}

func TestStateOfAHomeServerPassesUnchangedAndIsPinned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := relaying(t)
		defer r.close()
		h.answer = speaking(radius.EAPGTC, "", false)
		state := stateOf(t, r.round(eap("push", 1, nil, identity("push"))))
		if string(state) != "state of push" {
			t.Fatalf("State is %q", state)
		}
		code := radius.EAP{2, 7, 0, 6, 6, 'x'}
		elsewhere := eap("push", 2, state, code)
		elsewhere.from = other
		for name, q := range map[string]ask{"another client": elsewhere, "another user": eap("ada", 3, state, code), "a name that looks alike": eap("PUSH", 6, state, code)} {
			want(t, r.round(q), radius.AccessReject)
			if len(h.relayed) != 1 {
				t.Errorf("%s: a foreign State reached the home server", name)
			}
		}
		byCHAP := chap("push", 7)
		add := byCHAP.fill
		byCHAP.fill = func(w *radius.Builder) { add(w); w.Add(radius.State, state) }
		want(t, r.login(byCHAP), radius.AccessReject)
		q := eap("push", 4, state, code)
		request := r.start(q)
		r.waitingFor(1)
		if got := h.relayed[len(h.relayed)-1].Server; got != "old:1812" {
			t.Errorf("State goes to %q", got)
		}
		r.engine.person("id-push", cloud.Refused, cloud.UserDenied)
		want(t, r.eapReply(r.receive(), request), radius.AccessReject)
		time.Sleep(61 * time.Second)
		want(t, r.round(eap("push", 5, state, code)), radius.AccessReject)
		if got := r.server.Counters().Reasons["state_foreign"]; got != 5 {
			t.Errorf("reasons %v", r.server.Counters().Reasons)
		}
	})
}

// TestBothFactorsAreOfOnePerson: a name from outside a tunnel is nobody's.
func TestBothFactorsAreOfOnePerson(t *testing.T) {
	const ttls = 21
	for name, test := range map[string]struct {
		method  radius.EAPType
		named   string
		trusted bool
		asked   string // empty: identity_hidden
	}{
		"GTC proves the identity":               {radius.EAPGTC, "", false, "push"},
		"GTC, and the server names another":     {radius.EAPGTC, "both", false, "both"},
		"tunnel, nobody named":                  {ttls, "", true, ""},
		"tunnel, named by a server that echoes": {ttls, "push", false, ""},
		"tunnel, named":                         {ttls, "both", true, "both"},
		"certificate, named by who echoes":      {13, "push", false, ""},
		"no method at all":                      {0, "push", false, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, h := relaying(t)
			defer r.close()
			h.answer = speaking(test.method, test.named, test.trusted)
			state := stateOf(t, r.round(eap("push", 1, nil, identity("push"))))
			q := eap("push", 2, state, radius.EAP{2, 7, 0, 6, byte(test.method), 'x'})
			request := r.start(q)
			if test.asked == "" {
				want(t, r.eapReply(r.receive(), request), radius.AccessReject)
				if r.engine.pushes != 0 || r.server.Counters().Reasons["identity_hidden"] != 1 {
					t.Errorf("%s: %d pushes, reasons %v", name, r.engine.pushes, r.server.Counters().Reasons)
				}
				return
			}
			r.waitingFor(1)
			if n := r.engine.pushesOf[cloud.UserID("id-"+test.asked)]; n != 1 {
				t.Errorf("%s: pushes %v", name, r.engine.pushesOf)
			}
			r.engine.person(cloud.UserID("id-"+test.asked), cloud.Approved, "")
			want(t, r.eapReply(r.receive(), request), radius.AccessAccept)
		})
	}
}

// TestPeopleBehindOneNameDoNotJoin: everybody is anonymous outside the tunnel.
func TestPeopleBehindOneNameDoNotJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := relaying(t)
		defer r.close()
		for i, who := range []struct {
			method radius.EAPType
			name   string
		}{{21, "push"}, {21, "both"}, {25, "push"}} { // nor does who proves it in another way
			h.answer = speaking(who.method, who.name, true)
			state := stateOf(t, r.round(eap("anonymous", byte(2*i), nil, identity("anonymous"))))
			r.start(eap("anonymous", byte(2*i+1), state, radius.EAP{2, 7, 0, 6, byte(who.method), 'x'}))
		}
		r.waitingFor(3)
		if r.engine.pushesOf["id-push"] != 2 || r.engine.pushesOf["id-both"] != 1 {
			t.Errorf("pushes %v", r.engine.pushesOf)
		}
		r.engine.person("id-push", cloud.Approved, "")
		for range 2 {
			want(t, mustParse(t, r.receive()), radius.AccessAccept)
		}
		r.waitingFor(1)
		r.engine.person("id-both", cloud.Refused, cloud.UserDenied)
		want(t, mustParse(t, r.receive()), radius.AccessReject)
	})
}

func mustParse(t *testing.T, b []byte) radius.Packet {
	t.Helper()
	p, err := radius.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConversationIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := relaying(t)
		defer r.close()
		once := speaking(21, "", false)
		h.answer = func(q shim.Relayed) (shim.Answer, error) {
			q.Server = ""
			return once(q)
		}
		var state []byte
		for i := range 100 {
			p := r.round(eap("push", byte(i), state, radius.EAP{2, 7, 0, 6, 21, 'x'}))
			if p.Code() == radius.AccessReject {
				if i != 64 || r.server.Counters().Reasons["eap_too_long"] != 1 {
					t.Errorf("ends after %d rounds, reasons %v", i, r.server.Counters().Reasons)
				}
				return
			}
			state = stateOf(t, p)
		}
		t.Error("goes on for ever")
	})
}

// Behind one name outside of a tunnel, at one station, the cache spares only who
// has given a second factor, and with the keys of this conversation.
func TestCacheBehindATunnelIsOfThePersonInside(t *testing.T) {
	const ttls = 21
	synctest.Test(t, func(t *testing.T) {
		r, h := relaying(t)
		defer r.close()
		var id byte
		converse := func(inside string) (request []byte) {
			t.Helper()
			h.engine.set(func() { h.answer = speaking(ttls, inside, true) })
			from := func(q ask) ask { q.from = keeps; id++; q.id = id; return q }
			state := stateOf(t, r.round(from(eap("anonymous", 0, nil, identity("anonymous")))))
			return r.start(from(eap("anonymous", 0, state, radius.EAP{2, 7, 0, 6, ttls, 'x'})))
		}
		asked := func(inside string, person cloud.UserID) {
			t.Helper()
			request := converse(inside)
			r.waitingFor(1)
			r.engine.person(person, cloud.Approved, "")
			want(t, r.eapReply(r.receive(), request), radius.AccessAccept)
			time.Sleep(11 * time.Second)
		}
		asked("push", "id-push")
		request := converse("push")
		p := r.eapReply(r.receive(), request)
		want(t, p, radius.AccessAccept)
		if key, _ := sendKey(t, r, p, request); key != "a key that nobody sees" {
			t.Errorf("key %q", key)
		}
		time.Sleep(11 * time.Second)
		asked("both", "id-both")
		asked("push", "id-push")
		if got := r.server.Counters().Spared["cache"]; got != 1 || r.engine.pushes != 3 {
			t.Errorf("%d spared, %d pushes", got, r.engine.pushes)
		}
	})
}

// EAP ends with EAP-Failure also at a client where nobody relays it: the
// supplicant is told at once that there is nothing to wait for.
func TestEAPWhereItIsNotRelayedEndsWithFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		want(t, r.round(ask{user: "ada", bare: true, fill: func(w *radius.Builder) { w.Add(radius.EAPMessage, identity("ada")) }}), radius.AccessReject)
		if n := r.server.Counters().Reasons["protocol_not_supported"]; n != 1 {
			t.Errorf("reasons %v", r.server.Counters().Reasons)
		}
	})
}
