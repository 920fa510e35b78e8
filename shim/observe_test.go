package shim_test

import (
	"errors"
	"io"
	"net"
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

// Over TLS a request may come without Message-Authenticator, but for those that
// never may: with EAP, and Status-Server.
func TestUnsignedRequestsOverAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t, func(o *shim.Options) {
			for i := range o.Config.RADIUS.Clients {
				if c := &o.Config.RADIUS.Clients[i]; c.Name == "none" {
					c.Certificates = []string{"none.example"}
				}
			}
		})
		defer r.close()
		ours, theirs := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- r.server.ServeStream(ours, []string{"none.example"}) }()
		secret := radius.NewSecret([]byte("radsec"))
		sends := func(code radius.Code, id byte, fill func(*radius.Builder)) (request []byte) {
			w := radius.NewRequest(nil, code, id, [16]byte{id + 1})
			fill(&w)
			b, err := secret.SealRequest(&w)
			if err != nil {
				t.Fatal(err)
			}
			b = unsigned(b)
			if _, err := theirs.Write(b); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return b
		}
		login := func(w *radius.Builder) {
			w.Add(radius.UserName, []byte("ada"))
			w.AddPassword(secret, []byte("x"))
		}
		sends(radius.StatusServer, 1, func(*radius.Builder) {})
		sends(radius.AccessRequest, 2, func(w *radius.Builder) {
			w.Add(radius.UserName, []byte("ada"))
			w.AddEncoded(radius.AppendEAP(nil, identity("ada")))
		})
		if got := r.server.Counters().Dropped; got["no_message_authenticator"] != 1 || got["unsigned_eap"] != 1 || r.engine.calls() != [3]int{} {
			t.Errorf("dropped %v, calls %v", got, r.engine.calls())
		}
		for id, fill := range map[byte]func(*radius.Builder){3: login, 4: func(w *radius.Builder) { login(w); w.Add(radius.ProxyState, []byte("x")) }} {
			request := sends(radius.AccessRequest, id, fill)
			reply := make([]byte, radius.MaxLength)
			n, err := theirs.Read(reply)
			if err != nil {
				t.Fatal(err)
			}
			want(t, checkReply(t, secret, reply[:n], request), radius.AccessChallenge)
		}
		if err := theirs.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-served; err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	})
}
