package shim_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// relayHome is a primary that takes all protocols, and answers as a test says.
type relayHome struct {
	*home
	relayed []shim.Relayed
	answer  func(shim.Relayed) (shim.Answer, error)
}

func (h *relayHome) Relay(_ context.Context, r shim.Relayed) (shim.Answer, error) {
	h.engine.mu.Lock()
	defer h.engine.mu.Unlock()
	h.relayed = append(h.relayed, r)
	return h.answer(r)
}

// accepts lets in everybody under the name that the request has, with a key.
func accepts(r shim.Relayed) (shim.Answer, error) {
	return shim.Answer{Server: "old:1812", Proof: shim.Proof{OK: true, Subject: cloud.Key{Kind: cloud.ByName, Value: r.User},
		Reply:  []byte{25, 7, 's', 't', 'a', 'f', 'f'},
		Hidden: []shim.Hidden{{Type: radius.VendorSpecific, Vendor: radius.Microsoft, Kind: radius.MSMPPESendKey, Value: secret.FromString("a key that nobody sees")}}},
		Attributes: []byte{26, 11, 0, 0, 1, 55, 26, 5, 'S', '=', '1'}}, nil
}

// speaking is a home server that speaks one EAP method for a round, then
// accepts, naming somebody or nobody.
func speaking(method radius.EAPType, named string, trusted bool) func(shim.Relayed) (shim.Answer, error) {
	return func(r shim.Relayed) (shim.Answer, error) {
		if r.Server == "" {
			return shim.Answer{Server: "old:1812", Challenge: true, State: []byte("state of " + r.User), Method: method,
				Attributes: radius.AppendEAP(nil, radius.EAP{1, 7, 0, 5, byte(method)})}, nil
		}
		a, err := accepts(r)
		a.Attributes = radius.AppendEAP(nil, radius.EAP{3, r.EAP.Identifier(), 0, 4})
		a.Named, a.TrustsTunnels = named != "", trusted
		if named != "" {
			a.Subject.Value = named
		}
		return a, err
	}
}

// relaying is a rig of held clients whose primary relays.
func relaying(t testing.TB) (*rig, *relayHome) {
	h := &relayHome{home: &home{}, answer: accepts}
	r, _ := holding(t, func(o *shim.Options) { o.Primaries = map[string]shim.Primary{"old": h} })
	h.engine = r.engine
	return r, h
}

func chap(user string, id byte) ask {
	return ask{from: vpn, user: user, station: "laptop", id: id, bare: true, fill: func(w *radius.Builder) { w.Add(radius.CHAPPassword, make([]byte, 17)) }}
}

func vsa(w *radius.Builder, kind uint8, n int) {
	b, _ := radius.AppendVendor(nil, radius.Microsoft, kind, make([]byte, n))
	w.AddEncoded(b)
}

func mschap(user string, id byte) ask {
	return ask{from: vpn, user: user, station: "laptop", id: id, bare: true, fill: func(w *radius.Builder) {
		vsa(w, radius.MSCHAPChallenge, 16)
		vsa(w, radius.MSCHAP2Response, 50)
	}}
}

func eap(user string, id byte, state []byte, packet radius.EAP) ask {
	return ask{from: vpn, user: user, station: "laptop", id: id, bare: true, state: state,
		fill: func(w *radius.Builder) { w.AddEncoded(radius.AppendEAP(nil, packet)) }}
}

func identity(name string) radius.EAP {
	return append(radius.EAP{2, 6, 0, byte(5 + len(name)), 1}, name...)
}

func TestAcceptanceIsHeldUntilThePushIsApproved(t *testing.T) {
	for name, q := range map[string]ask{"chap": chap("push", 1), "mschapv2": mschap("push", 1)} {
		for _, state := range []cloud.State{cloud.Approved, cloud.Refused} {
			synctest.Test(t, func(t *testing.T) {
				r, _ := relaying(t)
				defer r.close()
				request := r.start(q)
				r.waitingFor(1)
				r.send(request, q.source()) // a copy is no second push
				r.waitingFor(1)
				r.engine.person("id-push", state, "")
				p := r.checked(r.receive(), request)
				if r.engine.pushes != 1 {
					t.Errorf("%s: %d pushes", name, r.engine.pushes)
				}
				key, found := sendKey(t, r, p, request)
				if state != cloud.Approved {
					want(t, p, radius.AccessReject)
					if found || bytes.Contains(p.Bytes(), []byte("staff")) || bytes.Contains(p.Bytes(), []byte("S=1")) {
						t.Errorf("%s: a refusal carries what only an acceptance may", name)
					}
					return
				}
				want(t, p, radius.AccessAccept)
				if key != "a key that nobody sees" || !bytes.Contains(p.Bytes(), []byte("staff")) || !bytes.Contains(p.Bytes(), []byte("S=1")) {
					t.Errorf("%s: key %q, attributes %x", name, key, p.Bytes())
				}
				if log := r.log.String(); strings.Contains(log, "nobody sees") || !strings.Contains(log, `"protocol":"`+name+`"`) {
					t.Errorf("%s: the log is %s", name, log)
				}
			})
		}
	}
}

// sendKey reveals MS-MPPE-Send-Key of a reply.
func sendKey(t *testing.T, r *rig, p radius.Packet, request []byte) (key string, found bool) {
	t.Helper()
	for kind, value := range p.Attributes() {
		vendor, inside, ok := radius.VendorAttributes(value)
		if kind != radius.VendorSpecific || !ok || vendor != radius.Microsoft {
			continue
		}
		for kind, value := range inside {
			if kind != radius.MSMPPESendKey {
				continue
			}
			b, err := r.secret.Salted(value, request[4:radius.HeaderLength])
			if err != nil || bytes.Contains(value, b) {
				t.Errorf("the key is not hidden: %x, %v", value, err)
			}
			key, found = string(b), true
		}
	}
	return key, found
}

// TestRelayRefusals: each by name, and nothing of them reaches the home server.
// What comes in over TLS is relayed as well.
func TestProtocolsAreRelayedFromAStream(t *testing.T) {
	h := &relayHome{home: &home{}, answer: accepts}
	r, _ := holding(t, func(o *shim.Options) {
		o.Primaries = map[string]shim.Primary{"old": h}
		for i := range o.Config.RADIUS.Clients {
			if c := &o.Config.RADIUS.Clients[i]; c.Primary == "old" && c.Certificates == nil {
				c.Certificates = []string{c.Name + ".example"}
			}
		}
	})
	defer r.close()
	h.engine = r.engine
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- r.server.ServeStream(ours, []string{"vpn.example"}) }()
	secret := radius.NewSecret([]byte("radsec"))
	w := radius.NewRequest(nil, radius.AccessRequest, 1, [16]byte{1})
	w.Add(radius.UserName, []byte("stranger"))
	w.Add(radius.CHAPPassword, make([]byte, 17))
	request, err := secret.SealRequest(&w)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Write(request); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, radius.MaxLength)
	n, err := theirs.Read(reply)
	if err != nil {
		t.Fatal(err)
	}
	want(t, checkReply(t, secret, reply[:n], request), radius.AccessReject)
	if len(h.relayed) != 1 || !strings.Contains(r.log.String(), "user_unknown") {
		t.Errorf("relayed %d times; %s", len(h.relayed), r.log)
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil && !errors.Is(err, io.ErrClosedPipe) { // which a pipe that the other side has closed may say in place of EOF
		t.Error(err)
	}
}

// What reply rules keep back stays back where a protocol is relayed; but the
// keys that it ends with are no attributes of a person.
func TestReplyRulesHoldForRelayedLogins(t *testing.T) {
	for _, passes := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h := &relayHome{home: &home{}, answer: func(r shim.Relayed) (shim.Answer, error) {
				a, err := accepts(r)
				a.Hidden = append(a.Hidden, shim.Hidden{Type: radius.TunnelPassword, Tag: 1, Value: secret.FromString("of a tunnel")})
				return a, err
			}}
			r, _ := holding(t, func(o *shim.Options) {
				o.Primaries = map[string]shim.Primary{"old": h}
				for i := range o.Config.RADIUS.Clients {
					o.Config.RADIUS.Clients[i].Reply.Rules.PassAll = passes
				}
			})
			defer r.close()
			h.engine = r.engine
			request := r.start(chap("push", 1))
			r.engine.person("id-push", cloud.Approved, "")
			p := r.checked(r.receive(), request)
			want(t, p, radius.AccessAccept)
			_, tunnels := p.Lookup(radius.TunnelPassword)
			_, classes := p.Lookup(25)
			if key, _ := sendKey(t, r, p, request); key == "" || tunnels == 1 != passes || classes == 1 != passes {
				t.Errorf("passing %t: key %q, %d Tunnel-Password, %d Class", passes, key, tunnels, classes)
			}
		})
	}
}

func TestRelayRefusals(t *testing.T) {
	add := func(q ask, more func(*radius.Builder)) ask {
		first := q.fill
		q.fill = func(w *radius.Builder) { first(w); more(w) }
		return q
	}
	bare := ask{from: vpn, user: "push", station: "laptop", bare: true, fill: func(*radius.Builder) {}}
	for _, test := range []struct {
		reason string
		ask    ask
	}{
		{"mschapv1_not_supported", add(bare, func(w *radius.Builder) { vsa(w, radius.MSCHAPChallenge, 8); vsa(w, radius.MSCHAPResponse, 50) })},
		{"password_change_not_supported", add(mschap("push", 1), func(w *radius.Builder) { vsa(w, 27, 68) })},
		{"protocols_mixed", add(mschap("push", 1), func(w *radius.Builder) { w.Add(radius.CHAPPassword, make([]byte, 17)) })},
		{"protocols_mixed", add(chap("push", 1), func(w *radius.Builder) { w.Add(radius.UserPassword, make([]byte, 16)) })},
		{"protocols_mixed", add(chap("push", 1), func(w *radius.Builder) { w.AddEncoded([]byte{79, 2}) })},
		{"attribute_twice", add(chap("push", 1), func(w *radius.Builder) { w.Add(radius.CHAPPassword, make([]byte, 17)) })},
		{"attribute_twice", add(mschap("push", 1), func(w *radius.Builder) { vsa(w, radius.MSCHAP2Response, 50) })},
		{"attribute_twice", add(eap("push", 1, []byte("a"), identity("push")), func(w *radius.Builder) { w.Add(radius.State, []byte("b")) })},
		{"chap_malformed", add(bare, func(w *radius.Builder) { w.Add(radius.CHAPPassword, make([]byte, 16)) })},
		{"chap_malformed", add(bare, func(w *radius.Builder) { vsa(w, radius.MSCHAP2Response, 50) })},
		{"chap_malformed", add(bare, func(w *radius.Builder) { vsa(w, radius.MSCHAPChallenge, 16); vsa(w, radius.MSCHAP2Response, 49) })},
		{"chap_malformed", add(bare, func(w *radius.Builder) { vsa(w, radius.MSCHAPChallenge, 15); vsa(w, radius.MSCHAP2Response, 50) })},
		{"chap_malformed", add(bare, func(w *radius.Builder) {
			vsa(w, radius.MSCHAPChallenge, 15)
			w.Add(radius.VendorSpecific, []byte{0, 0, 1, 55, radius.MSCHAP2Response, 3, 1, 9}) // no attribute to its end
		})},
		{"chap_malformed", add(mschap("push", 1), func(w *radius.Builder) {
			w.Add(radius.VendorSpecific, []byte{0, 0, 1, 55, radius.MSCHAP2Response, 3, 1, 9})
		})},
		{"chap_malformed", add(mschap("push", 1), func(w *radius.Builder) {
			w.Add(radius.VendorSpecific, []byte{0, 0, 1, 55, radius.MSCHAPChallenge, 3, 1, 9})
		})},
		{"attribute_twice", add(mschap("push", 1), func(w *radius.Builder) { vsa(w, radius.MSCHAPChallenge, 16) })},
		{"attribute_twice", add(chap("push", 1), func(w *radius.Builder) {
			w.Add(radius.CHAPChallenge, make([]byte, 16))
			w.Add(radius.CHAPChallenge, make([]byte, 16))
		})},
		{"eap_malformed", add(bare, func(w *radius.Builder) { w.AddEncoded([]byte{79, 6, 2, 1, 0, 9}) })},
		{"eap_malformed", eap("push", 1, nil, radius.EAP{1, 1, 0, 5, 4})}, // a request
		{"eap_malformed", eap("push", 1, nil, radius.EAP{3, 1, 0, 4})},    // a success
		{"identity_differs", eap("push", 1, nil, identity("ada"))},
		{"identity_differs", eap("push", 1, nil, identity("Push"))},
		{"identity_differs", eap("strasse", 1, nil, identity("straße"))},
		{"bad_user_name", chap("nai\u0308ve", 1)}, // not NFC
		{"state_foreign", eap("push", 1, []byte("never given"), identity("push"))},
		{"state_foreign", add(chap("push", 1), func(w *radius.Builder) { w.Add(radius.State, []byte("state of push")) })},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, h := relaying(t)
			defer r.close()
			want(t, r.login(test.ask), radius.AccessReject)
			if got := r.server.Counters().Reasons; got[test.reason] != 1 {
				t.Errorf("reasons %v, want %s", got, test.reason)
			}
			if len(h.relayed)+len(h.proofs) != 0 {
				t.Errorf("%s reached the home server", test.reason)
			}
			if text := shim.Explain(test.reason); text == shim.Explain("no such word") {
				t.Errorf("%s is not explained", test.reason)
			}
		})
	}
}

func TestNameInsideMSCHAPv2IsThatOfTheRequest(t *testing.T) {
	response := func(name string) radius.EAP {
		e := append(radius.EAP{2, 7, 0, 0, 26, 2, 7, 0, 0, 49}, make([]byte, 49)...)
		e = append(e, name...)
		e[3] = byte(len(e))
		return e
	}
	synctest.Test(t, func(t *testing.T) {
		r, h := relaying(t)
		defer r.close()
		h.answer = speaking(radius.EAPMSCHAPv2, "", false)
		state := stateOf(t, r.round(eap("push", 1, nil, identity("push"))))
		want(t, r.round(eap("push", 2, state, response("ada"))), radius.AccessReject)
		want(t, r.round(eap("push", 3, state, radius.EAP{2, 7, 0, 6, 26, 2})), radius.AccessReject)
		if got := r.server.Counters().Reasons; got["identity_differs"] != 1 || got["eap_malformed"] != 1 || len(h.relayed) != 1 {
			t.Errorf("reasons %v, %d relayed", got, len(h.relayed))
		}
		// What is no response names nobody, as the word at the end.
		h.answer = func(shim.Relayed) (shim.Answer, error) {
			return shim.Answer{Server: "old:1812", Challenge: true, State: state, Attributes: radius.AppendEAP(nil, radius.EAP{1, 8, 0, 5, 26})}, nil
		}
		want(t, r.round(eap("push", 5, state, radius.EAP{2, 7, 0, 6, 26, 3})), radius.AccessChallenge)
		want(t, r.round(eap("push", 6, state, radius.EAP{2, 7, 0, 5, 26})), radius.AccessChallenge)
		h.answer = speaking(radius.EAPMSCHAPv2, "", false)
		r.start(eap("push", 4, state, response("push")))
		r.waitingFor(1)
		r.engine.person("id-push", cloud.Refused, cloud.UserDenied)
		r.receive()
	})
}

// TestNothingToType: who has no push is refused, and no text is sent.
func TestNothingToType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := relaying(t)
		defer r.close()
		r.engine.hook = func(c *cloud.Challenge, _ *cloud.Decision) {
			if c != nil && (c.Method == cloud.Push || c.Method == cloud.VoiceMobile) {
				c.State, c.Reason = cloud.Refused, cloud.NoMethod
			}
		}
		want(t, r.login(chap("ada", 1)), radius.AccessReject)
		h.answer = func(shim.Relayed) (shim.Answer, error) {
			return shim.Answer{Server: "old:1812", Challenge: true, State: []byte("x")}, nil
		}
		want(t, r.login(chap("bob", 2)), radius.AccessReject)
		if got := r.server.Counters().Reasons["method_needs_typing"]; got != 2 || !strings.Contains(r.log.String(), "REQUEST_MISSING_CODE") {
			t.Errorf("reasons %v, log %s", r.server.Counters().Reasons, r.log)
		}
	})
}

// A home server that accepts and names nobody has proven nobody, and a login
// that has no room for a code is not asked for one when nobody answers.
func TestRelayedLoginEndsWithItsPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := relaying(t)
		defer r.close()
		q := chap("both", 1)
		q.from = fall
		request := r.start(q)
		r.waitingFor(1)
		r.engine.person("id-both", cloud.Expired, cloud.TimedOut)
		want(t, r.checked(r.receive(), request), radius.AccessReject)

		h.answer = func(q shim.Relayed) (shim.Answer, error) {
			a, err := accepts(q)
			a.Subject = cloud.Key{}
			return a, err
		}
		q.from, q.id = vpn, 2
		r.start(q)
		r.silent("nobody was named")
		if got := r.server.Counters().Reasons["outage"]; got != 1 || r.engine.pushes != 1 {
			t.Errorf("reasons %v, %d pushes", r.server.Counters().Reasons, r.engine.pushes)
		}
	})
}

// Only a wrong proof is remembered: what a home server refuses for another
// reason may be mended at once.
func TestOtherRefusalsAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := relaying(t)
		defer r.close()
		h.answer = func(shim.Relayed) (shim.Answer, error) {
			return shim.Answer{Proof: shim.Proof{Reason: shim.AccountLocked}}, nil
		}
		for i := range 2 {
			want(t, r.login(mschap("push", byte(i))), radius.AccessReject)
		}
		if len(h.relayed) != 2 {
			t.Errorf("%d tries reached the home server", len(h.relayed))
		}
	})
}

func TestRefusedCHAPIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := relaying(t)
		defer r.close()
		h.answer = func(shim.Relayed) (shim.Answer, error) {
			return shim.Answer{Proof: shim.Proof{Reason: cloud.WrongPassword}}, nil
		}
		for i := range 3 {
			q := mschap("push", byte(i))
			want(t, r.login(q), radius.AccessReject)
		}
		if len(h.relayed) != 1 {
			t.Errorf("the same try reached the home server %d times", len(h.relayed))
		}
		want(t, r.login(chap("push", 9)), radius.AccessReject)
		want(t, r.login(chap("push", 10)), radius.AccessReject) // another challenge: the Authenticator
		if len(h.relayed) != 3 {
			t.Errorf("%d tries reached the home server", len(h.relayed))
		}
	})
}
