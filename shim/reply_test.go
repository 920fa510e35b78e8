package shim_test

import (
	"testing"
	"testing/synctest"

	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

func TestRepliesOfRulesComeWithAcceptOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *shim.Options) {
			for i := range o.Config.RADIUS.Clients {
				o.Config.RADIUS.Clients[i].Reply = &config.Reply{Rules: config.ReplyRules{Static: []byte("\x19\x07staff"), Groups: map[string][]byte{"vpn": []byte("\x0b\x05vpn")}}}
			}
		})
		defer r.close()
		class := func(p radius.Packet) string {
			value, _ := p.Lookup(25)
			return string(value)
		}
		p := r.login(ask{user: "ada", password: "123456", id: 1})
		if want(t, p, radius.AccessAccept); class(p) != "staff" {
			t.Errorf("first factor done by the client: Class %q", class(p))
		}
		p = r.login(ask{user: "ada", password: "000000", id: 2})
		if want(t, p, radius.AccessReject); class(p) != "" {
			t.Errorf("Access-Reject has Class %q", class(p))
		}
		first := r.login(ask{from: "127.0.0.3", user: "bob", password: "battery staple", id: 3})
		if state := stateOf(t, first); class(first) != "" {
			t.Error("the challenge tells what only the Accept may")
		} else {
			p = r.login(ask{from: "127.0.0.3", user: "bob", password: "654321", state: state, id: 4})
		}
		filter, _ := p.Lookup(11)
		if class(p) != "staff" || string(filter) != "vpn" {
			t.Errorf("%v after a challenge: Class %q, Filter-Id %q", p.Code(), class(p), filter)
		}
	})
}
