package shim_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// Legs of one login join the push that is pending, also after the time of an
// equal repeat, and its verdict for ten seconds.
func TestLegsJoinThePendingPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		h.reply = []byte{25, 7, 's', 't', 'a', 'f', 'f'}
		var requests [][]byte
		for i := range 3 {
			q := pushLogin
			q.id, q.from = byte(i), vpn+":"+[]string{"4000", "5000", "6000"}[i] // another socket of the same client
			requests = append(requests, r.start(q))
			if i == 0 {
				h.engine.set(func() { h.reply = []byte{25, 7, 'o', 't', 'h', 'e', 'r'} })
			}
			time.Sleep(18 * time.Second)
		}
		// By now the first two have waited for 54 and 36 seconds.
		want(t, r.checked(r.receive(), requests[0]), radius.AccessReject)
		r.waitingFor(2)
		r.engine.person("id-push", cloud.Approved, "")
		for range 2 {
			b := r.receive()
			p := r.checked(b, requests[b[1]])
			want(t, p, radius.AccessAccept)
			if class, _ := p.Lookup(25); string(class) != "other" {
				t.Errorf("Class %q: a leg has the attributes of another one", class)
			}
		}
		time.Sleep(10 * time.Second)
		late := pushLogin
		late.id = 10
		want(t, r.login(late), radius.AccessAccept)
		if r.engine.pushes != 1 {
			t.Errorf("%d pushes", r.engine.pushes)
		}
		if len(h.proofs) != 4 {
			t.Errorf("%d first factors proven for 4 legs", len(h.proofs))
		}
		time.Sleep(time.Second)
		late.id = 11
		r.start(late)
		r.waitingFor(1)
		if r.engine.pushes != 2 {
			t.Errorf("%d pushes: a verdict of 11 seconds ago still counts", r.engine.pushes)
		}
		r.engine.person("id-push", cloud.Refused, cloud.UserDenied)
		r.receive()
	})
}

// What differs in anything that makes a login another one does not join.
func TestOtherLoginsDoNotJoin(t *testing.T) {
	for name, change := range map[string]func(*ask){
		"another station": func(q *ask) { q.station = "phone" },
		"another client":  func(q *ask) { q.from = other },
		"no station":      func(q *ask) { q.station = "" },
		"another user":    func(q *ask) { q.user = "both" },
	} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := holding(t)
			defer r.close()
			first := r.start(pushLogin)
			q := pushLogin
			q.id = 1
			change(&q)
			second := r.start(q)
			r.waitingFor(2)
			if r.engine.pushes != 2 {
				t.Errorf("%s: %d pushes", name, r.engine.pushes)
			}
			r.engine.set(func() { r.engine.challenges["challenge-2"].ExpiresAt = time.Now() })
			time.Sleep(3 * time.Second)
			want(t, r.checked(r.receive(), second), radius.AccessReject)
			r.engine.person("id-push", cloud.Approved, "")
			want(t, r.checked(r.receive(), first), radius.AccessAccept)
		})
	}
}

// Whoever knows the user's name but not the password gets nothing of the
// user's approval, neither while it is pending nor after it.
// lateBegin is an engine that begins nothing before its gate is open.
type lateBegin struct {
	*fakeEngine
	gate chan struct{}
}

func (e lateBegin) Begin(ctx context.Context, r cloud.Request) (cloud.Challenge, error) {
	<-e.gate
	return e.fakeEngine.Begin(ctx, r)
}

// Two people's names may fold alike, and one who knows the other's password may
// have made it their own: what they approve is theirs alone.
func TestNamesThatFoldAlikeShareNoPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r, _ := holding(t, func(o *shim.Options) { o.Verifier = lateBegin{fakeOf(o.Verifier), gate} })
		defer r.close()
		for _, name := range []string{"strasse", "straße"} {
			r.engine.people[name] = &person{id: cloud.UserID("id-" + name), password: "pw", method: cloud.Push}
		}
		theirs := r.start(ask{from: vpn, user: "strasse", password: "pw", station: "laptop"})
		stolen := r.start(ask{from: vpn, user: "straße", password: "pw", station: "laptop", id: 1})
		gate <- struct{}{} // to who came first
		synctest.Wait()
		close(gate)
		synctest.Wait()
		r.engine.person("id-strasse", cloud.Approved, "")
		synctest.Wait()
		for range 2 {
			reply := r.receive()
			request, code := theirs, radius.AccessAccept
			if reply[1] == 1 {
				request, code = stolen, radius.AccessReject
			}
			want(t, r.checked(reply, request), code)
		}
	})
}

func TestDifferentPasswordNeverJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		first := r.start(pushLogin)
		wrong := pushLogin
		wrong.password, wrong.id = "pw2", 1
		want(t, r.login(wrong), radius.AccessReject)
		r.waitingFor(1)
		r.engine.person("id-push", cloud.Approved, "")
		want(t, r.checked(r.receive(), first), radius.AccessAccept)
		wrong.id = 2
		want(t, r.login(wrong), radius.AccessReject)
		wrong.password, wrong.id = "pw,push", 3
		want(t, r.login(wrong), radius.AccessReject)
		if r.engine.pushes != 1 {
			t.Errorf("%d pushes", r.engine.pushes)
		}
		// Where nobody checks the password it still tells logins apart.
		for i, password := range []string{"a", "b"} {
			r.start(ask{from: nobody, user: "push", password: password, station: "laptop", id: byte(10 + i)})
		}
		r.waitingFor(2)
		if r.engine.pushes != 3 {
			t.Errorf("%d pushes", r.engine.pushes)
		}
		r.engine.person("id-push", cloud.Refused, cloud.UserDenied)
		r.receive()
		r.receive()
	})
}

// Without a station two requests are two logins, unless the configuration says
// that there never is one: then the address that asks stands for it.
func TestJoiningWithoutAStation(t *testing.T) {
	for _, test := range []struct {
		from   string
		pushes int
	}{{vpn, 2}, {rough, 1}} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := holding(t)
			defer r.close()
			for i := range 2 {
				r.start(ask{from: test.from, user: "push", password: "pw", id: byte(i)})
			}
			r.waitingFor(2)
			if r.engine.pushes != test.pushes {
				t.Errorf("%d pushes, want %d", r.engine.pushes, test.pushes)
			}
			r.engine.person("id-push", cloud.Refused, cloud.UserDenied)
			r.receive()
			r.receive()
		})
	}
}
