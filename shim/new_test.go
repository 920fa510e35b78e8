package shim_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

func TestLongestPrefixFindsTheClient(t *testing.T) {
	c := configuration(t)
	for address, want := range map[string]string{
		"127.0.0.1": "code", "10.200.0.1": "code", "10.1.0.1": "ask", "10.1.2.3": "full", "10.1.2.4": "ask",
		"2001:db8::1": "ask", "2001:db8::7": "full", "::ffff:10.1.2.3": "full", "127.0.0.9": "", "11.0.0.1": "",
		"::1": "", "2001:db9::1": "", "fe80::1%eth0": "", "0.0.0.0": "", "::": "",
	} {
		for range 2 { // in either order of the configuration
			slices.Reverse(c.RADIUS.Clients)
			if got, err := shim.FindClient(c.RADIUS.Clients, netip.MustParseAddr(address)); err != nil || got != want {
				t.Errorf("%s belongs to %q (%v), want %q", address, got, err, want)
			}
		}
	}
	if got, err := shim.FindClient(c.RADIUS.Clients, netip.Addr{}); err != nil || got != "" {
		t.Errorf("no address belongs to %q (%v)", got, err)
	}
}

// New does not rely on the configuration's own check.
func TestNewRefusesWhatLacksAFactor(t *testing.T) {
	for name, change := range map[string]func(*shim.Options){
		"no configuration":        func(o *shim.Options) { o.Config = nil },
		"no verifier":             func(o *shim.Options) { o.Verifier = nil },
		"no passwords":            func(o *shim.Options) { o.Passwords = nil },
		"no cluster key":          func(o *shim.Options) { o.Config.Keys = nil },
		"short key":               func(o *shim.Options) { o.Config.Keys = []secret.Bytes{secret.FromString("short")} },
		"no shared secret":        func(o *shim.Options) { o.Config.RADIUS.Clients[0].SharedSecret = secret.Bytes{} },
		"no primary":              func(o *shim.Options) { o.Config.RADIUS.Clients[0].Primary = "" },
		"primary undone":          func(o *shim.Options) { o.Config.RADIUS.Clients[0].PrimaryDoneByClient = false },
		"unknown primary":         func(o *shim.Options) { o.Config.RADIUS.Clients[0].Primary = "corp" },
		"code as password":        func(o *shim.Options) { o.Config.RADIUS.Clients[2].CodeEntry = config.Only },
		"code behind no password": func(o *shim.Options) { o.Config.RADIUS.Clients[1].CodeEntry = config.Append },
		"code that is not matched": func(o *shim.Options) {
			o.Config.RADIUS.Clients[2].CodeEntry = config.Append
			o.Verifier = struct{ cloud.Verifier }{o.Verifier}
		},
		"no factor for strangers":    func(o *shim.Options) { o.Config.RADIUS.Clients[1].Unmatched = config.PrimaryOnly },
		"no factor for the engine's": func(o *shim.Options) { o.Config.RADIUS.Clients[2].Unmatched = config.PrimaryOnly },
		"cache without a factor":     func(o *shim.Options) { o.Config.RADIUS.Clients[1].Cache.Life = time.Hour },
		"cache without stations": func(o *shim.Options) {
			o.Config.RADIUS.Clients[2].Cache.Life, o.Config.RADIUS.Clients[2].CallingStation = time.Hour, config.Unreliable
		},
		"a factor that is done": func(o *shim.Options) { o.Config.RADIUS.Clients[2].PrimaryDoneByClient = true },
		"no password to check":  func(o *shim.Options) { o.Config.RADIUS.Clients[2].WithoutPassword = true },
		"strangers with codes":  func(o *shim.Options) { o.Config.RADIUS.Clients[0].Unmatched = config.PrimaryOnly },
		"shared certificate": func(o *shim.Options) {
			for i := range 2 {
				o.Config.RADIUS.Clients[i].Certificates = []string{"vpn.example"}
			}
		},
		"no secret for a network": func(o *shim.Options) {
			c := &o.Config.RADIUS.Clients[0]
			c.SharedSecret, c.Certificates = secret.Bytes{}, []string{"vpn.example"}
		},
		"shared network": func(o *shim.Options) { o.Config.RADIUS.Clients[0].Prefixes = o.Config.RADIUS.Clients[1].Prefixes },
	} {
		e := newFakeEngine()
		o := shim.Options{Config: configuration(t), Verifier: e, Passwords: e, Primaries: map[string]shim.Primary{"old": e.home()}}
		change(&o)
		if s, err := shim.New(o); err == nil || s != nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), clientSecret) {
			t.Errorf("%s: error shows a secret", name)
		}
	}
}

// What is only prepared changes nothing yet; what cannot be put in place is
// refused before anything changes.
func TestPrepareChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		q := ask{from: "127.0.2.1", user: "ada", password: "wrong", station: "laptop"}
		next := configured(t, strings.ReplaceAll(heldClients, "127.0.1.1]", "127.0.2.1]"))
		primaries := map[string]shim.Primary{"old": h}
		swap, err := r.server.Prepare(next, primaries)
		if err != nil {
			t.Fatal(err)
		}
		request := r.build(q)
		r.send(request, q.source())
		r.silent("before the swap")
		swap()
		r.send(request, q.source())
		want(t, r.checked(r.receive(), request), radius.AccessReject)
		if _, err := r.server.Prepare(next, nil); err == nil {
			t.Error("a configuration without its primary is prepared")
		}
	})
}
