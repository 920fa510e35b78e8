package shim_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// allowed are clients whose second factor is put aside, and until when.
type allowed map[string]time.Time

func (a allowed) Of(client string) (time.Time, bool) {
	until, ok := a[client]
	return until, ok && time.Now().Before(until)
}

// bypassing is a rig on which the clients "home" and "ask" have a bypass for an
// hour; "ask" has primary none.
func bypassing(t *testing.T) (*rig, *home) {
	h := &home{reply: []byte{25, 7, 's', 't', 'a', 'f', 'f'}}
	until := time.Now().Add(time.Hour)
	r := newRig(t, func(o *shim.Options) {
		o.Bypasses, o.Primaries = allowed{"home": until, "ask": until, "code": until}, map[string]shim.Primary{"old": h}
	})
	h.engine = r.engine
	return r, h
}

const homeClient, fullClient, askClient = "127.0.0.6", "127.0.0.3", "127.0.0.2"

func TestClientBypassSparesTheSecondFactorOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := bypassing(t)
		defer r.close()
		q := ask{from: homeClient, user: "ada", password: "correct horse", station: "laptop"}
		accept := r.login(q)
		want(t, accept, radius.AccessAccept)
		if class, _ := accept.Lookup(25); string(class) != "staff" {
			t.Errorf("Class %q", class)
		}
		// Each login needs a first factor of its own.
		q.id = 1
		want(t, r.login(q), radius.AccessAccept)
		if len(h.proofs) != 2 {
			t.Errorf("%d proofs", len(h.proofs))
		}
		q.password, q.id = "wrong", 2
		want(t, r.login(q), radius.AccessReject)
		// A user of a push gets none, and who has nothing registered gets in.
		want(t, r.login(ask{from: homeClient, user: "push", password: "pw", station: "laptop", id: 3}), radius.AccessAccept)
		if r.engine.pushes != 0 {
			t.Errorf("%d pushes", r.engine.pushes)
		}
		if got := r.server.Counters().Spared["client_bypass"]; got != 3 {
			t.Errorf("%d spared", got)
		}
		log := r.log.String()
		if strings.Count(log, `"by":"client_bypass"`) != 3 || strings.Count(log, `"bypass_until":"`) != 4 {
			t.Errorf("events\n%s", log)
		}
	})
}

// loudEngine asks the person whatever a challenge is begun for.
type loudEngine struct{ *fakeEngine }

func (loudEngine) Loud() bool { return true }

// An engine that would ask the person is not asked whether a user may verify:
// neither for a bypass, nor for a cache, nor for a code in place of a push.
func TestLoudEngineIsAskedForLoginsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &home{}
		r := newRig(t, func(o *shim.Options) {
			o.Bypasses, o.Primaries = allowed{"home": time.Now().Add(time.Hour)}, map[string]shim.Primary{"old": h}
			o.Verifier = loudEngine{fakeOf(o.Verifier)}
		})
		h.engine = r.engine
		defer r.close()
		r.engine.set(func() { r.engine.hook = func(*cloud.Challenge, *cloud.Decision) { t.Error("the engine was asked") } })
		want(t, r.login(ask{from: homeClient, user: "push", password: "pw", station: "laptop"}), radius.AccessAccept)
		want(t, r.login(ask{from: homeClient, user: "push", password: "wrong", station: "laptop", id: 1}), radius.AccessReject)
	})
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t, func(o *shim.Options) { o.Verifier = loudEngine{fakeOf(o.Verifier)} })
		defer r.close()
		for i, from := range []string{keeps, keeps, fall} {
			q := ask{from: from, user: "both", password: "pw", station: "laptop", id: byte(i)}
			request := r.start(q)
			r.waitingFor(1)
			state, code := cloud.Approved, radius.AccessAccept
			if from == fall {
				state, code = cloud.Expired, radius.AccessReject
			}
			r.engine.person("id-both", state, "")
			want(t, r.checked(r.receive(), request), code)
			time.Sleep(11 * time.Second)
		}
		if r.engine.pushes != 3 {
			t.Errorf("%d pushes for three logins", r.engine.pushes)
		}
	})
}

// Who may not verify is not let in by a bypass, nor is anybody by that of
// another client, or of one whose first factor is not checked here.
func TestClientBypassOpensNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := bypassing(t)
		defer r.close()
		want(t, r.login(ask{from: homeClient, user: "gone", password: "pw", station: "laptop"}), radius.AccessReject)
		r.engine.people["push"].refused = cloud.UserBlocked
		want(t, r.login(ask{from: homeClient, user: "push", password: "pw", station: "laptop", id: 1}), radius.AccessReject)
		r.engine.people["push"].refused = cloud.TooManyTries
		want(t, r.login(ask{from: homeClient, user: "push", password: "pw", station: "desk", id: 2}), radius.AccessReject)
		h.alter = func(p *shim.Proof) { p.Subject.Value = "id-nobody" }
		want(t, r.login(ask{from: homeClient, user: "ada", password: "correct horse", station: "laptop", id: 3}), radius.AccessReject)
		h.alter = nil

		want(t, r.login(ask{from: fullClient, user: "ada", password: "correct horse", station: "laptop", id: 4}), radius.AccessChallenge)
		want(t, r.login(ask{from: askClient, user: "ada", password: "anything", station: "laptop", id: 5}), radius.AccessChallenge)
		want(t, r.login(ask{user: "ada", password: "anything", station: "laptop", id: 6}), radius.AccessReject) // "code"
		if got := r.server.Counters(); got.Logins["accept"] != 0 || len(got.Spared) != 0 {
			t.Errorf("counted %+v", got)
		}
	})
}

// The bypass is for who has no second factor that could be asked for, whatever
// the reason; a bypass of the engine's own is one too.
func TestClientBypassOfWhoHasNoMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := bypassing(t)
		defer r.close()
		for i, change := range []func(*person){
			func(p *person) { p.refused = cloud.NoMethod }, func(p *person) { p.refused = cloud.NotAllowed },
			func(p *person) { p.refused, p.bypass = "", true },
		} {
			r.engine.set(func() { change(r.engine.people["push"]) })
			q := ask{from: homeClient, user: "push", password: "pw", station: fmt.Sprint("laptop ", i), id: byte(i)} // each a login of its own
			want(t, r.login(q), radius.AccessAccept)
		}
		if got := r.server.Counters().Spared["client_bypass"]; got != 3 || r.engine.pushes != 0 {
			t.Errorf("%d spared, %d pushes", got, r.engine.pushes)
		}
	})
}

func TestClientBypassEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := bypassing(t)
		defer r.close()
		q := ask{from: homeClient, user: "ada", password: "correct horse", station: "laptop"}
		time.Sleep(time.Hour - time.Second)
		want(t, r.login(q), radius.AccessAccept)
		time.Sleep(time.Second)
		q.id = 1
		want(t, r.login(q), radius.AccessChallenge)
	})
}

// While the engine cannot be reached the first factor decides; an engine that
// answers with any other fault is not passed by.
func TestClientBypassWithTheEngineAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := bypassing(t)
		defer r.close()
		q := ask{from: homeClient, user: "ada", password: "correct horse", station: "laptop"}
		r.engine.err = &cloud.Error{Kind: cloud.Unavailable, Message: "away"}
		want(t, r.login(q), radius.AccessAccept)
		q.password, q.id = "wrong", 1
		want(t, r.login(q), radius.AccessReject)
		hold := make(chan struct{})
		r.engine.err, r.engine.hold = nil, hold // it hangs
		q.user, q.password, q.id = "bob", "battery staple", 2
		want(t, r.login(q), radius.AccessAccept)
		close(hold)
		r.engine.hold, r.engine.err = nil, &cloud.Error{Kind: cloud.Denied, Message: "no"}
		q.user, q.password, q.id = "ada", "correct horse", 3
		r.start(q)
		r.silent("an engine that says no")
		r.engine.err = nil
		h.err = &cloud.Error{Kind: cloud.Unavailable, Message: "away"}
		q.id = 4
		r.start(q)
		r.silent("a first factor that is away")
	})
}
