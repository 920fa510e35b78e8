package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/peer"
	"mfabridge/shim/config"
)

// reloads sends a running shim configurations.
type reloads struct {
	s    story
	shim shimProcess
	ops  string
	seen int // octets of the log
}

// try has the shim read a configuration, and returns what the log says of it.
func (r *reloads) try(t *testing.T, yaml string, taken bool) string {
	t.Helper()
	r.s.write(t, "shim.yaml", yaml)
	if err := syscall.Kill(r.shim.pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	said, swapped := "", false
	await(t, func() bool {
		said = r.shim.log()[r.seen:]
		swapped = strings.Contains(said, `"configuration swapped"`)
		return (swapped || strings.Contains(said, `"configuration is refused;`)) && strings.HasSuffix(said, "\n")
	}, func() string { return "nothing came of it:\n" + said })
	r.seen += len(said)
	if swapped != taken {
		t.Errorf("taken: %v, the log says\n%s", swapped, said)
	}
	gauge := map[bool]string{true: "mfabridge_shim_configuration_refused 0\n", false: "mfabridge_shim_configuration_refused 1\n"}[swapped]
	await(t, func() bool { return strings.Contains(scrape(t, r.ops), gauge) }, // it is set once the log has been told
		func() string { return "metrics never say " + gauge })
	return said
}

// A reload asks what is new in it: what a directory refuses is not taken, and
// logins go on. An outage keeps nothing else from being taken.
func TestReloadAsksADirectoryThatIsNew(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	slapd := ldaptest.Start(t, ldaptest.Options{LDIF: directoryEntry("ada", fixtures.Ada, "")})
	s.write(t, "bind.secret", ldaptest.RootPassword)
	s.write(t, "wrong.secret", "not the password of anybody")
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	good := strings.Replace(fmt.Sprintf(directoryYAML, slapd.LDAPS, slapd.LDAP, slapd.CAFile, ldaptest.Root), "radius:", "ops: \"127.0.0.1:0\"\nradius:", 1)
	r := &reloads{s: s, shim: startShim(t, s.write(t, "shim.yaml", good))}
	var address string
	address, r.ops = r.shim.split(t)
	logins := 0
	login := func(when string) {
		t.Helper()
		logins++
		if out := radclient(t, address, secretFile, `User-Name = "ada"`, `User-Password = "correct horse"`, fmt.Sprintf("Calling-Station-Id = \"%d\"", logins)); !strings.Contains(out, "Received Access-Challenge") {
			t.Errorf("after %s:\n%s", when, out)
		}
	}
	dead := ldaptest.Dead(t)
	login("the start")
	for name, change := range map[string][3]string{ // what of it, instead, and what the log says
		"password":     {"bind.secret", "wrong.secret", "check bind_dn and bind_password"},
		"bind_dn":      {ldaptest.Root, "cn=nobody,dc=corp,dc=example", "check bind_dn and bind_password"},
		"authority":    {slapd.CAFile, ldaptest.NewAuthority(t).File(t, t.TempDir()), "check ca"},
		"base":         {"base_dn: dc=corp,dc=example", "base_dn: dc=crop,dc=example", "check base_dn: letter by letter"},
		"filter":       {"base_dn: dc=corp,dc=example", "base_dn: dc=corp,dc=example\n    filter: (objectClass=account)", "nobody below dc=corp,dc=example can be seen"},
		"all are away": {fmt.Sprintf("%q, %q", slapd.LDAPS, slapd.LDAP), fmt.Sprintf("%q", dead), "and client vpn has its first factor from corp now, which can be asked"},
		"one refuses, the other is away": {fmt.Sprintf("%q, %q]\n    ca: %s", slapd.LDAPS, slapd.LDAP, slapd.CAFile),
			fmt.Sprintf("%q, %q]\n    ca: %s", dead, slapd.LDAP, ldaptest.NewAuthority(t).File(t, t.TempDir())), "check ca"},
	} {
		if said := r.try(t, strings.Replace(good, change[0], change[1], 1), false); !strings.Contains(said, change[2]) || strings.Contains(said, "not the password") {
			t.Errorf("%s: the log says\n%s", name, said)
		}
		login("a " + name + " that is wrong")
	}
	// One server of several is enough.
	said := r.try(t, strings.Replace(good, slapd.LDAP+`"`, dead+`"`, 1), true)
	if !strings.Contains(said, "cannot be asked") {
		t.Errorf("a server that is away is not told:\n%s", said)
	}
	login("a change of servers")
	slapd.Stop()
	r.try(t, strings.Replace(strings.Replace(good, slapd.LDAP+`"`, dead+`"`, 1), "name: vpn", "name: gate", 1), true)
	said = r.try(t, strings.Replace(good, "name: vpn", "name: gate", 1), true)
	if !strings.Contains(said, "a primary cannot be asked just now; the configuration is taken all the same") {
		t.Errorf("an outage of what it had, too:\n%s", said)
	}
	r.shim.stop()
}

// So it is with a RADIUS server, and with the dates of certificates.
func TestReloadAsksARADIUSServerThatIsNew(t *testing.T) {
	s := moved(t)
	s.write(t, "old.secret", "a secret of the home server")
	s.write(t, "other.secret", "another secret of a server")
	home := peer.HomeServer(t, "a secret of the home server", fmt.Sprintf("%s Cleartext-Password := \"pa55\"\n", fixtures.Ada))
	awaitStatus(t, home, s.write(t, "home.secret", "a secret of the home server"))
	s.write(t, "vpn.secret", sharedSecret)
	good := fmt.Sprintf(homeYAML, home) + "ops: \"127.0.0.1:0\"\n"
	r := &reloads{s: s, shim: startShim(t, s.write(t, "shim.yaml", good))}
	_, r.ops = r.shim.split(t)
	// FreeRADIUS says nothing to who has another secret: it may as well be away.
	said := r.try(t, strings.Replace(good, "old.secret", "other.secret", 1), false)
	if !strings.Contains(said, "no server of primary old answers, and client vpn has its first factor from old now") {
		t.Errorf("another secret:\n%s", said)
	}
	cert, key := certify(t, s.folder, 9)
	for name, from := range map[string]string{"ca.pem": cert, "server.pem": cert, "server.key": key} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		s.write(t, name, string(text))
	}
	overTLS := peer.HomeServerOverTLS(t, s.folder, fmt.Sprintf("%s Cleartext-Password := \"pa55\"\n", fixtures.Ada))
	misnamed := strings.Replace(good, "radius:\n", fmt.Sprintf("  tls: {type: radius, servers: [{address: %q, tls: {ca: ca.pem, cert: server.pem, key: server.key, name: home.example}}]}\nradius:\n", overTLS), 1)
	var checked result
	await(t, func() bool { // until it listens
		checked = mfabridge(t, "shim", "check", "--config", s.write(t, "tls.yaml", misnamed))
		return strings.Contains(checked.out, "wanted to match home.example")
	}, func() string { return "check says\n" + checked.out + checked.err })
	if said := r.try(t, misnamed, false); !strings.Contains(said, "no server of primary tls answers") || !strings.Contains(said, "wanted to match home.example") {
		t.Errorf("a certificate of another name:\n%s", said)
	}
	r.try(t, strings.Replace(misnamed, "name: home.example", "name: 127.0.0.1", 1), true)
	r.shim.stop()
}

// What listens cannot be asked for twice, whoever asks: check and serve say which
// keys do, and serve says it before anything is opened.
func TestAddressesThatAreAskedForTwice(t *testing.T) {
	s := moved(t)
	s.write(t, "vpn.secret", sharedSecret)
	port := peer.FreePort(t)
	yaml := strings.Replace(radclientYAML, "store: sqlite:cloud.db", "config: engine.yaml", 1)
	engine := "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\"}\n"
	for name, test := range map[string][3]string{
		"ops and the engine's": {yaml + "ops: \"127.0.0.1:" + port + "\"\n", engine + "  ops: {listen: \"127.0.0.1:" + port + "\"}\n",
			"ops 127.0.0.1:" + port + " and engine.config: listeners.ops 127.0.0.1:" + port + " cannot be open beside each other"},
		"two of the engine's": {yaml, "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:" + port + "\"}\n  ops: {listen: \"127.0.0.1:" + port + "\"}\n",
			"engine.config: listeners.api 127.0.0.1:" + port + " and engine.config: listeners.ops 127.0.0.1:" + port},
		"one among all": {strings.Replace(yaml, `listen: ["127.0.0.1:0"]`, `listen: ["0.0.0.0:`+port+`"], accounting: ["127.0.0.1:`+port+`"]`, 1), engine,
			"radius.listen 0.0.0.0:" + port + " and radius.accounting 127.0.0.1:" + port},
	} {
		test[0] = strings.Replace(test[0], "radius:\n  listen: [\"0.0.0.0:"+port+"\"], accounting", "radius:\n  listen: [\"0.0.0.0:"+port+"\"]\n  accounting", 1)
		s.write(t, "engine.yaml", test[1])
		path := s.write(t, "shim.yaml", test[0])
		for command, code := range map[string]int{"check": exitFailed, "serve": exitUsage} {
			if r := mfabridge(t, "shim", command, "--config", path); r.code != code || !strings.Contains(r.err, test[2]) || !strings.Contains(r.err, "hint: give one of them another port") {
				t.Errorf("%s, %s: exit code %d\n%s", name, command, r.code, r.err)
			}
		}
	}
}

func TestWhichSocketsTakeEachOther(t *testing.T) {
	for _, test := range []struct {
		network, one, other string
		both, takes         bool
	}{
		{"udp", "127.0.0.1:1", "127.0.0.1:1", false, true},
		{"udp", "127.0.0.1:1", "127.0.0.2:1", false, false},
		{"udp", "127.0.0.1:1", "127.0.0.1:2", false, false},
		{"udp", "127.0.0.1:0", "127.0.0.1:0", false, false},
		{"udp", "0.0.0.0:1", "127.0.0.1:1", false, true},
		{"udp", "127.0.0.1:1", "0.0.0.0:1", false, true},
		{"udp", "[::]:1", "127.0.0.1:1", false, false},
		{"udp", "[::]:1", "0.0.0.0:1", false, false},
		{"udp", "[::]:1", "[::1]:1", false, true},
		{"tcp", "[::]:1", "127.0.0.1:1", true, true},
		{"tcp", "0.0.0.0:1", "[::1]:1", true, true},
	} {
		one := socket{network: test.network, address: netip.MustParseAddrPort(test.one), both: test.both}
		other := socket{network: test.network, address: netip.MustParseAddrPort(test.other), both: test.both}
		if got := one.takes(other) || other.takes(one); got != test.takes {
			t.Errorf("%s %s and %s: %v", test.network, test.one, test.other, got)
		}
	}
	if (socket{network: "udp", address: netip.MustParseAddrPort("127.0.0.1:1")}).takes(socket{network: "tcp", address: netip.MustParseAddrPort("127.0.0.1:1")}) {
		t.Error("udp takes tcp")
	}
}

// check reads the TLS files of the engine that the shim serves, and asks its
// first factors.
func TestShimCheckLooksAtWhatItsEngineNeeds(t *testing.T) {
	s := moved(t)
	s.write(t, "vpn.secret", sharedSecret)
	s.write(t, "home.secret", "a secret of nobody's server")
	path := s.write(t, "shim.yaml", strings.Replace(radclientYAML, "store: sqlite:cloud.db", "config: engine.yaml", 1))
	certify(t, s.folder, 10)
	const over = "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\", tls: {cert: engine.crt, key: %s}}\n"
	s.write(t, "engine.yaml", fmt.Sprintf(over, "engine.key"))
	if r := must(t, exitDone, "shim", "check", "--config", path); !strings.Contains(r.out, "engine.config: listeners.api.tls.cert: the certificate ends ") {
		t.Errorf("check says\n%s", r.out)
	}
	for engine, want := range map[string]string{
		fmt.Sprintf(over, "none.key"):   "engine.config: listeners.api.tls: certificate cannot be read",
		fmt.Sprintf(over, "vpn.secret"): "engine.config: listeners.api.tls: certificate ",
		fmt.Sprintf(over, "engine.key") + "sign_in: old\nprimaries:\n  old: {type: radius, servers: [{address: \"127.0.0.1:" + peer.FreePort(t) + "\", secret: file:home.secret}]}\n": "engine.config: no server of primary old answers",
	} {
		s.write(t, "engine.yaml", engine)
		if r := must(t, exitFailed, "shim", "check", "--config", path); !strings.Contains(r.err, want) || !strings.Contains(r.err, "hint: ") {
			t.Errorf("no %q in\n%s", want, r.err)
		}
	}
}

// What is left of a port that the configuration names no longer lives by what is
// said now: connections that came in there included.
func TestRetiredPortsHearOfLaterConfigurations(t *testing.T) {
	var renewed []string
	made := func(name string) *port {
		return &port{name: name, retire: func() error { return nil }, renew: func(*config.Config) { renewed = append(renewed, name) }}
	}
	w := &ports{gone: make(map[*port]bool), open: []*port{made("radsec 127.0.0.1:1"), made("ops 127.0.0.1:2")}}
	next := &config.Config{Ops: "127.0.0.1:2"}
	for range 2 {
		if err := w.take(next, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(strings.Join(renewed, "\n"), "radsec"); got != 2 || len(w.open) != 1 {
		t.Errorf("%v, %d open", renewed, len(w.open))
	}
}

// A password of the account that searches that is wrong is tried once, however
// many log in, so that the directory does not lock it: it is silence meanwhile,
// as in an outage, and a reload with the right one is all that mends it.
func TestWrongBindPasswordLocksNobody(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	const policy = "dn: cn=policy,dc=corp,dc=example\nobjectClass: person\nobjectClass: pwdPolicy\ncn: policy\nsn: policy\npwdAttribute: userPassword\npwdLockout: TRUE\npwdMaxFailure: 5\n\n"
	slapd := ldaptest.Start(t, ldaptest.Options{Overlay: "overlay ppolicy\nppolicy_default cn=policy,dc=corp,dc=example\n",
		LDIF: policy + directoryEntry("shim", "shim@corp.example", "") + directoryEntry("ada", fixtures.Ada, "")})
	s.write(t, "bind.secret", "correct hose")
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	yaml := strings.Replace(fmt.Sprintf(directoryYAML, slapd.LDAPS, slapd.LDAP, slapd.CAFile, "cn=shim,dc=corp,dc=example"), "radius:", "ops: \"127.0.0.1:0\"\nradius:", 1)
	r := &reloads{s: s, shim: startShim(t, s.write(t, "shim.yaml", yaml))}
	var address string
	address, r.ops = r.shim.split(t)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if out := brief(t, address, secretFile, `User-Name = "ada"`, fmt.Sprintf("User-Password = \"synthetic %d\"", i)); strings.Contains(out, "Received") {
				t.Errorf("not silent:\n%s", out)
			}
		})
	}
	all.Wait()
	await(t, func() bool { return strings.Count(r.shim.log(), `"reason":"outage"`) >= 10 }, r.shim.log)
	log := r.shim.log()
	if strings.Count(log, "the directory refuses the account that searches") != 1 || !strings.Contains(log, `"hint":"put the right bind_password`) ||
		!strings.Contains(log, "is left alone until") || strings.Count(log, `"reason":"outage"`) < 10 || strings.Contains(log, "correct hose") {
		t.Errorf("the log says\n%s", log)
	}
	if m := scrape(t, r.ops); !strings.Contains(m, "mfabridge_shim_directory_accounts_refused 1\n") {
		t.Errorf("metrics say\n%s", m)
	}
	s.write(t, "bind.secret", "correct horse")
	r.try(t, yaml, true)
	if out := radclient(t, address, secretFile, `User-Name = "ada"`, `User-Password = "correct horse"`); !strings.Contains(out, "Received Access-Challenge") {
		t.Errorf("the account is locked, or the right password is not tried:\n%s", out)
	}
	r.shim.stop()
}
