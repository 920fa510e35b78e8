package shim_test

import (
	"bytes"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// FuzzRequest sends requests whose Message-Authenticator is right and whose
// attributes are anything: what a client that has gone mad can do. Each is
// answered by the rules or not at all, and nobody gets in without a code.
func FuzzRequest(f *testing.F) {
	r := newRig(f, func(o *shim.Options) { o.Log = nil })
	f.Cleanup(r.close)
	login := r.build(ask{user: "ada", password: "000000", station: "laptop", state: []byte("state")})
	f.Add([]byte{127, 0, 0, 1}, login[radius.HeaderLength+18:])
	f.Add([]byte{127, 0, 0, 2}, login[radius.HeaderLength+18:])
	f.Add([]byte{127, 0, 0, 3}, []byte{1, 5, 'a', 'd', 'a', 2, 2, 26, 8, 0, 0, 1, 0x37, 25, 2})
	f.Add([]byte{127, 0, 0, 5}, []byte{33, 2, 33, 3, 1, 79, 4, 2, 1})
	f.Fuzz(func(t *testing.T, from, attributes []byte) {
		if len(attributes) > radius.MaxLength-500 {
			return // a reply with all its Proxy-State would be too long
		}
		r.t = t
		r.engine.set(func() { // it remembers all that it was asked
			r.engine.subjects, r.engine.asked, r.engine.keys = nil, nil, nil
			clear(r.engine.challenges)
			clear(r.engine.owners)
			clear(r.engine.begun)
			clear(r.engine.answers)
		})
		request := r.build(ask{bare: true, fill: func(w *radius.Builder) {
			for len(attributes) > 1 {
				n := min(max(int(attributes[1]), 2), len(attributes))
				if kind := radius.Type(attributes[0]); kind != radius.MessageAuthenticator {
					w.Add(kind, attributes[2:n])
				}
				attributes = attributes[n:]
			}
		}})
		sender := ask{from: "127.0.0.1"}
		if len(from) == 4 && from[3] >= 1 && from[3] <= 5 {
			sender.from = []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"}[from[3]-1]
		}
		r.send(request, sender.source())
		select {
		case d := <-r.conn.out:
			if r.checked(d.b, request).Code() == radius.AccessAccept {
				t.Error("accepted")
			}
		case <-time.After(time.Minute):
			t.Error("no answer")
		}
		if n := r.server.Counters().Panics; n > 0 {
			t.Errorf("%d faults", n)
		}
	})
}

// FuzzRelay sends requests of any protocol to a client whose primary relays and
// accepts everything: nobody gets in without a push, and nothing that is not
// whole reaches the home server.
func FuzzRelay(f *testing.F) {
	r, h := relaying(f)
	f.Cleanup(r.close)
	r.engine.hook = func(c *cloud.Challenge, _ *cloud.Decision) {
		if c != nil {
			c.State, c.Reason = cloud.Refused, cloud.UserDenied
		}
	}
	f.Add([]byte{1, 6, 'p', 'u', 's', 'h', 79, 11, 2, 1, 0, 9, 1, 'p', 'u', 's', 'h'})
	f.Add([]byte{1, 6, 'p', 'u', 's', 'h', 79, 8, 2, 1, 0, 6, 26, 2, 24, 3, 'x'})
	f.Add(append([]byte{1, 6, 'p', 'u', 's', 'h', 3, 19}, make([]byte, 17)...))
	f.Add(append([]byte{1, 6, 'p', 'u', 's', 'h', 26, 58, 0, 0, 1, 55, 25, 52}, make([]byte, 50)...))
	f.Fuzz(func(t *testing.T, attributes []byte) {
		if len(attributes) > radius.MaxLength-500 {
			return
		}
		r.t = t
		h.set(func() { h.relayed, h.proofs = nil, nil })
		request := r.build(ask{bare: true, fill: func(w *radius.Builder) {
			for len(attributes) > 1 {
				n := min(max(int(attributes[1]), 2), len(attributes))
				if kind := radius.Type(attributes[0]); kind != radius.MessageAuthenticator {
					w.Add(kind, attributes[2:n])
				}
				attributes = attributes[n:]
			}
		}})
		r.send(request, ask{from: vpn}.source())
		select {
		case d := <-r.conn.out:
			if radius.Code(d.b[0]) != radius.AccessReject {
				t.Errorf("answered by %v", radius.Code(d.b[0]))
			}
		case <-time.After(time.Minute):
			t.Error("no answer")
		}
		h.set(func() {
			for _, q := range h.relayed {
				if q.Protocol == shim.EAP && q.EAP.Code() != radius.EAPResponse && len(q.EAP) > 0 || q.Server != "" {
					t.Errorf("the home server gets %+v", q)
				}
			}
		})
		if n := r.server.Counters().Panics; n > 0 {
			t.Errorf("%d faults", n)
		}
	})
}

// FuzzKept: what a challenge carries comes out as it went in, or not at all.
func FuzzKept(f *testing.F) {
	f.Add([]byte{25, 7, 's', 't', 'a', 'f', 'f'})
	f.Add([]byte{0, 0, 3, 25, 3, 'x', 69, 0, 0, 0, 0, 0, 1, 2, 'a', 'b'})
	f.Add([]byte{0, 255, 255})
	f.Fuzz(func(t *testing.T, plain []byte) {
		p, err := shim.Unpack(bytes.Clone(plain))
		if err != nil || len(p.Hidden) == 0 {
			return
		}
		if again := shim.Pack(p); !bytes.Equal(again, plain) {
			t.Errorf("%x became %x", plain, again)
		}
	})
}
