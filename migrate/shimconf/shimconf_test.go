package shimconf_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/internal/secret"
	"mfabridge/legacy"
	"mfabridge/migrate/shimconf"
	"mfabridge/shim/config"
)

const canary = "synthetic shared secret"

func settings() legacy.Settings {
	return legacy.Settings{
		RadiusClients: []legacy.RadiusClient{
			{Name: "vpn", IPAddress: "192.0.2.10", ApplicationName: "VPN Amsterdam", SharedSecret: secret.FromString(canary), RequireUserMatch: true},
			{Name: "citrix", IPAddress: "192.0.2.20", SharedSecret: secret.FromString(canary + " two"), PassesUnknown: true, EnableFallbackOathToken: true},
		},
		RadiusTarget: legacy.RadiusTarget{Type: "radius", Servers: []legacy.TargetServer{{Address: "10.0.0.5", AccountingPort: 1646, SharedSecret: secret.FromString(canary)},
			{Address: "10.0.0.6", AuthenticationPort: 1645, SharedSecret: secret.FromString(canary)}}},
		LDAPClients: []legacy.LDAPClient{{Name: "wiki"}},
		Caching:     []legacy.CacheRule{{Type: "user", Seconds: 300, Application: "VPN"}},
		TrustedIPs:  []legacy.TrustedIP{{From: netip.MustParseAddr("198.51.100.0"), To: netip.MustParseAddr("198.51.100.255")}},
	}
}

// load writes a result into a folder and has the shim's own check read it.
func load(t *testing.T, r shimconf.Result) (*config.Config, error) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range r.Secrets {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Value.Reveal(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := config.Parse([]byte(r.YAML), "shim.yaml", dir)
	return c, err
}

func convert(t *testing.T, s legacy.Settings) shimconf.Result {
	t.Helper()
	r, err := shimconf.Convert(s, shimconf.Options{Store: "sqlite:cloud.db", Source: "contoso"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.YAML, canary) {
		t.Errorf("a secret stands in the configuration:\n%s", r.YAML)
	}
	return r
}

func TestACompleteExportMakesAConfigurationThatIsGood(t *testing.T) {
	r := convert(t, settings())
	c, err := load(t, r)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.YAML)
	}
	vpn, citrix := c.RADIUS.Clients[0], c.RADIUS.Clients[1]
	if vpn.Name != "VPN Amsterdam" || vpn.Unmatched != config.Deny || vpn.FallbackOATH || vpn.MessageAuthenticator != config.Observe || vpn.Accounting != "old" ||
		string(vpn.SharedSecret.Reveal()) != canary || vpn.Prefixes[0].String() != "192.0.2.10/32" {
		t.Errorf("vpn: %+v", vpn)
	}
	if citrix.Name != "citrix" || citrix.Unmatched != config.Deny || !citrix.FallbackOATH {
		t.Errorf("citrix: %+v", citrix)
	}
	servers := c.Primaries["old"].Servers
	if servers[0].Address != "10.0.0.5:1812" || servers[0].Accounting != "10.0.0.5:1646" || servers[1].Address != "10.0.0.6:1645" {
		t.Errorf("servers %+v", servers)
	}
	for _, code := range []string{"LDAP_CLIENT_NOT_SERVED", "CACHE_RULE_NOT_MOVED", "TRUSTED_IP_NOT_MOVED", "password alone"} {
		if !strings.Contains(strings.Join(r.Notes, "\n"), code) || !strings.Contains(r.YAML, code) {
			t.Errorf("nothing about %s in %q", code, r.Notes)
		}
	}
}

func TestUnknownUsersPassOnlyWithADirectory(t *testing.T) {
	s := settings()
	s.RadiusTarget.Type = "ldap"
	r := convert(t, s)
	r.YAML = strings.Replace(r.YAML, `base_dn: ""`, "base_dn: dc=corp,dc=example", 1)
	c, err := load(t, r)
	if err != nil || c.RADIUS.Clients[0].Unmatched != config.Deny || c.RADIUS.Clients[1].Unmatched != config.PrimaryOnly {
		t.Errorf("%v\n%s", err, r.YAML)
	}
}

// An export that says nothing of unknown users, or something that is neither
// true nor false, lets nobody in by the password alone.
func TestUnknownUsersAreKeptOutWhereTheExportSaysNothingOfThem(t *testing.T) {
	s := settings()
	s.RadiusTarget.Type = "ldap"
	s.RadiusClients[1].PassesUnknown = false
	r := convert(t, s)
	if strings.Contains(r.YAML, "primary_only") || !strings.Contains(strings.Join(r.Notes, "\n"), "citrix: the export does not say") {
		t.Errorf("notes %q\n%s", r.Notes, r.YAML)
	}
}

func TestAClientOfIPv6HasASocket(t *testing.T) {
	s := settings()
	s.RadiusClients[1].IPAddress = "2001:db8::20"
	c, err := load(t, convert(t, s))
	if err != nil || len(c.RADIUS.Addresses) != 2 || len(c.RADIUS.AccountingAddresses) != 2 || !c.RADIUS.Addresses[1].Addr().Is6() {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := load(t, convert(t, settings())); err != nil || len(c.RADIUS.Addresses) != 1 {
		t.Errorf("without one: %+v, %v", c, err)
	}
}

// What the export does not say keeps the shim from starting.
// A server is asked where the old one asked it. What is no address is not made
// one, and the shim does not start before somebody has written what is meant.
func TestAddressesOfServers(t *testing.T) {
	for address, want := range map[string]struct{ radius, ldap string }{
		"10.0.0.5":               {"10.0.0.5:1812", "ldaps://10.0.0.5"},
		" dc1.corp.example ":     {"dc1.corp.example:1812", "ldaps://dc1.corp.example"},
		"10.0.0.5:1645":          {"10.0.0.5:1645", "ldaps://10.0.0.5:1645"},
		"dc1.corp.example:389":   {"dc1.corp.example:389", "ldaps://dc1.corp.example"},
		"[2001:db8::5]:1645":     {"[2001:db8::5]:1645", "ldaps://[2001:db8::5]:1645"},
		"2001:db8::5":            {"[2001:db8::5]:1812", "ldaps://[2001:db8::5]"},
		"10.0.0.5:99999":         {},
		"10.0.0.5:":              {},
		"radius://10.0.0.5":      {},
		"dc1.corp.example; dc2":  {},
		"ldap://dc1.corp.exampl": {},
		"":                       {},
	} {
		s := settings()
		s.RadiusTarget.Servers = []legacy.TargetServer{{Address: address, SharedSecret: secret.FromString(canary)}}
		r := convert(t, s)
		c, err := load(t, r)
		if want.radius == "" {
			if err == nil || !strings.Contains(err.Error(), "is not an address with a port") || !strings.Contains(r.YAML, "which is no address of a server") {
				t.Errorf("%q: %v\n%s", address, err, r.YAML)
			}
		} else if err != nil || c.Primaries["old"].Servers[0].Address != want.radius {
			t.Errorf("%q: %v\n%s", address, err, r.YAML)
		}
		s.RadiusTarget.Type = "ldap"
		if r := convert(t, s); !strings.Contains(r.YAML, "urls: ["+map[bool]string{true: `"` + want.ldap + `"`}[want.ldap != ""]+"]") {
			t.Errorf("%q: want %q\n%s", address, want.ldap, r.YAML)
		}
	}
}

func TestWhatIsMissingIsNotGuessed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*legacy.Settings)
		want   string
	}{
		"no secret":    {func(s *legacy.Settings) { s.RadiusClients[0].SharedSecret = secret.Bytes{} }, "client VPN Amsterdam: secret: "},
		"a host name":  {func(s *legacy.Settings) { s.RadiusClients[0].IPAddress = "vpn.example" }, "client VPN Amsterdam has no networks"},
		"one address":  {func(s *legacy.Settings) { s.RadiusClients[1].IPAddress = "192.0.2.10" }, "belongs to client VPN Amsterdam and to client citrix"},
		"no target":    {func(s *legacy.Settings) { s.RadiusTarget = legacy.RadiusTarget{} }, "does not say who checks the first factor"},
		"a directory":  {func(s *legacy.Settings) { s.RadiusTarget.Type = "ldap" }, "primaries.old has no base_dn"},
		"Windows":      {func(s *legacy.Settings) { s.RadiusTarget = legacy.RadiusTarget{Type: "windows"} }, "primaries.old has no base_dn"},
		"no secret up": {func(s *legacy.Settings) { s.RadiusTarget.Servers[1].SharedSecret = secret.Bytes{} }, "primaries.old.servers[1]: secret: "},
	} {
		s := settings()
		c.change(&s)
		if conf, err := load(t, convert(t, s)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want %q", name, conf != nil, err, c.want)
		}
	}
	if _, err := shimconf.Convert(legacy.Settings{}, shimconf.Options{}); err == nil {
		t.Error("nothing became a configuration")
	}
}

// Names come from a customer's file: they are text, whatever they hold.
func FuzzConvert(f *testing.F) {
	f.Add("vpn", "192.0.2.1", "a\nb: c")
	f.Add("\"", "::1", "#")
	f.Fuzz(func(t *testing.T, name, address, application string) {
		s := settings()
		s.RadiusClients = append(s.RadiusClients, legacy.RadiusClient{Name: name, IPAddress: address, ApplicationName: application, SharedSecret: secret.FromString(canary)})
		s.RadiusTarget.Servers = append(s.RadiusTarget.Servers, legacy.TargetServer{Address: address, SharedSecret: secret.FromString(canary)})
		r, err := shimconf.Convert(s, shimconf.Options{Store: "sqlite:cloud.db"})
		if err != nil {
			t.Fatal(err)
		}
		c, err := load(t, r)
		if err == nil && len(c.RADIUS.Clients) != 3 {
			t.Errorf("%d clients of %q", len(c.RADIUS.Clients), r.YAML)
		}
		said := func(words string) bool { return strings.Contains(err.Error(), words) }
		if err != nil && !said("network") && !said("is not an address with a port") && !said("stands there twice") && !said("is this shim itself") {
			t.Errorf("%v\n%s", err, r.YAML)
		}
	})
}
