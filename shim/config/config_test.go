package config_test

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud/firstfactor"
	"mfabridge/internal/hint"
	"mfabridge/shim/config"
)

const sharedSecret = "a synthetic shared secret"

// folder is a configuration's folder with the secret files that tests name.
func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"vpn.secret": sharedSecret + "\n", "short.secret": "elevenbytes", "empty.secret": "\n",
		"bad.key": "bm90IDMyIG9jdGV0cw==\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "open.secret"), []byte(sharedSecret), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

const good = `engine: {store: sqlite:cloud.db}
radius:
  listen: ["192.0.2.1:1812", "[::]:1812"]
  clients:
    - name: vpn
      networks: ["10.0.0.0/24", "2001:db8::/64", "10.1.0.1"]
      secret: file:vpn.secret
      primary: engine
    - name: citrix
      networks: ["10.0.0.7/32"]
      secret: file:short.secret
      primary: none
      primary_done_by_client: true
      code_entry: only
      on_outage: reject
`

func TestGoodConfiguration(t *testing.T) {
	dir := folder(t)
	c, warnings, err := config.Parse([]byte(good), "shim.yaml", dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "client citrix: the shared secret has 11 octets") {
		t.Errorf("warnings %q", warnings)
	}
	if want := "sqlite:" + filepath.Join(dir, "cloud.db"); c.Engine.Store != want {
		t.Errorf("store %q, want %q", c.Engine.Store, want)
	}
	vpn, citrix := c.RADIUS.Clients[0], c.RADIUS.Clients[1]
	if string(vpn.SharedSecret.Reveal()) != sharedSecret {
		t.Error("the shared secret is not what the file holds without its line end")
	}
	if len(vpn.Prefixes) != 3 || vpn.Prefixes[2].Bits() != 32 || len(c.RADIUS.Addresses) != 2 {
		t.Errorf("prefixes %v, addresses %v", vpn.Prefixes, c.RADIUS.Addresses)
	}
	if vpn.MessageAuthenticator != config.Require || vpn.CodeEntry != config.Challenge || vpn.OnOutage != config.Silent ||
		vpn.CallingStation != config.Reliable || vpn.Unmatched != "deny" || vpn.PasswordCharset != "utf-8" {
		t.Errorf("defaults: %+v", vpn)
	}
	if citrix.CodeEntry != config.Only || citrix.OnOutage != config.Reject {
		t.Errorf("citrix: %+v", citrix)
	}
}

// client makes a configuration whose one client has lines replaced.
func client(lines string) string {
	return "engine: {store: sqlite:cloud.db}\nradius:\n  listen: [\"127.0.0.1:1812\"]\n  clients:\n    - " +
		strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n      ") + "\n"
}

const base = "name: vpn\nnetworks: [10.0.0.1]\nsecret: file:vpn.secret\n"

// foreign is a configuration that asks somebody else's service.
func foreign(engine, client string) string {
	return "engine: {" + engine + "}\nradius: {listen: [\"127.0.0.1:1812\"], clients: [{name: vpn, networks: [10.0.0.1], secret: file:vpn.secret, " +
		cmp.Or(client, "on_outage: silent") + ", primary_done_by_client: true" + map[bool]string{true: "", false: ", primary: none"}[strings.Contains(client, "primary:")] + "}]}\n"
}

func nps(more string) string {
	return "radius: {servers: [{address: \"10.0.0.9:1812\", secret: file:vpn.secret, " + cmp.Or(more, "message_authenticator: observe") + "}]}"
}

// Editors on Windows put a mark in front of UTF-8 and a carriage return behind
// each line.
func TestFilesOfWindows(t *testing.T) {
	dir := folder(t)
	want, _, err := config.Parse([]byte(good), "shim.yaml", dir)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := config.Parse([]byte("\ufeff"+strings.ReplaceAll(good, "\n", "\r\n")), "shim.yaml", dir)
	if err != nil || got.RADIUS.Clients[0].Name != want.RADIUS.Clients[0].Name || len(got.RADIUS.Clients) != len(want.RADIUS.Clients) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Nobody is told of a packet that no socket can hear, nor of a space that an
// editor has left behind a secret: that is said before.
func TestWarningsOfWhatNoLogWillShow(t *testing.T) {
	dir := folder(t)
	for name, text := range map[string]string{"spaced": sharedSecret + " \n", "marked": "\ufeff" + sharedSecret, "wide": "\xff\xfes\x00e\x00c\x00r\x00e\x00t\x00"} {
		if err := os.WriteFile(filepath.Join(dir, name+".secret"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ old, now, want string }{
		{"", "", ""},
		{`"192.0.2.1:1812", `, "", `client vpn: nobody can be heard from 10.0.0.0/24, 10.1.0.1/32: radius.listen has no IPv4 address`},
		{`, "[::]:1812"`, "", `client vpn: nobody can be heard from 2001:db8::/64: radius.listen has no IPv6 address`},
		{`"192.0.2.1:1812", "[::]:1812"`, `"127.0.0.1:1812", "[::]:1812"`, "client citrix: nobody can be heard from 10.0.0.7/32: radius.listen has addresses on the loopback only"},
		{`"10.0.0.0/24", "2001:db8::/64", "10.1.0.1"`, `"::1", "127.0.0.2"`, ""},
		{`"10.0.0.7/32"`, `"0.0.0.0/0"`, "lets every address ask"},
		{"file:vpn.secret", "file:spaced.secret", "client vpn: the shared secret begins or ends with a space"},
		{"file:vpn.secret", "file:marked.secret", "client vpn: the shared secret begins with a byte order mark"},
		{"file:vpn.secret", "file:wide.secret", "client vpn: the shared secret is in UTF-16"},
	} {
		_, warnings, err := config.Parse([]byte(strings.Replace(good, test.old, test.now, 1)), "shim.yaml", dir)
		said := strings.Join(warnings, "\n")
		if err != nil || !strings.Contains(said, test.want) || test.want == "" && len(warnings) != 1 {
			t.Errorf("%s: %q, %v; want %q", test.now, warnings, err, test.want)
		}
		if strings.Contains(said, sharedSecret) {
			t.Errorf("%s: a secret is printed", test.now)
		}
	}
}

// Advice is what can be done about it.
func TestAdvice(t *testing.T) {
	dir := folder(t)
	for _, test := range []struct{ text, want string }{
		{client(base + "primary: engine\npush_wait: 45"), "write for example 45s"},
		{client(base + "primary: engine\ncache: {for: 2}"), "write for example 1h0m0s"},
		{foreign("radius: {settle: 20s, servers: [{address: \"10.0.0.9:1812\", secret: file:vpn.secret}]}", ""), "write for example 4s"},
		{client(base + "primary: engine\nfallback_oath: yes"), "write true or false, without quotes"},
		{client(base + "primary: engine\nreply: 5"), "write keys below it"},
		{strings.Replace(client(base+"primary: engine"), "[\"127.0.0.1:1812\"]", "127.0.0.1:1812", 1), "write a list in brackets"},
		{strings.Replace(corpReply, "CN=VPN Users", "CN=VPN + Users", 1), "a + or a comma inside a name has a backslash before it"},
	} {
		_, _, err := config.Parse([]byte(test.text), "shim.yaml", dir)
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			err = joined.Unwrap()[0]
		}
		if !strings.Contains(hint.Of(err), test.want) {
			t.Errorf("%v: advice %q, want %q", err, hint.Of(err), test.want)
		}
	}
}

// A secret that somebody has written behind a mistyped key is not told.
func TestMistypedSecrets(t *testing.T) {
	for _, line := range []string{"secrt: topmost", "secrt: [topmost]", "secret: topmost", "secret: [topmost]"} {
		_, _, err := config.Parse([]byte(client("name: vpn\nnetworks: [10.0.0.1]\nprimary: engine\n"+line)), "shim.yaml", folder(t))
		if err == nil || strings.Contains(err.Error(), "topmost") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	dir := folder(t)
	radius := "radius: {listen: [\"127.0.0.1:1812\"], clients: [{name: vpn, networks: [10.0.0.1], secret: file:vpn.secret, primary: engine}]}\n"
	for _, test := range []struct{ name, text, want string }{
		{"empty file", "", "shim.yaml is empty"},
		{"unknown key", client(base + "primary: engine\nprimry: none"), `shim.yaml:9:7: unknown key "primry"`},
		{"unknown key at the top", "enginee: {}\n" + radius, `shim.yaml:1:1: unknown key "enginee"`},
		{"key twice", client(base + "primary: engine\nprimary: none"), `mapping key "primary" already defined`},
		{"wrong type", client(base + "primary: engine\nprimary_done_by_client: maybe"), "shim.yaml:9:31: unexpected string"},
		{"not YAML", "engine: [\n", "shim.yaml:1:"},
		{"what the YAML library cannot stand", "radius:\n  listen: !x\n0\n  -0", "shim.yaml"},
		{"UTF-16", "\xff\xfee\x00n\x00g\x00", "shim.yaml is in UTF-16"},
		{"UTF-16 the other way round", "\xfe\xff\x00e\x00n\x00g", "shim.yaml is in UTF-16"},
		{"Latin-1", "engine: {store: sqlite:x}\n" + strings.Replace(radius, "vpn,", "b\xfcro,", 1), "shim.yaml:2: a letter is not UTF-8"},
		{"Latin-1 in a remark", "# b\xfcro\n" + radius, "shim.yaml:1: a letter is not UTF-8"},
		{"two documents", "engine: {store: sqlite:x}\n" + radius + "---\nengine: {}\n", "more than one YAML document"},
		{"no engine", radius, "engine names no store, config, url, radius, entra or native"},
		{"engine by URL, nobody", "engine: {url: https://engine.example, client_secret: file:vpn.secret}\n" + radius, "engine.url needs client_id"},
		{"engine by URL, no secret", "engine: {url: https://engine.example, client_id: vpn}\n" + radius, "engine.url needs client_secret"},
		{"engine by URL, open secret", "engine: {url: https://engine.example, client_id: vpn, client_secret: file:open.secret}\n" + radius, "engine.client_secret:"},
		{"engine by URL, no authority", "engine: {url: https://engine.example, client_id: vpn, client_secret: file:vpn.secret, ca: vpn.secret}\n" + radius, "engine.ca: the file holds no certificate"},
		{"engine by another word", "engine: {url: ldap://engine.example, client_id: vpn, client_secret: file:vpn.secret}\n" + radius, "engine.url is not an address"},
		{"engine twice", "engine: {store: sqlite:x, config: engine.yaml}\n" + radius, "more than one of store, config, url, radius, entra and native"},
		{"access without URL", "engine: {store: sqlite:x, client_id: vpn}\n" + radius, "belong to engine.url"},
		{"half an address", "engine: {store: \"postgres:x\"}\n" + radius, "not of the form sqlite:PATH"},
		{"other store", "engine: {store: cloud.db}\n" + radius, "not of the form sqlite:PATH"},
		{"store without a path", "engine: {store: \"sqlite:\"}\n" + radius, "not of the form sqlite:PATH"},
		{"numbers shown to others", "ops: \"0.0.0.0:9812\"\nengine: {store: sqlite:x}\n" + radius, "is no address on the loopback"},
		{"numbers shown anywhere", "ops: \":9812\"\nengine: {store: sqlite:x}\n" + radius, "is no address on the loopback"},
		{"no listener", "engine: {store: sqlite:x}\nradius: {clients: []}\n", "radius.listen is empty"},
		{"engine.radius without servers", foreign("radius: {settle: 4s}", ""), "engine.radius has no servers"},
		{"engine.radius with accounting", foreign(nps("accounting: \"10.0.0.9:1813\""), ""), "accounting does not go to an engine"},
		{"engine.radius with codes behind passwords", foreign(nps(""), "code_entry: append"), "code_entry: append cannot be with engine.radius"},
		{"engine.radius with codes alone", foreign(nps(""), "code_entry: only"), "code_entry: only cannot be with engine.radius"},
		{"engine.radius with numbers", foreign(nps(""), "push_number: true"), "shows no number"},
		{"engine.radius with words", foreign(nps(""), "factor_delimiter: \",\""), "factor_delimiter: an NPS server cannot be told"},
		{"engine.radius with a code instead", foreign(nps(""), "fallback_oath: true"), "fallback_oath: an NPS server"},
		{"engine.radius with a cache", foreign(nps(""), "cache: {for: 8h}"), "cache cannot be with engine.radius"},
		{"engine.radius for those who have no name there", foreign(nps(""), "unmatched: primary_only"), "unmatched: primary_only cannot be with engine.radius"},
		{"engine.radius as patient as a login", foreign("radius: {settle: 10s, servers: []}", ""), `settle: "10s" is not a time`},
		{"engine.radius as a primary", foreign(nps(""), "primary: engine"), "keeps no passwords for us"},
		{"engine.radius too patient", foreign("radius: {settle: 30s, servers: []}", ""), `settle: "30s" is not a time`},
		{"engine.entra not accepted", foreign("entra: {tenant: contoso.example, client_id: a, client_secret: file:vpn.secret}", ""), "a private interface of Microsoft"},
		{"engine.entra without a secret", foreign("entra: {private_interface: accepted, tenant: contoso.example, client_id: a}", ""), "as whom the service is called"},
		{"engine.entra without a tenant", foreign("entra: {private_interface: accepted, client_id: a, client_secret: file:vpn.secret}", ""), "is no tenant"},
		{"engine.entra with a tenant that is a path", foreign("entra: {private_interface: accepted, tenant: contoso.example/x, client_id: a, client_secret: file:vpn.secret}", ""), "is no tenant"},
		{"engine.entra as nobody", foreign("entra: {private_interface: accepted, tenant: contoso.example, client_secret: file:vpn.secret}", ""), "as whom the service is called"},
		{"engine.entra with a cache", foreign("entra: {private_interface: accepted, tenant: c.example, client_id: a, client_secret: file:vpn.secret}", "cache: {for: 8h}"), "cache cannot be with engine.entra"},
		{"engine.entra for those who have no name there", foreign("entra: {private_interface: accepted, tenant: c.example, client_id: a, client_secret: file:vpn.secret}", "unmatched: primary_only"), "unmatched: primary_only cannot be with engine.entra"},
		{"engine.entra over http", foreign("entra: {private_interface: accepted, tenant: c.example, client_id: a, client_secret: file:vpn.secret, url: \"http://x/\"}", ""), "does not begin with https://"},
		{"engine.native over http", foreign("native: {url: \"http://x/\", client_id: a}", "primary: engine"), "does not begin with https://"},
		{"engine.native as nobody", foreign("native: {url: \"https://x/\"}", "primary: engine"), "engine.native has no client_id"},
		{"engine.native without a password", foreign("native: {url: \"https://x/\", client_id: a}", ""), "only to who has proven the first there"},
		{"engine.native with codes behind passwords", foreign("native: {url: \"https://x/\", client_id: a}", "primary: engine, code_entry: append"), "cannot be with engine.native"},
		{"engine.native with a cache", foreign("native: {url: \"https://x/\", client_id: a}", "primary: engine, cache: {for: 8h}"), "cache cannot be with engine.native"},
		{"engine.native with a code instead", foreign("native: {url: \"https://x/\", client_id: a}", "primary: engine, fallback_oath: true"), "has no push"},
		{"engine.native with numbers", foreign("native: {url: \"https://x/\", client_id: a}", "primary: engine, push_number: true"), "has no push"},
		{"engine.entra and a store", foreign("store: sqlite:x, entra: {private_interface: accepted}", ""), "more than one of"},
		{"no client", "engine: {store: sqlite:x}\nradius: {listen: [\"127.0.0.1:1812\"]}\n", "radius.clients is empty"},
		{"listener without address", strings.Replace(client(base+"primary: engine"), "127.0.0.1:1812", ":1812", 1), `":1812" is not an address with a port`},
		{"listener twice", strings.Replace(client(base+"primary: engine"), `"127.0.0.1:1812"`, `"127.0.0.1:1812", "127.0.0.1:1812"`, 1), "stands there twice"},
		{"accounting nowhere", strings.Replace(client(base+"primary: engine"), "listen:", "accounting: [somewhere]\n  listen:", 1), `radius.accounting[0]: "somewhere" is not an address`},
		{"accounting at the login's port", strings.Replace(client(base+"primary: engine"), "listen:", "accounting: [\"127.0.0.1:1812\"]\n  listen:", 1), "radius.accounting[0]: 127.0.0.1:1812 stands there twice"},
		{"accounting to nobody", client(base + "primary: engine\naccounting: old"), `accounting: "old" is none of these`},
		{"accounting to a directory", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp`) + "      accounting: corp\n", `accounting: "corp" is none of these`},
		{"accounting to who takes none", home(`address: "10.0.0.5:1812", secret: file:vpn.secret`, "accounting: old"), "no server of primary old takes accounting"},
		{"radsec", strings.Replace(client(base+"primary: engine"), "listen:", "radsec: {cert: x}\n  listen:", 1), "radius.radsec.listen is empty"},
		{"radsec alone, and a client that asks by UDP", strings.Replace(client(base+"primary: engine"), "listen: [\"127.0.0.1:1812\"]", "radsec: {listen: [\"127.0.0.1:2083\"], cert: x}", 1), "radius.listen is empty"},
		{"radsec at no address", strings.Replace(client(base+"primary: engine"), "listen:", "radsec: {listen: [somewhere], cert: x}\n  listen:", 1), `radius.radsec.listen[0]: "somewhere" is not an address`},
		{"radsec without authorities", strings.Replace(client(base+"primary: engine"), "listen:", "radsec: {listen: [\"127.0.0.1:2083\"], cert: x, key: y}\n  listen:", 1), "radius.radsec.ca: "},
		{"radsec for three", strings.Replace(client(base+"primary: engine"), "listen:", "radsec: {listen: [\"127.0.0.1:2083\"], max_connections: 3}\n  listen:", 1), "max_connections: 3 is out of bounds"},
		{"radsec for all the world", strings.Replace(client(base+"primary: engine"), "listen:", "radsec: {listen: [\"127.0.0.1:2083\"], max_connections: 65537}\n  listen:", 1), "max_connections: 65537 is out of bounds"},
		{"a fingerprint without sha256:", client(base + "primary: engine\ncertificates: [\"AA:BB\"]"), `"AA:BB" is no name of a certificate`},
		{"half a fingerprint", client(base + "primary: engine\ncertificates: [\"sha256:AA:BB\"]"), `"sha256:AA:BB" is no fingerprint`},
		{"a certificate without a name", client(base + "primary: engine\ncertificates: [\"\"]"), `"" is no name of a certificate`},
		{"certificates without radsec", client(base + "primary: engine\ncertificates: [gw.example]"), "certificates say nothing without radius.radsec"},
		{"domain that is none", "usernames: {domains: {CORP: \"corp..example\"}}\n" + client(base+"primary: engine"), `usernames.domains.CORP: "corp..example" is no domain`},
		{"domain without a name", "usernames: {domains: {\"\": corp.example}}\n" + client(base+"primary: engine"), `"" is no name of a domain`},
		{"domain with a backslash", "usernames: {domains: {\"CORP\\\\\": corp.example}}\n" + client(base+"primary: engine"), "is no name of a domain"},
		{"domain twice", "usernames: {domains: {CORP: corp.example, corp: emea.example}}\n" + client(base+"primary: engine"), "stands there twice"},
		{"LDAP with a domain for a base", directory(`urls: ["ldaps://dc1.example"], base_dn: corp.example`), `base_dn: "corp.example" is no distinguished name`},
		{"LDAP without base", directory(`urls: ["ldaps://dc1.example"]`), "primaries.corp has no base_dn"},
		{"LDAP without servers", directory("base_dn: dc=corp"), "no LDAP server is named"},
		{"LDAP with RADIUS servers", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, servers: [{address: "10.0.0.5:1812"}]`), "servers say nothing with type ldap"},
		{"LDAP behind a tunnel", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, names_tunnel_user: true`), "say nothing with type ldap"},
		{"LDAP in clear", directory(`urls: ["http://dc1.example"], base_dn: dc=corp`), "is no LDAP server"},
		{"LDAP bind without password", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, bind_dn: cn=x`), "belong together"},
		{"LDAP bind with missing password", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, bind_dn: cn=x, bind_password: file:none.secret`), "bind_password"},
		{"LDAP with a bad filter", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, filter: "(x="`), "is no LDAP filter"},
		{"LDAP with a bad attribute", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, upn_attribute: "a)(b"`), "is no name of an attribute"},
		{"LDAP with a CA that is none", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, ca: vpn.secret`), "holds no certificate"},
		{"LDAP without a limit of failures", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, max_bind_failures: "0/15m"`), "max_bind_failures"},
		{"LDAP with a limit of failures that is none", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, max_bind_failures: "101/15m"`), "max_bind_failures"},
		{"LDAP with a limit in no time", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, max_bind_failures: "3/59s"`), "max_bind_failures"},
		{"LDAP with a limit in more than a day", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, max_bind_failures: "3/25h"`), "max_bind_failures"},
		{"LDAP with a limit in whatever time", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, max_bind_failures: "3"`), "max_bind_failures"},
		{"LDAP that has no time", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, timeout: 99ms`), "timeout"},
		{"LDAP that waits for ever", directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp, timeout: 1h`), "timeout"},
		{"primary of no type", "primaries: {corp: {}}\n" + client(base+"primary: corp"), "primaries.corp has no type"},
		{"primary of an unknown type", "primaries: {corp: {type: kerberos}}\n" + client(base+"primary: corp"), `"kerberos" is not a type`},
		{"primary named none", "primaries: {none: {type: radius}}\n" + client(base+"primary: engine"), "has a meaning of its own"},
		{"primary named engine", "primaries: {engine: {type: radius}}\n" + client(base+"primary: engine"), "has a meaning of its own"},
		{"primary of nothing", "primaries: {corp: }\n" + client(base+"primary: corp"), "primaries.corp has no type"},
		{"primary without servers", "primaries: {old: {type: radius}}\n" + client(base+"primary: old"), "primaries.old has no servers"},
		{"home server without port", home("address: 10.0.0.5, secret: file:vpn.secret"), `"10.0.0.5" is not an address with a port`},
		{"home server without a host", home(`address: ":1812", secret: file:vpn.secret`), `":1812" is not an address with a port`},
		{"home server at a port by name", home(`address: "10.0.0.5:radius", secret: file:vpn.secret`), `"10.0.0.5:radius" is not an address with a port`},
		{"home server at port 0", home(`address: "10.0.0.5:0", secret: file:vpn.secret`), `"10.0.0.5:0" is not an address with a port`},
		{"home server that accounts on this host by itself", home(`address: "10.0.0.5:1812", accounting: ":1813", secret: file:vpn.secret`), `accounting: ":1813" is not an address with a port`},
		{"home server that accounts at no port", home(`address: "10.0.0.5:1812", accounting: "10.0.0.5:65536", secret: file:vpn.secret`), `accounting: "10.0.0.5:65536" is not an address with a port`},
		{"home server with LDAP servers", "primaries: {old: {type: radius, urls: [\"ldaps://dc1\"], servers: [{address: \"10.0.0.5:1812\", secret: file:vpn.secret}]}}\n" + client(base+"primary: old"), "has keys of type ldap"},
		{"home server without secret", home(`address: "10.0.0.5:1812"`), "primaries.old.servers[0] has no secret"},
		{"home server that trusts all", home(`address: "10.0.0.5:1812", secret: file:vpn.secret, message_authenticator: no`), `"no" is not a word`},
		{"home server twice", home(`address: "10.0.0.5:1812", secret: file:vpn.secret}, {address: "10.0.0.5:1812", secret: file:vpn.secret`), "stands there twice"},
		{"home server with LDAP", "primaries: {old: {type: radius, bind_dn: x, servers: [{address: \"10.0.0.5:1812\", secret: file:vpn.secret}]}}\n" + client(base+"primary: old"), "has keys of type ldap"},
		{"home server that is the shim", strings.ReplaceAll(home(`address: "127.0.0.1:1812", secret: file:vpn.secret`), "10.0.0.5:1812", "127.0.0.1:1812"), "primaries.old.servers[0]: 127.0.0.1:1812 is this shim itself"},
		{"code alone before a primary", home(`address: "10.0.0.5:1812", secret: file:vpn.secret`, "code_entry: only"), "leaves no password for primary: old"},
		{"undefined primary", client(base + "primary: corp"), `primary "corp" is not defined`},
		{"no primary", client(base), "does not say who checks the first factor"},
		{"zero factors", client(base + "primary: none"), "leaves the first factor unchecked"},
		{"zero factors said", client(base + "primary: none\nprimary_done_by_client: false"), "leaves the first factor unchecked"},
		{"contradiction", client(base + "primary: engine\nprimary_done_by_client: true"), "contradicts primary: engine"},
		{"only without password", client(base + "primary: engine\ncode_entry: only"), "leaves no password"},
		{"no password for a primary", client(base + "primary: engine\nwithout_password: true"), "leaves nothing for primary: engine to check"},
		{"no password and nobody", client(base + "primary: none\nwithout_password: true"), "leaves the first factor unchecked"},
		{"no password that is the code", client(base + "primary: none\nprimary_done_by_client: true\nwithout_password: true\ncode_entry: only"), "code_entry: only needs something typed"},
		{"no password and nothing that proves the client", client(base + "primary: none\nprimary_done_by_client: true\nwithout_password: true\nmessage_authenticator: observe"), "nothing would show that a request is the client's"},
		{"no password and a number", client(base + "primary: none\nprimary_done_by_client: true\nwithout_password: true\npush_number: true"), "push_number needs something typed"},
		{"append without a primary", client(base + "primary: none\nprimary_done_by_client: true\ncode_entry: append"), "code_entry: append needs a primary"},
		{"no Message-Authenticator", client(base + "primary: engine\nmessage_authenticator: no"), `"no" is not a word`},
		{"primary_only with the engine", client(base + "primary: engine\nunmatched: primary_only"), "says nothing with primary: engine"},
		{"primary_only with nobody", client(base + "primary: none\nprimary_done_by_client: true\nunmatched: primary_only"), "without a factor that is checked here"},
		{"primary_only with names as typed", home(`address: "10.0.0.5:1812", secret: file:vpn.secret`, "unmatched: primary_only"), "goes by the name that was typed"},
		{"unmatched by another word", client(base + "primary: engine\nunmatched: allow"), `unmatched: "allow" is not a word`},
		{"disabled", client(base + "primary: engine\ndisabled: allow"), `disabled: "allow" is not a word`},
		{"outage", client(base + "primary: engine\non_outage: accept"), `on_outage: "accept" is not a word`},
		{"station", client(base + "primary: engine\ncalling_station: maybe"), `calling_station: "maybe"`},
		{"charset", client(base + "primary: engine\npassword_charset: latin1"), `password_charset: "latin1"`},
		{"fallback with codes alone", client(base + "primary: none\nprimary_done_by_client: true\ncode_entry: only\nfallback_oath: true"), "fallback_oath says nothing"},
		{"push_wait with codes alone", client(base + "primary: none\nprimary_done_by_client: true\ncode_entry: only\npush_wait: 45s"), "push_wait says nothing"},
		{"push_wait that is none", client(base + "primary: engine\npush_wait: 45"), `push_wait: "45" is not a time`},
		{"push_wait too short", client(base + "primary: engine\npush_wait: 2s"), "is not a time from 3s"},
		{"push_wait too long", client(base + "primary: engine\npush_wait: 4m"), "is not a time from 3s"},
		{"delimiter with codes alone", client(base + "primary: none\nprimary_done_by_client: true\ncode_entry: only\nfactor_delimiter: \",\""), "factor_delimiter says nothing"},
		{"delimiter of letters", client(base + "primary: engine\nfactor_delimiter: x"), `factor_delimiter: "x"`},
		{"delimiter of spaces", client(base + "primary: engine\nfactor_delimiter: \", \""), "factor_delimiter"},
		{"delimiter too long", client(base + "primary: engine\nfactor_delimiter: \"-----\""), "factor_delimiter"},
		{"push_number with codes alone", client(base + "primary: none\nprimary_done_by_client: true\ncode_entry: only\npush_number: true"), "push_number says nothing"},
		{"cache without a factor", client(base + "primary: none\nprimary_done_by_client: true\ncache: {for: 8h}"), "without any factor"},
		{"cache without stations", client(base + "primary: engine\ncalling_station: unreliable\ncache: {for: 8h}"), "calling stations that tell people apart"},
		{"cache for too long", client(base + "primary: engine\ncache: {for: 25h}"), "is not a time from"},
		{"cache of an unknown key", client(base + "primary: engine\ncache: {fro: 1h}"), "unknown key"},
		{"pass", client(base + "primary: engine\nreply: {pass: some}"), "reply.pass: some is not understood"},
		{"pass unknown", client(base + "primary: engine\nreply: {pass: [Class, State]}"), `attribute "State" is not known`},
		{"static unknown", client(base + "primary: engine\nreply: {static: {Reply-Message: x}}"), `attribute "Reply-Message" is not known`},
		{"static value", client(base + "primary: engine\nreply: {static: {Session-Timeout: soon}}"), `"soon" is not a number`},
		{"static shape", client(base + "primary: engine\nreply: {static: {Class: {a: b}}}"), "a value is a text or a number"},
		{"groups of nobody", client(base + "primary: none\nprimary_done_by_client: true\nreply: {groups: {vpn: {Class: a}}}"), "primary none knows no groups"},
		{"group twice", client(base + "primary: engine\nreply: {groups: {vpn: {Class: a}, VPN: {Class: b}}}"), "stands there twice"},
		{"too much", client(base + "primary: engine\nreply: {static: {Class: [" + strings.TrimSuffix(strings.Repeat(strings.Repeat("x", 200)+"1, ", 11), ", ") + "]}}"), "more than 2048"},
		{"no name", client("networks: [10.0.0.1]\nsecret: file:vpn.secret\nprimary: engine"), "has no name"},
		{"name with control character", client("name: \"a\\nb\"\nnetworks: [10.0.0.1]\nsecret: file:vpn.secret\nprimary: engine"), "cannot be shown"},
		{"name that is too long", client("name: " + strings.Repeat("x", 65) + "\nnetworks: [10.0.0.1]\nsecret: file:vpn.secret\nprimary: engine"), "cannot be shown"},
		{"name with a space at its end", client("name: \"vpn \"\nnetworks: [10.0.0.1]\nsecret: file:vpn.secret\nprimary: engine"), "cannot be shown"},
		{"no networks", client("name: vpn\nsecret: file:vpn.secret\nprimary: engine"), "has no networks"},
		{"bad network", client("name: vpn\nnetworks: [10.0.0.256]\nsecret: file:vpn.secret\nprimary: engine"), `"10.0.0.256" is not a network`},
		{"bits behind the prefix", client("name: vpn\nnetworks: [10.0.0.5/24]\nsecret: file:vpn.secret\nprimary: engine"), "bits set behind its prefix"},
		{"IPv4 in IPv6", client("name: vpn\nnetworks: [\"::ffff:10.0.0.5\"]\nsecret: file:vpn.secret\nprimary: engine"), "IPv4 inside IPv6"},
		{"no secret", client("name: vpn\nnetworks: [10.0.0.1]\nprimary: engine"), "has no secret"},
		{"empty secret", client("name: vpn\nnetworks: [10.0.0.1]\nsecret: file:empty.secret\nprimary: engine"), "is empty"},
		{"open secret", client("name: vpn\nnetworks: [10.0.0.1]\nsecret: file:open.secret\nprimary: engine"), "may be read by others"},
		{"missing secret", client("name: vpn\nnetworks: [10.0.0.1]\nsecret: file:none.secret\nprimary: engine"), "cannot be opened"},
		{"bad cluster key", "cluster_keys: [file:bad.key]\n" + client(base+"primary: engine"), "bad.key is not 32 octets in base64"},
		{"listener of IPv4 in IPv6", strings.Replace(client(base+"primary: engine"), "127.0.0.1:1812", "[::ffff:127.0.0.1]:1812", 1), "[::ffff:127.0.0.1]:1812 is IPv4 inside IPv6"},
		{"same name", client(base+"primary: engine") + strings.Split(client(strings.Replace(base, "0.1", "0.2", 1)+"primary: engine"), "clients:\n")[1], "two clients have this name"},
		{"equal networks", client(base+"primary: engine") + strings.Split(client(strings.Replace(base, "vpn\n", "rdg\n", 1)+"primary: engine"), "clients:\n")[1], "belongs to client vpn and to client rdg"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _, err := config.Parse([]byte(test.text), "shim.yaml", dir)
			if err == nil || c != nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q, want %q in it", err, test.want)
			}
			if hint.Of(err) == "" {
				t.Errorf("no hint with %q", err)
			}
		})
	}
}

func TestSecretWrittenByMistakeIsNotQuoted(t *testing.T) {
	for _, text := range []string{
		client("name: vpn\nsecret: canary-4711\nprimary: engine\nnetworks: [10.0.0.1]"),
		client("name: vpn\nsecret: {x: canary-4711}\nprimary: engine"),
		client("{name: vpn, secrets: canary-4711}"),
		"cluster_keys: [canary-4711]\n" + client(base+"primary: engine"),
		"engine: {client_secret: canary-4711, foo: bar}\n",
		"primaries: {corp: {type: ldap, bind_password: canary-4711}}\n" + client(base+"primary: corp"),
	} {
		_, _, err := config.Parse([]byte(text), "shim.yaml", folder(t))
		if err == nil {
			t.Errorf("accepted: %s", text)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("error shows the secret: %v", err)
		}
	}
}

func TestLoadOfMissingAndLargeFile(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := config.Load(filepath.Join(dir, "none.yaml")); err == nil || hint.Of(err) == "" {
		t.Errorf("missing file: %v", err)
	}
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, config.MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.Load(large); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("large file: %v", err)
	}
}

func TestClusterKeyIsMadeOnce(t *testing.T) {
	dir := folder(t)
	text := "data: state\n" + good
	load := func() *config.Config {
		c, _, err := config.Parse([]byte(text), "shim.yaml", dir)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := load()
	if len(first.Keys) != 0 {
		t.Fatal("checking a configuration made a key")
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); err == nil {
		t.Fatal("checking a configuration made the data folder")
	}
	nodes := make([]*config.Config, 8)
	var group sync.WaitGroup
	for i := range nodes {
		nodes[i] = load()
		group.Go(func() {
			if err := nodes[i].MakeKeys(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	later := load()
	if len(later.Keys) != 1 || later.Keys[0].Len() != config.KeyLength {
		t.Fatalf("the key that was made is not loaded: %d keys", len(later.Keys))
	}
	for i, c := range nodes {
		if len(c.Keys) != 1 || !c.Keys[0].Equal(later.Keys[0]) {
			t.Errorf("process %d has another key", i)
		}
	}
	entries, err := os.ReadDir(filepath.Join(dir, "state"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("data folder holds %v (%v), want cluster.key alone", entries, err)
	}
	if info, err := entries[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file has mode %v (%v)", info.Mode(), err)
	}
	if err := config.MakeKey(filepath.Join(dir, "state", "cluster.key")); !errors.Is(err, fs.ErrExist) {
		t.Error("a key that was there has been replaced")
	}
	if err := os.Chmod(filepath.Join(dir, "state", "cluster.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.Parse([]byte(text), "shim.yaml", dir); err == nil {
		t.Error("a cluster key that others may read is accepted")
	}
}

func TestSameClusterKeyTwiceIsRefused(t *testing.T) {
	dir := folder(t)
	if err := config.MakeKey(filepath.Join(dir, "a.key")); err != nil {
		t.Fatal(err)
	}
	_, _, err := config.Parse([]byte("cluster_keys: [file:a.key, file:a.key]\n"+good), "shim.yaml", dir)
	if err == nil || !strings.Contains(err.Error(), "same key") {
		t.Errorf("error %v", err)
	}
}

func TestSummaryHoldsNoSecret(t *testing.T) {
	c, _, err := config.Parse([]byte(good), "shim.yaml", folder(t))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.Summary(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"vpn", "10.0.0.0/24", "password, checked by the engine", "code in the password field", "reject"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("summary lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), sharedSecret) {
		t.Error("summary shows a secret")
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(good)
	f.Add("primaries: {corp: {type: [1]}}\nengine: {store: 5}\n")
	f.Add("a: &a [*a]\n")
	dir := folder(f)
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := config.Parse([]byte(text), "fuzz.yaml", dir)
		if (c == nil) != (err != nil) {
			t.Fatalf("configuration %v with error %v", c != nil, err)
		}
		if err != nil {
			return
		}
		for _, client := range c.RADIUS.Clients {
			if client.SharedSecret.IsZero() || len(client.Prefixes) == 0 || client.Primary == config.None && !client.PrimaryDoneByClient {
				t.Fatalf("accepted client %+v", client)
			}
			first := c.Primaries[client.Primary]
			if client.Unmatched == config.PrimaryOnly && (first == nil || first.Type != firstfactor.TypeLDAP) ||
				client.Primary == config.None && (client.CodeEntry == config.Append || client.Cache.Life != 0) || client.Hold < time.Second {
				t.Fatalf("accepted client %+v", client)
			}
		}
	})
}

// directory is a configuration with a primary "corp" of type ldap.
func directory(keys string) string {
	return "primaries: {corp: {type: ldap, " + keys + "}}\n" + client(base+"primary: corp")
}

func TestLDAPPrimary(t *testing.T) {
	c, _, err := config.Parse([]byte("usernames: {domains: {CORP: corp.example}}\n"+directory(`urls: ["ldaps://dc1.example", "ldap://dc2.example"], bind_dn: cn=x, bind_password: file:vpn.secret, base_dn: "dc=corp,dc=example"`)), "shim.yaml", folder(t))
	if err != nil {
		t.Fatal(err)
	}
	p := c.Primaries["corp"]
	if p.Failures != 3 || p.Window != 15*time.Minute || p.Patience != 3*time.Second || p.Password.IsZero() || len(c.Usernames.Parsed) != 1 {
		t.Errorf("got %d failures in %v, %v to answer", p.Failures, p.Window, p.Patience)
	}
}

// home is a configuration with a primary "old" of one server.
func home(server string, more ...string) string {
	return "primaries: {old: {type: radius, servers: [{" + server + "}]}}\n" + client(strings.Join(append([]string{base + "primary: old"}, more...), "\n"))
}

func TestRADIUSPrimary(t *testing.T) {
	c, warnings, err := config.Parse([]byte(home(`address: "10.0.0.5:1812", secret: file:vpn.secret}, {address: "home.example:1645", secret: file:vpn.secret, message_authenticator: observe`)), "shim.yaml", folder(t))
	if err != nil {
		t.Fatal(err)
	}
	servers := c.Primaries["old"].Servers
	if len(servers) != 2 || servers[0].MessageAuthenticator != config.Require || servers[1].MessageAuthenticator != config.Observe || servers[1].SharedSecret.IsZero() {
		t.Errorf("got %+v", servers)
	}
	if !strings.Contains(strings.Join(warnings, "\n"), "can forge them") {
		t.Errorf("no warning about observe in %q", warnings)
	}
}

// Of a client whose requests may come without Message-Authenticator not all are
// shown a number.
func TestNumbersOfAnObservedClient(t *testing.T) {
	for more, warned := range map[string]bool{"message_authenticator: observe\npush_number: true": true, "push_number: true": false, "message_authenticator: observe": false} {
		_, warnings, err := config.Parse([]byte(client(base+"primary: engine\n"+more)), "shim.yaml", folder(t))
		if got := strings.Contains(strings.Join(warnings, "\n"), "is shown no number"); err != nil || got != warned {
			t.Errorf("%q: %q, %v", more, warnings, err)
		}
	}
}

func TestSecondFactorKeys(t *testing.T) {
	c, _, err := config.Parse([]byte(directory(`urls: ["ldaps://dc1.example"], base_dn: dc=corp`)+
		"      unmatched: primary_only\n      code_entry: append\n      factor_delimiter: \",\"\n      push_number: true\n      fallback_oath: true\n      cache: {for: 8h}\n"), "shim.yaml", folder(t))
	if err != nil {
		t.Fatal(err)
	}
	vpn := c.RADIUS.Clients[0]
	if vpn.Hold != 45*time.Second || vpn.Cache.Life != 8*time.Hour || vpn.FactorDelimiter != "," || vpn.CodeEntry != config.Append ||
		vpn.Unmatched != config.PrimaryOnly || !vpn.PushNumber || !vpn.FallbackOATH {
		t.Errorf("got %+v", vpn)
	}
}

// An NPS server, which answers no Status-Server, is what engine.radius is for.
func TestStatusCheck(t *testing.T) {
	dir := folder(t)
	check := func(text string) string {
		c, _, err := config.Parse([]byte(text), "shim.yaml", dir)
		if err != nil {
			t.Fatal(err)
		}
		if c.Engine.RADIUS != nil {
			return c.Engine.RADIUS.Servers[0].StatusCheck
		}
		return c.Primaries["old"].Servers[0].StatusCheck
	}
	for text, want := range map[string]string{
		foreign(nps(""), ""):                                                          firstfactor.NoStatusCheck,
		foreign(nps("status_check: status_server"), ""):                               firstfactor.ByStatusServer,
		home(`address: "10.0.0.9:1812", secret: file:vpn.secret`):                     firstfactor.ByStatusServer,
		home(`address: "10.0.0.9:1812", secret: file:vpn.secret, status_check: none`): firstfactor.NoStatusCheck,
	} {
		if got := check(text); got != want {
			t.Errorf("%q in %s", got, text)
		}
	}
	_, _, err := config.Parse([]byte(home(`address: "10.0.0.9:1812", secret: file:vpn.secret, status_check: request`)), "shim.yaml", dir)
	if err == nil || !strings.Contains(err.Error(), "status_check") {
		t.Errorf("a word that is not known: %v", err)
	}
}

// Whoever wants the data folder alone gets it, whatever else is wrong.
func TestDataOfAConfigurationThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "shim.yaml")
	for text, want := range map[string]string{
		"engine: {store: sqlite:cloud.db}\nradius: {listen: [\"127.0.0.1:1812\"], clients: [{name: vpn, networks: [10.0.0.1], secret: file:gone, primary: nobody}]}": dir,
		"data: kept\n":      filepath.Join(dir, "kept"),
		"data: /srv/kept\n": "/srv/kept",
		"data: kept\nradiuss: {listen: []}\nengine: none\nradius: [{}]\n": filepath.Join(dir, "kept"),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := config.Data(path); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for name, text := range map[string]string{"no YAML": "data: [\n", "data mistyped": "dat: kept\n", "no text": "data: {kept: 1}\n", "below another key": "radius:\n  data: kept\n",
		"two documents": "data: kept\n---\ndata: lost\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := config.Data(path); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Advice on a network of IPv4 inside IPv6 keeps its length.
func TestAdviceOnMappedNetworks(t *testing.T) {
	for network, want := range map[string]string{"::ffff:10.0.0.5": "write 10.0.0.5/32", "::ffff:10.0.0.0/104": "write 10.0.0.0/8", "::ffff:0.0.0.0/90": "write 0.0.0.0/0, or"} {
		_, _, err := config.Parse([]byte("engine: {store: sqlite:cloud.db}\nradius: {listen: [\"127.0.0.1:1812\"], clients: [{name: vpn, networks: [\""+network+"\"], secret: env:NONE_SUCH, primary: engine}]}"), "shim.yaml", t.TempDir())
		if err == nil || !strings.Contains(err.Error(), "IPv4 inside IPv6") {
			t.Fatalf("%s: %v", network, err)
		}
		said := ""
		for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
			said += hint.Of(one) + "\n"
		}
		if !strings.Contains(said, want) {
			t.Errorf("%s: advice\n%s", network, said)
		}
	}
}

// What serve would not take is not called good before: one certificate twice,
// however it is written.
func TestCertificateThatStandsTwiceAtOneClient(t *testing.T) {
	print := strings.Repeat("ab", 32)
	for _, list := range []string{`gw.example, GW.example`, `"sha256:` + print + `", "SHA256:` + strings.TrimSuffix(strings.Repeat("AB:", 32), ":") + `"`} {
		_, _, err := config.Parse([]byte("engine: {store: sqlite:cloud.db}\nradius: {radsec: {listen: [\"127.0.0.1:2083\"]}, clients: [{name: gate, certificates: ["+list+"], primary: engine}]}"), "shim.yaml", t.TempDir())
		if err == nil || !strings.Contains(err.Error(), "stands there twice") {
			t.Errorf("%s: %v", list, err)
		}
	}
}
