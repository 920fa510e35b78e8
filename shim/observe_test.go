package shim_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/observe"
	"mfabridge/shim/radius"
)

// unsigned takes Message-Authenticator, which is the first attribute, out of a
// request.
func unsigned(b []byte) []byte {
	out := append(append([]byte(nil), b[:radius.HeaderLength]...), b[radius.HeaderLength+18:]...)
	out[2], out[3] = byte(len(out)>>8), byte(len(out))
	return out
}

// observed makes the client "code" one that is only observed.
func observed(o *shim.Options) {
	o.Config.RADIUS.Clients[0].MessageAuthenticator = config.Observe
}

// Limit Proxy-State (radius.md section 5): neither, Proxy-State only, both.
func TestObserveTakesWhatCannotBeForged(t *testing.T) {
	proxied := func(w *radius.Builder) { w.Add(radius.ProxyState, []byte("p")) }
	eap := func(w *radius.Builder) { w.Add(radius.EAPMessage, []byte{2, 1, 0, 5, 1}) }
	synctest.Test(t, func(t *testing.T) {
		book := observe.New()
		r := newRig(t, observed, func(o *shim.Options) { o.Observed = book })
		defer r.close()
		request := unsigned(r.build(ask{user: "ada", password: "123456", id: 1}))
		r.send(request, ask{}.source())
		want(t, r.checked(r.receive(), request), radius.AccessAccept)

		for _, c := range []struct {
			fill func(*radius.Builder)
			why  string
		}{{proxied, "unsigned_proxy_state"}, {eap, "unsigned_eap"}} {
			r.send(unsigned(r.build(ask{user: "ada", password: "123456", id: 2, fill: c.fill})), ask{}.source())
			synctest.Wait()
			r.silent(c.why)
			if n := r.server.Counters().Dropped[c.why]; n != 1 {
				t.Errorf("%s: %d", c.why, n)
			}
		}
		want(t, r.login(ask{user: "ada", password: "123456", id: 3, fill: proxied}), radius.AccessReject) // judged: the code is used
		wrong := r.build(ask{user: "ada", password: "123456", id: 4})
		wrong[radius.HeaderLength+2] ^= 1
		r.send(wrong, ask{}.source())
		synctest.Wait()
		r.silent("a wrong one")

		got := book.Of("code", time.Now()).Report("code")
		for kind, n := range map[string]uint64{"signed": 1, "unsigned": 1, "unsigned_proxy_state": 1, "unsigned_eap": 1, "wrong": 1} {
			if got.Counts[kind] != n {
				t.Errorf("%s: %d, want %d", kind, got.Counts[kind], n)
			}
		}
		if !strings.Contains(got.Advice(time.Now()), "3 requests without") {
			t.Errorf("advice: %s", got.Advice(time.Now()))
		}
	})
}

func TestStatusServerWithoutMessageAuthenticatorIsNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, observed)
		defer r.close()
		w := radius.NewRequest(nil, radius.StatusServer, 1, [16]byte{1})
		b, err := r.secret.SealRequest(&w)
		if err != nil {
			t.Fatal(err)
		}
		r.send(unsigned(b), ask{}.source())
		synctest.Wait()
		r.silent("Status-Server")
	})
}

func TestOthersAreNotObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, observed)
		defer r.close()
		r.send(unsigned(r.build(ask{from: "127.0.0.2", user: "ada", password: "x"})), ask{from: "127.0.0.2"}.source())
		synctest.Wait()
		r.silent("a client that must send it")
		if n := r.server.Counters().Dropped["no_message_authenticator"]; n != 1 {
			t.Errorf("%d dropped", n)
		}
	})
}
