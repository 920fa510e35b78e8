package config_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud/firstfactor"
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
	if got := config.Diff(before, parsed(t, dir, corpReply)); len(got) != 0 || !firstfactor.Same(before.FirstFactors(), parsed(t, dir, corpReply).FirstFactors(), "corp") {
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
		if (len(config.NeedsRestart(before, after)) > 0) != c.restart || firstfactor.Same(before.FirstFactors(), after.FirstFactors(), "corp") != c.primary {
			t.Errorf("%s: restart for %q, same primary %v", c.want, config.NeedsRestart(before, after), firstfactor.Same(before.FirstFactors(), after.FirstFactors(), "corp"))
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

// everyFile names each kind of file that a configuration may name; %s is the
// engine.
const everyFile = `
engine: %s
cluster_keys: [file:one.key]
radius:
  listen: ["127.0.0.1:1812"]
  radsec: {listen: ["127.0.0.1:2083"], cert: radsec.pem, key: radsec.key, ca: clients.pem}
  clients:
    - {name: vpn, networks: [10.0.0.1], secret: "file:client.secret", primary: %s}
primaries:
  corp: {type: ldap, urls: ["ldaps://dc1.corp.example"], ca: corp.pem, bind_dn: "cn=shim,dc=corp,dc=example", bind_password: "file:bind.secret", base_dn: "dc=corp,dc=example"}
  old: {type: radius, servers: [{address: "10.0.0.5:1812", secret: "file:home.secret"}, {address: "10.0.0.6:2083", tls: {ca: homes.pem, cert: home.pem, key: home.key}}]}
`

// A file that is another one under its old name is seen, and named, whatever
// it is for.
func TestDiffSeesEachFile(t *testing.T) {
	const far = `{url: "https://engine.example", client_id: shim, client_secret: "file:engine.secret", ca: engine.pem}`
	const entra = `{entra: {private_interface: accepted, tenant: contoso.example, client_id: app, client_secret: "file:engine.secret", ca: engine.pem}}`
	const native = `{native: {url: "https://contoso.ciamlogin.com/contoso.onmicrosoft.com", client_id: app, ca: engine.pem}}`
	const nps = `{radius: {servers: [{address: "10.0.0.7:1812", secret: "file:engine.secret"}, {address: "10.0.0.8:2083", tls: {ca: engine.pem, cert: home.pem, key: home.key}}], password: "file:word.secret"}}`
	for _, c := range []struct {
		engine, primary string
		files           []string // that change together
		want            string
		restart         string
	}{
		{far, "corp", []string{"engine.pem"}, "engine.ca", "what engine.ca holds"},
		{far, "corp", []string{"engine.secret"}, "engine.client_secret", "what engine.client_secret holds"},
		{entra, "corp", []string{"engine.pem"}, "engine.entra.ca", "what engine.entra.ca holds"},
		{entra, "corp", []string{"engine.secret"}, "engine.entra.client_secret or client_certificate", "what engine.entra.client_secret or client_certificate holds"},
		{native, "engine", []string{"engine.pem"}, "engine.native.ca", "what engine.native.ca holds"},
		{nps, "corp", []string{"engine.pem"}, "engine.radius.servers.1.tls.ca", "what engine.radius.servers.1.tls.ca holds"},
		{nps, "corp", []string{"word.secret"}, "engine.radius.password", "what engine.radius.password holds"},
		{far, "corp", []string{"one.key"}, "cluster_keys.0", ""},
		{far, "corp", []string{"radsec.pem", "radsec.key"}, "radius.radsec.cert", ""},
		{far, "corp", []string{"clients.pem"}, "radius.radsec.ca", ""},
		{far, "corp", []string{"client.secret"}, "radius.clients.vpn.secret", ""},
		{far, "corp", []string{"corp.pem"}, "primaries.corp.ca", ""},
		{far, "corp", []string{"bind.secret"}, "primaries.corp.bind_password", ""},
		{far, "corp", []string{"home.secret"}, "primaries.old.servers.0.secret", ""},
		{far, "corp", []string{"homes.pem"}, "primaries.old.servers.1.tls.ca", ""},
		{far, "corp", []string{"home.pem", "home.key"}, "primaries.old.servers.1.tls.cert", ""},
	} {
		dir := t.TempDir()
		names := map[string]string{"radsec": "clients", "home": "homes", "engine": "corp"} // whose certificates are made together
		renew := func(wanted func(name string) bool) {
			for one, other := range names {
				certify(t, dir)
				for name, from := range map[string]string{one + ".pem": "shim.pem", one + ".key": "shim.key", other + ".pem": "shim.pem"} {
					text, err := os.ReadFile(filepath.Join(dir, from))
					if wanted(name) {
						err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), text, 0o600))
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, name := range []string{"engine.secret", "word.secret", "client.secret", "bind.secret", "home.secret", "one.key"} {
				if key := make([]byte, 32); wanted(name) {
					_, _ = rand.Read(key) // never fails
					if err := os.WriteFile(filepath.Join(dir, name), []byte(base64.StdEncoding.EncodeToString(key)), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		renew(func(string) bool { return true })
		text := fmt.Sprintf(everyFile, c.engine, c.primary)
		before := parsed(t, dir, text)
		if got := config.Diff(before, parsed(t, dir, text)); len(got) != 0 {
			t.Fatalf("nothing changed: %q", got)
		}
		renew(func(name string) bool { return slices.Contains(c.files, name) })
		after := parsed(t, dir, text)
		if got := config.Diff(before, after); len(got) != 1 || got[0] != c.want+": what it holds has changed" {
			t.Errorf("%q: got %q, want %q", c.files, got, c.want)
		}
		if got := strings.Join(config.NeedsRestart(before, after), ", "); got != c.restart {
			t.Errorf("%q: restart for %q, want %q", c.files, got, c.restart)
		}
	}
}
