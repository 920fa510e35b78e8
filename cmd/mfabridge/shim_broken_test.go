package main

import (
	"os"
	"strings"
	"testing"

	"mfabridge/shim/config"
)

// At night the configuration may be broken: what became of logins is told all
// the same, and a bypass can be ended.
func TestBrokenConfigurationKeepsNobodyFromLooking(t *testing.T) {
	s := moved(t)
	s.write(t, "vpn.secret", sharedSecret)
	path := s.write(t, "shim.yaml", strings.Replace(radclientYAML, "primary: none, primary_done_by_client: true", "primary: engine", 1))
	must(t, exitDone, "shim", "bypass", "--config", path, "--client", "vpn", "--for", "1h", "--reason", "ticket 4712")
	if err := os.Remove(s.path("vpn.secret")); err != nil {
		t.Fatal(err)
	}
	must(t, exitFailed, "shim", "check", "--config", path)
	if r := must(t, exitFailed, "shim", "why", "--config", path, "ada"); !strings.Contains(r.err, "no event of ada is known") {
		t.Errorf("why says\n%s", r.err)
	}
	if r := must(t, exitDone, "shim", "bypass", "--config", path, "--client", "VPN", "--end", "--reason", "ticket 4712"); !strings.Contains(r.out, "client vpn asks for the second factor again") {
		t.Errorf("bypass says\n%s", r.out)
	}
	must(t, exitFailed, "shim", "bypass", "--config", path, "--client", "vpn", "--end", "--reason", "ticket 4712")
}

// An event is found by its address however that is written.
func TestEventsAreFoundByAddress(t *testing.T) {
	for _, test := range []struct {
		from, asked string
		found       bool
	}{
		{"192.0.2.7:4000", "192.0.2.7", true}, {"192.0.2.7:4000", "192.0.2.7:4000", true}, {"192.0.2.70:4000", "192.0.2.7", false},
		{"[2001:db8::7]:4000", "2001:db8::7", true}, {"[2001:db8::7]:4000", "2001:DB8:0::7", true}, {"[2001:db8::7]:4000", "[2001:db8::7]", true},
		{"[2001:db8::7]:4000", "2001:db8::70", false}, {"192.0.2.7:4000", "::ffff:192.0.2.7", true},
	} {
		e := event{fields: map[string]any{"from": test.from}}
		if e.names(test.asked) != test.found {
			t.Errorf("%s by %s: %v", test.from, test.asked, !test.found)
		}
	}
}

// Two clients whose names differ in case only are two.
func TestClientsAreKnownByTheirVeryName(t *testing.T) {
	conf := &config.Config{RADIUS: config.RADIUS{Clients: []config.Client{{Name: "vpn"}, {Name: "VPN"}}}}
	for asked, want := range map[string]string{"vpn": "vpn", "VPN": "VPN", "Vpn": "vpn"} {
		if c, err := clientOf(conf, asked); err != nil || c.Name != want {
			t.Errorf("%s: %q, %v", asked, c.Name, err)
		}
	}
	if c, err := clientOf(conf, "gate"); err == nil {
		t.Errorf("found %q", c.Name)
	}
}
