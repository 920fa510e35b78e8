package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/engine/config"
	"mfabridge/internal/hint"
)

const good = `store: sqlite:cloud.db
key: file:cloud.key
listeners:
  pages: {listen: "0.0.0.0:443", tls: {cert: a.crt, key: /etc/a.key}}
  api: {listen: "0.0.0.0:8443", url: "https://engine.contoso.example:8443/", tls: {cert: a.crt, key: a.key}}
  ops: {listen: "127.0.0.1:9090"}
tokens: {life: 10m}
limits: {in_flight: 10}
fraud: {block: 24h}
`

// The paths of a sealed key are relative to the configuration, like all others.
func TestSealedKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engine.yaml")
	dir := filepath.Dir(path)
	for given, want := range map[string]string{
		"age:me.txt":                     "age:" + filepath.Join(dir, "me.txt"),
		"age:/run/me.txt":                "age:/run/me.txt",
		"'age:me.txt,cloud.key.age'":     "age:" + filepath.Join(dir, "me.txt") + "," + filepath.Join(dir, "cloud.key.age"),
		"'age:/run/me.txt,/etc/key,age'": "age:/run/me.txt,/etc/key,age",
	} {
		if err := os.WriteFile(path, []byte(strings.Replace(good, "file:cloud.key", given, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path)
		if err != nil {
			t.Errorf("%s: %v", given, err)
		} else if c.Key != want {
			t.Errorf("%s: read as %s, want %s", given, c.Key, want)
		}
	}
}

func TestGoodConfiguration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engine.yaml")
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	if c.Store != "sqlite:"+filepath.Join(dir, "cloud.db") || c.Key != "file:"+filepath.Join(dir, "cloud.key") ||
		c.Listeners.API.URL != "https://engine.contoso.example:8443" || c.Listeners.Ops.Address.Port() != 9090 ||
		c.Listeners.Pages.TLS.Cert != filepath.Join(dir, "a.crt") || c.Listeners.Pages.TLS.Key != "/etc/a.key" ||
		c.Tokens.LifeTime != 10*time.Minute || c.Tokens.RotationTime != 720*time.Hour || c.Limits.InFlight != 10 || c.Fraud.BlockTime != 24*time.Hour {
		t.Errorf("read as %+v", c)
	}
	if _, err := config.Load(path + ".none"); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestWrongConfigurations(t *testing.T) {
	t.Setenv("MFABRIDGE_TEST_RADIUS", "a shared secret")
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key":             {"key: file:cloud.key", "kee: file:cloud.key", `engine.yaml:2:1: unknown key "kee"`},
		"a short memory":          {"fraud:", "audit: {keep: 24h}\nfraud:", `audit.keep cannot be "24h"`},
		"a short block":           {"block: 24h", "block: 5s", `fraud.block cannot be "5s"`},
		"no store":                {"store: sqlite:cloud.db\n", "", "store is missing"},
		"other store":             {"sqlite:cloud.db", "postgres:x", "store is not of the form"},
		"no key for PostgreSQL":   {"sqlite:cloud.db\nkey: file:cloud.key", "postgres://engine@db/engine", "key is missing"},
		"the key itself":          {"file:cloud.key", "abcd", "key does not say where"},
		"no identity":             {"file:cloud.key", "'age:'", "key does not say what opens"},
		"no identity for a key":   {"file:cloud.key", "age:,cloud.key.age", "key does not say what opens"},
		"no key behind it":        {"file:cloud.key", "'age:me.txt,'", "key does not say what opens"},
		"a passphrase":            {"file:cloud.key", "age:-", "a server asks nobody"},
		"sealed, PostgreSQL":      {"sqlite:cloud.db\nkey: file:cloud.key", "postgres://engine@db/engine\nkey: age:me.txt", "where the sealed key is"},
		"no api":                  {"  api: ", "  apis: ", "unknown key"},
		"TLS missing":             {`url: "https://engine.contoso.example:8443/", tls: {cert: a.crt, key: a.key}`, "", "without TLS"},
		"half of TLS":             {"{cert: a.crt, key: a.key}", "{cert: a.crt}", "needs cert and key"},
		"http and TLS":            {"https://engine", "http://engine", "url is not the address"},
		"a path in the url":       {"8443/\"", "8443/x\"", "url is not the address"},
		"no url":                  {`url: "https://engine.contoso.example:8443/", `, "", "url is missing"},
		"url of another":          {`listen: "127.0.0.1:9090"`, `listen: "127.0.0.1:9090", url: "http://x"`, "ops.url means nothing"},
		"no port":                 {"127.0.0.1:9090", "127.0.0.1", "is not an address with a port"},
		"a long life":             {"10m", "2h", "tokens.life cannot be"},
		"a negative limit":        {"in_flight: 10", "in_flight: -1", "limits.in_flight cannot be"},
		"voice of nobody":         {"limits:", "channels: {voice: {}}\nlimits:", "channels.voice has no providers"},
		"no channel":              {"limits:", "channels: {}\nlimits:", "channels names no channel"},
		"proxies of ops":          {`listen: "127.0.0.1:9090"`, `listen: "127.0.0.1:9090", trusted_proxies: ["10.0.0.1"]`, "trusted_proxies means nothing"},
		"no network":              {"/etc/a.key}", "/etc/a.key}, trusted_proxies: [a]", `"a" is not a network`},
		"no networks":             {"/etc/a.key}", "/etc/a.key}, trusted_proxies: []", "names no network"},
		"everybody":               {"/etc/a.key}", `/etc/a.key}, trusted_proxies: ["0.0.0.0/0"]`, "would let every caller say"},
		"bits behind":             {"/etc/a.key}", `/etc/a.key}, trusted_proxies: ["10.0.0.1/24"]`, "has bits set"},
		"IPv4 in IPv6":            {"/etc/a.key}", `/etc/a.key}, trusted_proxies: ["::ffff:10.0.0.7"]`, "IPv4 inside IPv6"},
		"plain to all":            {`"0.0.0.0:443", tls: {cert: a.crt, key: /etc/a.key}`, `"0.0.0.0:8080", trusted_proxies: ["10.0.0.1"]`, "no private address"},
		"plain to the world":      {`"0.0.0.0:443", tls: {cert: a.crt, key: /etc/a.key}`, `"192.0.2.1:8080", trusted_proxies: ["10.0.0.1"]`, "no private address"},
		"plain without proxies":   {`"0.0.0.0:443", tls: {cert: a.crt, key: /etc/a.key}`, `"10.0.0.9:8080"`, "without TLS"},
		"a plain api":             {`url: "https://engine.contoso.example:8443/", tls: {cert: a.crt, key: a.key}`, `url: "http://10.0.0.9:8443", trusted_proxies: ["10.0.0.1"]`, "without TLS"},
		"proxy without address":   {`"0.0.0.0:443", tls: {cert: a.crt, key: /etc/a.key}`, `"10.0.0.9:8080", trusted_proxies: ["10.0.0.1"]`, "public_url does not say so"},
		"a path for people":       {"limits:", "public_url: https://mfa.contoso.example/x\nlimits:", "public_url is not the address"},
		"http for people":         {"limits:", "public_url: http://mfa.contoso.example\nlimits:", "is not this machine"},
		"unknown primary type":    {"limits:", "primaries: {corp: {type: kerberos}}\nlimits:", `"kerberos" is not a type`},
		"nobody's sign-in":        {"limits:", "sign_in: corp\nlimits:", "is not defined under primaries"},
		"nobody to write to":      {"limits:", "push: {}\nlimits:", "push.subject does not say"},
		"no host":                 {"limits:", "push: {subject: \"mailto:a@contoso.example\", hosts: [\"*\"]}\nlimits:", "is not a host"},
		"a taken name":            {"limits:", "primaries: {engine: {type: ldap}}\nlimits:", "has a meaning of its own"},
		"a primary's secret":      {"limits:", "primaries: {old: {type: radius, servers: [{address: \"10.0.0.5:1812\", secret: hunter2hunter2}]}}\nlimits:", "secret"},
		"a user for people":       {"limits:", "public_url: https://a:b@mfa.contoso.example\nlimits:", "public_url is not the address"},
		"a query for people":      {"limits:", "public_url: https://mfa.contoso.example?x=1\nlimits:", "public_url is not the address"},
		"half a query for people": {"limits:", "public_url: \"https://mfa.contoso.example?\"\nlimits:", "public_url is not the address"},
		"a mark for people":       {"limits:", "public_url: \"https://mfa.contoso.example#x\"\nlimits:", "public_url is not the address"},
		"a port for people":       {"limits:", "public_url: \"https://:443\"\nlimits:", "public_url is not the address"},
		"ftp for people":          {"limits:", "public_url: ftp://mfa.contoso.example\nlimits:", "public_url is not the address"},
		"http by a number":        {"limits:", "public_url: http://192.0.2.1\nlimits:", "is not this machine"},
		"a huge limit":            {"in_flight: 10", "in_flight: 100001", "limits.in_flight cannot be"},
		"a store of nothing":      {"sqlite:cloud.db", "'sqlite:'", "store is not of the form"},
		"no key, PostgreSQL":      {"sqlite:cloud.db\nkey: file:cloud.key", "postgresql://engine@db/engine", "key is missing"},
		"a host of no name":       {"limits:", "push: {subject: \"mailto:a@contoso.example\", hosts: [\"\"]}\nlimits:", "is not a host"},
		"a tunnel's user":         {"limits:", "primaries: {old: {type: radius, names_tunnel_user: true, servers: [{address: \"10.0.0.5:1812\", secret: env:MFABRIDGE_TEST_RADIUS}]}}\nlimits:", "names_tunnel_user means nothing"},
		"relayed accounting":      {"limits:", "primaries: {old: {type: radius, servers: [{address: \"10.0.0.5:1812\", accounting: \"10.0.0.5:1813\", secret: env:MFABRIDGE_TEST_RADIUS}]}}\nlimits:", "accounting means nothing"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%s changes nothing", name)
		}
		_, err := config.Parse([]byte(text), "engine.yaml", t.TempDir())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		} else if hint.Of(err) == "" && !strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: no advice with %v", name, err)
		}
	}
}

// The blocks of primaries are those of the shim, and proxies stand in front.
func TestPrimariesAndProxies(t *testing.T) {
	t.Setenv("MFABRIDGE_TEST_RADIUS", "a shared secret")
	text := strings.Replace(good, `"0.0.0.0:443", tls: {cert: a.crt, key: /etc/a.key}`, `"10.0.0.9:8080", trusted_proxies: ["10.0.0.1", "fd00::/64"]`, 1) +
		"public_url: https://mfa.contoso.example/\nsign_in: old\nusernames: {domains: {CORP: corp.example}}\n" +
		"primaries: {old: {type: radius, servers: [{address: \"10.0.0.5:1812\", secret: env:MFABRIDGE_TEST_RADIUS, message_authenticator: observe}]}}\n"
	c, err := config.Parse([]byte(text), "engine.yaml", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if c.PublicURL != "https://mfa.contoso.example" || c.SignIn != "old" || c.Primaries["old"].Servers[0].SharedSecret.IsZero() ||
		len(c.Usernames.Parsed) != 1 || len(c.Listeners.Pages.Proxies) != 2 || !c.Listeners.Pages.Proxied() || c.Listeners.API.Proxied() || len(c.Warnings) != 1 {
		t.Errorf("read as %+v", c)
	}
	if c, err := config.Parse([]byte(good+"public_url: https://mfa.contoso.example\n"), "engine.yaml", t.TempDir()); err != nil || c.SignIn != "engine" {
		t.Errorf("without primaries: %+v, %v", c, err)
	}
}

// What may change while the engine runs, and what asks for a new start.
func TestFollows(t *testing.T) {
	parse := func(text string) *config.Config {
		t.Helper()
		c, err := config.Parse([]byte(text), "engine.yaml", "/srv")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	now := parse(good)
	for name, c := range map[string]struct{ old, new, says string }{
		"nothing":            {"", "", ""},
		"certificate":        {"{cert: a.crt, key: a.key}", "{cert: b.crt, key: b.key}", ""},
		"tokens":             {"tokens: {life: 10m}", "tokens: {life: 5m, rotation: 5h}", ""},
		"store":              {"sqlite:cloud.db", "sqlite:other.db", "store cannot change"},
		"key":                {"file:cloud.key", "file:other.key", "key cannot change"},
		"channels":           {"limits:", "channels: {text: {providers: [{name: a, mode: off, smtp: {host: mail.contoso.example, from: a@contoso.example, to: \"<$digits$>@sms.contoso.example\"}}]}}\nlimits:", "channels cannot change"},
		"push":               {"limits:", "push: {subject: \"mailto:a@contoso.example\"}\nlimits:", "push cannot change"},
		"limits":             {"in_flight: 10", "in_flight: 11", "limits cannot change"},
		"address":            {"0.0.0.0:8443", "0.0.0.0:8444", "listeners.api.listen cannot change"},
		"issuer":             {"contoso.example:8443/", "contoso.example:8444/", "listeners.api.url cannot change"},
		"without TLS":        {`"0.0.0.0:443", tls: {cert: a.crt, key: /etc/a.key}`, `"127.0.0.1:443"`, "listeners.pages.tls cannot change"},
		"without a listener": {"  ops: {listen: \"127.0.0.1:9090\"}\n", "", "listeners.ops cannot change"},
	} {
		err := now.Follows(parse(strings.Replace(good, c.old, c.new, 1)))
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("store: sqlite:x\nlisteners: {api: {listen: 127.0.0.1:1}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := config.Parse(text, "engine.yaml", "/srv")
		if err != nil {
			return
		}
		for _, l := range []*config.Listener{c.Listeners.Pages, c.Listeners.API, c.Listeners.Ops} {
			if l != nil && l.TLS == nil && !l.Address.Addr().Unmap().IsLoopback() {
				t.Errorf("%s is served without TLS", l.Listen)
			}
		}
	})
}
