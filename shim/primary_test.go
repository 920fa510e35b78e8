package shim_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// home is a primary besides the engine, whose people are named there as they
// are here.
type home struct {
	engine *fakeEngine
	proofs []shim.Login
	reply  []byte
	err    error
	alter  func(*shim.Proof)
	gate   chan struct{} // every proof waits for it to be closed
}

// home returns a primary over the engine's own people.
func (e *fakeEngine) home() *home { return &home{engine: e} }

func (h *home) Prove(_ context.Context, l shim.Login) (shim.Proof, error) {
	h.engine.mu.Lock()
	gate := h.gate
	h.engine.mu.Unlock()
	if gate != nil {
		<-gate
	}
	h.engine.mu.Lock()
	defer h.engine.mu.Unlock()
	h.proofs = append(h.proofs, l)
	if h.err != nil {
		return shim.Proof{}, h.err
	}
	p := h.engine.people[l.User]
	if p == nil || p.password != string(l.Password.Reveal()) {
		return shim.Proof{Reason: cloud.WrongPassword}, nil
	}
	proof := shim.Proof{OK: true, Subject: cloud.Key{Kind: cloud.ByID, Value: string(p.id)}, Reply: h.reply}
	if h.alter != nil {
		h.alter(&proof)
	}
	return proof, nil
}

// A first factor that hangs takes no workers from clients that have another.
func TestPrimaryThatHangsLeavesWorkersForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(home)
		r := newRig(t, func(o *shim.Options) {
			o.Primaries, o.Workers, o.Queue = map[string]shim.Primary{"old": h}, 8, 64
		})
		defer r.close()
		h.engine = r.engine
		begun := stateOf(t, r.login(ask{from: homeClient, user: "ada", password: "correct horse", station: "laptop", id: 100}))
		synctest.Wait() // its worker leaves the primary behind its answer
		h.gate = make(chan struct{})
		for n := range 24 {
			r.send(r.build(ask{from: homeClient, user: "ada", password: fmt.Sprint("guess ", n), station: "laptop", id: byte(n)}), ask{from: homeClient}.source())
		}
		synctest.Wait()
		want(t, r.login(ask{from: askClient, user: "ada", password: "x", id: 1}), radius.AccessChallenge)
		if got := r.server.Counters().Dropped["primary_busy"]; got != 18 {
			t.Errorf("%d dropped, want all but three quarters of eight workers", got)
		}
		// Nor does it from who has passed it, and is asked for a code.
		want(t, r.login(ask{from: homeClient, user: "ada", password: "123456", state: begun, station: "laptop", id: 101}), radius.AccessAccept)
		close(h.gate)
		for range 6 {
			r.receive()
		}
		// What was dropped is tried anew.
		want(t, r.login(ask{from: homeClient, user: "ada", password: "correct horse", station: "laptop", id: 23}), radius.AccessChallenge)
	})
}

func (h *home) Ready(context.Context) error {
	h.engine.mu.Lock()
	defer h.engine.mu.Unlock()
	return h.err
}

type proofOf = shim.Proof

// set changes the primary while it is in use.
func (h *home) set(change func()) { h.engine.set(change) }

// withHome is a rig whose client "home" has this primary.
func withHome(t *testing.T) (*rig, *home) {
	h := &home{}
	r := newRig(t, func(o *shim.Options) { o.Primaries = map[string]shim.Primary{"old": h} })
	h.engine = r.engine
	return r, h
}

func TestAttributesOfThePrimaryComeWithTheAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := withHome(t)
		defer r.close()
		h.reply = []byte{25, 7, 's', 't', 'a', 'f', 'f', 11, 5, 'v', 'p', 'n'}
		first := r.login(ask{from: "127.0.0.6", user: "ada", password: "correct horse"})
		state := stateOf(t, first)
		if bytes.Contains(first.Bytes(), []byte("staff")) {
			t.Error("the challenge tells what only the Accept may")
		}
		accept := r.login(ask{from: "127.0.0.6", user: "ada", password: "123456", state: state, id: 1})
		want(t, accept, radius.AccessAccept)
		if !bytes.Contains(accept.Bytes(), h.reply) {
			t.Error("the attributes of the first factor are lost on the way through the challenge")
		}
		for id, kept := range r.engine.contexts {
			if bytes.Contains(kept, []byte("staff")) {
				t.Errorf("challenge %s carries the attributes in the clear", id)
			}
		}
	})
}

// A key that the first factor comes with is hidden under the client's secret,
// and sealed while a code is asked for.
func TestKeysOfThePrimaryComeWithTheAccept(t *testing.T) {
	const tunnel = "the tunnel's own secret"
	keys := func(t *testing.T, r *rig, accept radius.Packet, request []byte) (clear []string) {
		t.Helper()
		want(t, accept, radius.AccessAccept)
		for kind, value := range accept.Attributes() {
			switch kind {
			case radius.TunnelPassword:
				value = value[1:]
			case radius.VendorSpecific:
				value = value[6:]
			default:
				continue
			}
			b, err := r.secret.Salted(value, request[4:radius.HeaderLength])
			if err != nil {
				t.Fatal(err)
			}
			clear = append(clear, string(b))
		}
		return clear
	}
	for _, test := range []struct {
		name, rules string
		want        int
	}{{"all", "all", 2}, {"none", "none", 0}, {"one", "[Vendor-311-16]", 1}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, h := holding(t, func(o *shim.Options) {
					o.Config = configured(t, strings.Replace(heldClients, "secret: file:s, primary: old}", "secret: file:s, primary: old, reply: {pass: "+test.rules+"}}", 1))
				})
				defer r.close()
				h.reply = []byte{25, 7, 's', 't', 'a', 'f', 'f'}
				h.alter = func(p *proofOf) {
					p.Hidden = []shim.Hidden{{Type: radius.TunnelPassword, Tag: 1, Value: secret.FromString(tunnel)},
						{Type: radius.VendorSpecific, Vendor: radius.Microsoft, Kind: radius.MSMPPESendKey, Value: secret.FromString("a key")}}
				}
				state := stateOf(t, r.login(ask{from: vpn, user: "ada", password: "correct horse"}))
				for id, kept := range r.engine.contexts {
					if bytes.Contains(kept, []byte(tunnel)) {
						t.Errorf("challenge %s carries a key in the clear", id)
					}
				}
				q := ask{from: vpn, user: "ada", password: "123456", state: state, id: 1}
				request := r.build(q)
				r.send(request, q.source())
				got := keys(t, r, r.checked(r.receive(), request), request)
				if len(got) != test.want || test.want == 2 && (got[0] != tunnel || got[1] != "a key") || test.want == 1 && got[0] != "a key" {
					t.Errorf("got %q", got)
				}

				request = r.start(pushLogin) // held, and never out of this process
				r.engine.person("id-push", cloud.Approved, "")
				if got := keys(t, r, r.checked(r.receive(), request), request); len(got) != test.want {
					t.Errorf("after a push: %q", got)
				}
			})
		})
	}
}

func TestNobodyElsesAttributesAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := withHome(t)
		defer r.close()
		h.reply = []byte{25, 7, 's', 't', 'a', 'f', 'f'}
		state := stateOf(t, r.login(ask{from: "127.0.0.6", user: "ada", password: "correct horse"}))
		stateOf(t, r.login(ask{from: "127.0.0.6", user: "bob", password: "battery staple", id: 1}))
		r.engine.set(func() {
			c := r.engine.contexts
			c["challenge-1"], c["challenge-2"] = c["challenge-2"], c["challenge-1"]
		})
		r.send(r.build(ask{from: "127.0.0.6", user: "ada", password: "123456", state: state, id: 2}), ask{from: "127.0.0.6"}.source())
		synctest.Wait()
		r.silent("a challenge that carries what was sealed for another user")
	})
}

func TestRefusalCarriesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := withHome(t)
		defer r.close()
		h.reply = []byte{25, 7, 's', 't', 'a', 'f', 'f'}
		state := stateOf(t, r.login(ask{from: "127.0.0.6", user: "ada", password: "correct horse"}))
		reject := r.login(ask{from: "127.0.0.6", user: "ada", password: "000000", state: state, id: 1})
		want(t, reject, radius.AccessReject)
		if bytes.Contains(reject.Bytes(), []byte("staff")) {
			t.Error("a refusal carries the attributes of an acceptance")
		}
	})
}

func TestSecondFactorIsAskedOfWhomThePrimaryProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := withHome(t)
		defer r.close()
		h.alter = func(p *shim.Proof) { p.Subject.Value = "id-bob" }
		state := stateOf(t, r.login(ask{from: "127.0.0.6", user: "ada", password: "correct horse"}))
		want(t, r.login(ask{from: "127.0.0.6", user: "ada", password: "123456", state: state, id: 1}), radius.AccessReject)
		h.alter = func(p *shim.Proof) { p.Subject.Value = "" }
		r.send(r.build(ask{from: "127.0.0.6", user: "ada", password: "correct horse", id: 2, station: "s"}), ask{from: "127.0.0.6"}.source())
		synctest.Wait()
		r.silent("a primary that names nobody")
	})
}

func TestWrongPasswordReachesThePrimaryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := withHome(t)
		defer r.close()
		for i := range 3 {
			want(t, r.login(ask{from: "127.0.0.6", user: "ada", password: "wrong", id: byte(i), station: strings.Repeat("s", i+1)}), radius.AccessReject)
		}
		if len(h.proofs) != 1 {
			t.Errorf("the primary was asked %d times", len(h.proofs))
		}
		want(t, r.login(ask{from: "127.0.0.6", user: "ada", id: 9}), radius.AccessReject)
		if len(h.proofs) != 1 {
			t.Error("an empty password reached the primary")
		}
		time.Sleep(61 * time.Second)
		want(t, r.login(ask{from: "127.0.0.6", user: "ada", password: "wrong", id: 10}), radius.AccessReject)
		if len(h.proofs) != 2 {
			t.Error("a wrong password is remembered for ever")
		}
	})
}

func TestPrimaryAwayIsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := withHome(t)
		defer r.close()
		h.err = &cloud.Error{Kind: cloud.Unavailable, Message: "no server answers"}
		from := ask{from: "127.0.0.6"}.source()
		r.send(r.build(ask{from: "127.0.0.6", user: "ada", password: "correct horse"}), from)
		synctest.Wait()
		r.silent("login without a primary")
		status := radius.NewRequest(nil, radius.StatusServer, 7, [16]byte{1})
		b, err := r.secret.SealRequest(&status)
		if err != nil {
			t.Fatal(err)
		}
		r.send(b, from)
		synctest.Wait()
		r.silent("Status-Server without a primary")
		if got := r.server.Counters().Dropped["primary_away"]; got != 1 {
			t.Errorf("%d drops counted", got)
		}
		if r.engine.calls()[1] != 0 {
			t.Error("a second factor was asked for without a first")
		}
	})
}

// Nobody has to lose a login before Status-Server tells that the primary is
// away, and that another client's primary is there is no news of this one's.
func TestStatusServerKnowsThePrimaryOfItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := withHome(t)
		defer r.close()
		id := byte(100)
		status := func(from string) []byte {
			id++
			w := radius.NewRequest(nil, radius.StatusServer, id, [16]byte{id})
			b, err := r.secret.SealRequest(&w)
			if err != nil {
				t.Fatal(err)
			}
			r.send(b, ask{from: from}.source())
			synctest.Wait()
			return b
		}
		answered := func(from string) {
			t.Helper()
			b := status(from)
			want(t, r.checked(r.receive(), b), radius.AccessAccept)
		}
		away := func(err error) { h.set(func() { h.err = err }) }
		gone := &cloud.Error{Kind: cloud.Unavailable, Message: "the directory does not answer"}

		away(gone)
		status("127.0.0.6")
		r.silent("Status-Server, the primary being away from the start")
		answered("127.0.0.1")
		want(t, r.login(ask{from: "127.0.0.1", user: "ada", password: "123456"}), radius.AccessAccept)
		status("127.0.0.6")
		r.silent("Status-Server, another client having been served")
		away(nil)
		answered("127.0.0.6")
		away(gone)
		r.start(ask{from: "127.0.0.6", user: "ada", password: "correct horse", id: 1})
		answered("127.0.0.1")
		status("127.0.0.6")
		r.silent("Status-Server after a login that was lost")
		away(nil)
		answered("127.0.0.6")
		away(gone)
		time.Sleep(5 * time.Second)
		status("127.0.0.6")
		r.silent("Status-Server after a while without a login")
		if got := r.server.Counters(); got.Dropped["primary_away"] != 4 {
			t.Errorf("dropped %v", got.Dropped)
		}
		away(nil)
		r.engine.set(func() { r.engine.err = gone })
		time.Sleep(5 * time.Second)
		status("127.0.0.1")
		r.silent("Status-Server, the engine having gone while nobody logged in")
	})
}
