package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/shim/config"
)

func parsed(t *testing.T, dir, text string) *config.Config {
	t.Helper()
	c, _, err := config.Parse([]byte(text), "shim.yaml", dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDiffSaysWhatChanged(t *testing.T) {
	dir := folder(t)
	before := parsed(t, dir, corpReply)
	if got := config.Diff(before, parsed(t, dir, corpReply)); len(got) != 0 || !config.SamePrimary(before, parsed(t, dir, corpReply), "corp") {
		t.Errorf("nothing changed: %q", got)
	}
	for _, c := range []struct {
		old, now, want string
		restart        bool
		primary        bool
	}{
		{"      primary: corp", "      on_outage: reject\n      primary: corp", "radius.clients.vpn.on_outage: silent -> reject", false, true},
		{"networks: [10.0.0.1]", "networks: [10.0.0.2]", "radius.clients.vpn.networks: [10.0.0.1] -> [10.0.0.2]", false, true},
		{"Class: 7", "Class: 8", "radius.clients.vpn.reply.groups.CN=VPN Users,OU=Groups,DC=corp,DC=example.Class: 7 -> 8", false, true},
		{"name: vpn", "name: gate", "radius.clients.gate.networks: [10.0.0.1] (new)", false, true},
		{"dc1.corp", "dc2.corp", "primaries.corp.urls: [ldaps://dc1.corp.example] -> [ldaps://dc2.corp.example]", false, false},
		{"127.0.0.1:1812", "127.0.0.1:1645", "radius.listen: [127.0.0.1:1812] -> [127.0.0.1:1645]", false, true},
		{"radius:\n", "data: elsewhere\nradius:\n", "data: " + dir + " -> " + dir + "/elsewhere", true, true},
		{"cloud.db", "other.db", "engine.store: sqlite:" + dir + "/cloud.db -> sqlite:" + dir + "/other.db", true, true},
	} {
		after := parsed(t, dir, strings.Replace(corpReply, c.old, c.now, 1))
		if got := strings.Join(config.Diff(before, after), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q in it", got, c.want)
		}
		if (len(config.NeedsRestart(before, after)) > 0) != c.restart || config.SamePrimary(before, after, "corp") != c.primary {
			t.Errorf("%s: restart for %q, same primary %v", c.want, config.NeedsRestart(before, after), config.SamePrimary(before, after, "corp"))
		}
	}
}

func TestDiffSeesASecretChangeAndKeepsIt(t *testing.T) {
	dir := folder(t)
	before := parsed(t, dir, corpReply)
	if err := os.WriteFile(filepath.Join(dir, "vpn.secret"), []byte("quite another secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := config.Diff(before, parsed(t, dir, corpReply))
	if len(got) != 1 || got[0] != "radius.clients.vpn.secret: what it holds has changed" {
		t.Errorf("got %q", got)
	}
}
