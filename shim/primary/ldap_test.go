package primary_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/secret"
	"mfabridge/shim"
	"mfabridge/shim/primary"
)

const (
	base     = "dc=corp,dc=example"
	adaSID   = "S-1-5-21-1000-2000-3000-1101"
	emeaSID  = "S-1-5-21-1000-2000-4000-1101"
	password = "correct horse"
)

func entry(dn, account, upn, sid, more string) string {
	s := fmt.Sprintf("dn: %s\nobjectClass: user\nsn: x\nsAMAccountName: %s\nuserPassword: %s\n", dn, account, password)
	if upn != "" {
		s += "userPrincipalName: " + upn + "\n"
	}
	if sid != "" {
		raw, err := ldapconn.EncodeSID(sid)
		if err != nil {
			panic(err)
		}
		s += "objectSid:: " + base64.StdEncoding.EncodeToString(raw) + "\n"
	}
	return s + more + "\n"
}

// people are a small organisation with two domains; emea has an ada too.
func people() string {
	return entry("cn=ada,"+base, "ada", "ada@corp.example", adaSID, "") +
		"dn: dc=emea," + base + "\nobjectClass: domain\ndc: emea\n\n" +
		entry("cn=ada,dc=emea,"+base, "ada", "ada@emea.corp.example", emeaSID, "") +
		entry("cn=grace,"+base, "grace", "grace@corp.example", "", "") +
		entry("cn=nobody,"+base, "nameless", "", "", "") +
		entry("cn=muller,"+base, "Muller", "muller@corp.example", adaSID+"9", "") +
		"dn: cn=vpn," + base + "\nobjectClass: group\ncn: vpn\nmember: cn=grace," + base + "\n\n" +
		"dn: cn=all," + base + "\nobjectClass: group\ncn: all\nmember: cn=vpn," + base + "\n\n" +
		entry("cn=trail,"+base, "trail", "trail@corp.example", adaSID+"8", "") +
		strings.Replace(entry("cn=pc,"+base, "pc$", "", adaSID+"7", ""), "objectClass: user", "objectClass: computer", 1)
}

// overSlapd is the primary over a genuine OpenLDAP.
func overSlapd(t *testing.T, change func(*primary.LDAPOptions)) (*primary.LDAP, *ldaptest.Slapd) {
	t.Helper()
	s := ldaptest.Start(t, ldaptest.Options{LDIF: people()})
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := ldapconn.ReadCA(pem)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ldapconn.New(ldapconn.Config{Servers: []string{ldaptest.Dead(t), s.LDAPS, s.LDAP}, CA: pool, BindDN: ldaptest.Root,
		Password: secret.FromString(ldaptest.RootPassword), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	corp, err := ldapconn.ParseDomain("corp.example")
	if err != nil {
		t.Fatal(err)
	}
	o := primary.LDAPOptions{Directory: c, Base: base, Domains: map[string]ldapconn.Domain{"CORP": corp}, MaxFailures: 100}
	if change != nil {
		change(&o)
	}
	p, err := primary.NewLDAP(o)
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

func typed(user, pw string) shim.Login {
	return shim.Login{User: user, Password: secret.FromString(pw)}
}

func TestNamesLeadToOneEntryOrNone(t *testing.T) {
	p, _ := overSlapd(t, nil)
	for _, c := range []struct {
		name    string
		subject string
		kind    cloud.Kind // Internal: no error
	}{
		{name: `CORP\ada`, subject: adaSID},
		{name: `corp\ADA`, subject: adaSID},
		{name: "ada@corp.example", subject: adaSID},
		{name: "ADA@CORP.example", subject: adaSID},
		{name: "ada@emea.corp.example", subject: emeaSID},
		{name: "grace", subject: "grace@corp.example"}, // no identifier: by name
		{name: "ada", kind: cloud.Conflict},            // two domains have one
		{name: `OTHER\ada`, kind: cloud.NotFound},
		{name: `CORP\`, kind: cloud.NotFound},
		{name: `\ada`, kind: cloud.NotFound},
		{name: "ada@corp", kind: cloud.NotFound},
		{name: "nameless", kind: cloud.NotFound}, // nothing to know them by
		{name: "pc$", kind: cloud.NotFound},      // a computer
		{name: "*", kind: cloud.NotFound},
		{name: "ad*", kind: cloud.NotFound},
		{name: "ada)(objectClass=*", kind: cloud.NotFound},
		{name: "grace\x00", kind: cloud.NotFound},
		{name: "trail", subject: adaSID + "8"},
		{name: "trail ", kind: cloud.NotFound},
		{name: " trail", kind: cloud.NotFound},
		{name: "ｔrail", kind: cloud.NotFound}, // full-width t
		{name: "Müller", kind: cloud.NotFound},
		{name: "muller", subject: adaSID + "9"},
	} {
		proof, err := p.Prove(t.Context(), typed(c.name, password))
		if c.kind != cloud.Internal {
			if err == nil || cloud.KindOf(err) != c.kind || proof.OK {
				t.Errorf("%q: got %+v, %v", c.name, proof, err)
			}
			continue
		}
		if err != nil || !proof.OK || proof.Subject.Value != c.subject {
			t.Errorf("%q: got %+v, %v", c.name, proof, err)
		}
	}
}

func TestWhoIsAskedForTheSecondFactor(t *testing.T) {
	p, _ := overSlapd(t, nil)
	proof, err := p.Prove(t.Context(), typed(`CORP\ada`, password))
	want := shim.Proof{OK: true, Subject: cloud.Key{Kind: cloud.BySID, Value: adaSID}, Otherwise: cloud.Key{Kind: cloud.ByUPN, Value: "ada@corp.example"}, SID: adaSID}
	if err != nil || proof.Subject != want.Subject || proof.Otherwise != want.Otherwise || proof.SID != want.SID || proof.Name != "ada@corp.example" {
		t.Errorf("got %+v, %v", proof, err)
	}
	proof, err = p.Prove(t.Context(), typed(`CORP\ada`, "wrong"))
	if err != nil || proof.OK || proof.Reason != cloud.WrongPassword || proof.Subject.Value != "" || proof.Name != "ada@corp.example" {
		t.Errorf("a wrong password: %+v, %v", proof, err)
	}
}

// Who reads why a name is nobody's learns what to look at.
func TestANameThatIsNobodysSaysWhy(t *testing.T) {
	p, _ := overSlapd(t, nil)
	for name, want := range map[string]string{
		`OTHER\ada`:        "is no domain of usernames.domains",
		`CORP\nobody`:      "has no entry of this name",
		"nobody":           "has no entry of this name",
		"trail ":           "only a name that looks like it",
		"ada":              "several entries",
		"nameless":         "neither a security identifier",
		"ada@corp.example": "",
	} {
		if _, err := p.Prove(t.Context(), typed(name, password)); want != "" && (err == nil || !strings.Contains(err.Error(), want)) || want == "" && err != nil {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	far, err := ldapconn.ParseDomain("contoso.example") // the part behind the @, and no base of the directory
	if err != nil {
		t.Fatal(err)
	}
	p, _ = overSlapd(t, func(o *primary.LDAPOptions) { o.Domains = map[string]ldapconn.Domain{"CORP": far} })
	if _, err := p.Prove(t.Context(), typed(`CORP\grace`, password)); err == nil || !strings.Contains(err.Error(), "not in the domain that usernames.domains gives") {
		t.Errorf("a wrong domain: %v", err)
	}
}

func TestPeopled(t *testing.T) {
	for filter, want := range map[string]bool{"": true, "(objectClass=inetOrgPerson)": true, "(objectClass=account)": false, "(sAMAccountName=grace)": true} {
		p, _ := overSlapd(t, func(o *primary.LDAPOptions) { o.Filter = filter })
		if some, err := p.Peopled(t.Context()); err != nil || some != want {
			t.Errorf("%s: %v, %v", filter, some, err)
		}
	}
	p, s := overSlapd(t, nil)
	s.Stop()
	if some, err := p.Peopled(t.Context()); err == nil || some {
		t.Errorf("without a directory: %v, %v", some, err)
	}
}

func TestReadyKnowsWhenTheDirectoryIsGone(t *testing.T) {
	now := time.Now()
	p, s := overSlapd(t, func(o *primary.LDAPOptions) { o.Now = func() time.Time { return now } })
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if _, err := p.Prove(t.Context(), typed(`CORP\ada`, password)); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("login without a directory: %v", err)
	}
	now = now.Add(time.Minute)
	if err := p.Ready(t.Context()); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("got %v", err)
	}
}

// Before a password is tried the same entry is found, and nothing is bound.
func TestIdentifyBindsNothing(t *testing.T) {
	p, s := scripted(t, nil, func(ldaptest.Request) ldaptest.Reply { return no("52e") })
	before := binds(s)
	subject, otherwise, err := p.Identify(t.Context(), shim.Login{User: "ada"})
	if err != nil || subject != (cloud.Key{Kind: cloud.ByUPN, Value: "ada@corp.example"}) || otherwise.Value != "" {
		t.Errorf("got %v, %v, %v", subject, otherwise, err)
	}
	if n := binds(s) - before; n != 0 {
		t.Errorf("%d binds", n)
	}
	if _, _, err := p.Identify(t.Context(), shim.Login{User: "grace"}); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("a name that is not the entry's: %v", err)
	}
}

// scripted is the primary over a peer that speaks as Active Directory does.
func scripted(t *testing.T, change func(*primary.LDAPOptions), bind func(ldaptest.Request) ldaptest.Reply) (*primary.LDAP, *ldaptest.Scripted) {
	t.Helper()
	s := ldaptest.Script(t, func(r ldaptest.Request) ldaptest.Reply {
		if r.Bind {
			return bind(r)
		}
		return ldaptest.Reply{Entries: []ldaptest.Entry{{DN: "CN=Ada," + base, Attributes: map[string][]string{"sAMAccountName": {"ada"}, "userPrincipalName": {"ada@corp.example"}}}}}
	})
	c, err := ldapconn.New(ldapconn.Config{Servers: []string{s.URL}, Plain: true, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	o := primary.LDAPOptions{Directory: c, Base: base}
	if change != nil {
		change(&o)
	}
	p, err := primary.NewLDAP(o)
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

func no(data string) ldaptest.Reply {
	return ldaptest.Reply{Code: 49, Message: "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data " + data + ", v3839"}
}

func TestActiveDirectorysRefusals(t *testing.T) {
	for data, want := range map[string]cloud.Reason{
		"52e": cloud.WrongPassword, "525": cloud.WrongPassword, "530": shim.NotNow, "532": shim.PasswordExpired, "533": cloud.UserDisabled,
		"701": shim.AccountExpired, "773": shim.PasswordMustChange, "775": shim.AccountLocked, "999": cloud.WrongPassword,
	} {
		p, _ := scripted(t, nil, func(ldaptest.Request) ldaptest.Reply { return no(data) })
		proof, err := p.Prove(t.Context(), typed("ada", password))
		if err != nil || proof.OK || proof.Reason != want {
			t.Errorf("data %s: got %+v, %v", data, proof, err)
		}
	}
}

func TestOutagesAreNoRefusals(t *testing.T) {
	for name, reply := range map[string]ldaptest.Reply{
		"busy": {Code: 51}, "unwilling": {Code: 53}, "referral": {Code: 10}, "gone": {Drop: true}, "silent": {Hang: true}, "policy that is not known": {HasPolicy: true, Policy: 8},
	} {
		p, _ := scripted(t, nil, func(ldaptest.Request) ldaptest.Reply { return reply })
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if reply.Hang {
			ctx, cancel = context.WithTimeout(ctx, time.Second)
		}
		proof, err := p.Prove(ctx, typed("ada", password))
		cancel()
		if cloud.KindOf(err) != cloud.Unavailable || proof.OK {
			t.Errorf("%s: got %+v, %v", name, proof, err)
		}
	}
}

func binds(s *ldaptest.Scripted) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Bind {
			n++
		}
	}
	return n
}

func TestWrongPasswordsStopBeforeTheDirectoryLocks(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	p, s := scripted(t, func(o *primary.LDAPOptions) { o.Now = func() time.Time { return now } },
		func(r ldaptest.Request) ldaptest.Reply {
			if r.Password == password {
				return ldaptest.Reply{}
			}
			return no("52e")
		})
	try := func(pw string) cloud.Reason {
		t.Helper()
		proof, err := p.Prove(t.Context(), typed("ada", pw))
		if err != nil {
			t.Fatal(err)
		}
		return proof.Reason
	}
	for i := range 3 {
		if got := try(fmt.Sprint("guess ", i)); got != cloud.WrongPassword {
			t.Errorf("guess %d: %q", i, got)
		}
	}
	if got := try(password); got != cloud.TooManyTries || binds(s) != 3 {
		t.Errorf("after three wrong ones: %q, %d binds", got, binds(s))
	}
	now = now.Add(15 * time.Minute)
	if got := try(password); got != "" {
		t.Errorf("after the window: %q", got)
	}
	for range 2 {
		try("guess")
	}
	if got := try(password); got != "" {
		t.Errorf("two wrong ones after a right one: %q", got)
	}
	for range 2 {
		if got := try("guess"); got != cloud.WrongPassword {
			t.Errorf("a right password does not end the count: %q", got)
		}
	}
}

func TestManyGuessesAtOnceDoNotSlipThrough(t *testing.T) {
	p, s := scripted(t, nil, func(ldaptest.Request) ldaptest.Reply { return no("52e") })
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() { _, _ = p.Prove(t.Context(), typed("ada", fmt.Sprint("guess ", i))) })
	}
	wg.Wait()
	if n := binds(s); n > 3 {
		t.Errorf("%d guesses reached the directory, the limit is 3", n)
	}
}

func TestNewLDAPRefuses(t *testing.T) {
	for name, o := range map[string]primary.LDAPOptions{
		"no base":       {},
		"bad filter":    {Base: base, Filter: "(x="},
		"bad attribute": {Base: base, UPN: "a)(b"},
	} {
		if _, err := primary.NewLDAP(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestGroupsComeWithTheProofOrNoProofComes(t *testing.T) {
	var client *ldapconn.Client
	p, s := overSlapd(t, func(o *primary.LDAPOptions) {
		client = o.Directory.(*ldapconn.Client)
		o.GroupsOf = func(ctx context.Context, dn string) ([]string, error) {
			return ldapconn.Groups{Base: base}.Of(ctx, client, dn)
		}
	})
	proof, err := p.Prove(t.Context(), typed("grace", password))
	if err != nil || !proof.OK || len(proof.Groups) != 2 {
		t.Fatalf("grace, in vpn and by it in all: %+v, %v", proof, err)
	}
	if proof, err = p.Prove(t.Context(), typed("grace", "wrong")); err != nil || proof.OK || proof.Groups != nil {
		t.Errorf("a wrong password: %+v, %v", proof, err)
	}
	broken, _ := overSlapd(t, func(o *primary.LDAPOptions) {
		o.GroupsOf = func(context.Context, string) ([]string, error) { return nil, errors.New("no") }
	})
	if proof, err := broken.Prove(t.Context(), typed("grace", password)); proof.OK || cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("groups cannot be told: %+v, %v", proof, err)
	}
	s.Stop()
}

// counted is a directory that holds nobody, and counts who asks.
type counted struct {
	asked int
	err   error
}

func (c *counted) Search(context.Context, ldapconn.Query) ([]ldapconn.Entry, error) {
	c.asked++
	return nil, c.err
}

func (c *counted) Authenticate(context.Context, string, secret.Bytes) error {
	return errors.New("nobody is here")
}

// What was seen of the directory holds for five seconds, and not until a clock
// that was put back has caught up.
func TestReadyAsksNowAndThen(t *testing.T) {
	now, d := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), &counted{}
	p, err := primary.NewLDAP(primary.LDAPOptions{Directory: d, Base: base, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		later time.Duration
		err   error
		asked int
		ready bool
	}{
		{0, nil, 1, true}, {4 * time.Second, errors.New("gone"), 1, true}, {time.Second, errors.New("gone"), 2, false},
		{4 * time.Second, nil, 2, false}, {-time.Hour, nil, 3, true}, {-time.Second, errors.New("gone"), 4, false},
	} {
		now, d.err = now.Add(c.later), c.err
		if err := p.Ready(t.Context()); (err == nil) != c.ready || d.asked != c.asked {
			t.Errorf("step %d: asked %d times, %v", i, d.asked, err)
		}
	}
}

// Whoever gives up while the directory is asked, or came without any time left,
// leaves no word on the directory behind. That it took all of somebody's time is one.
func TestReadyForgetsWhoGaveUp(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, end := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer end()
	for name, ctx := range map[string]context.Context{"gave up": gone, "no time": late} {
		d := &counted{err: ctx.Err()}
		p, err := primary.NewLDAP(primary.LDAPOptions{Directory: d, Base: base})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Ready(ctx); cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
		d.err = nil
		if err := p.Ready(t.Context()); err != nil || d.asked != 2 {
			t.Errorf("%s: after %d questions the next one hears %v", name, d.asked, err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		d := &slow{}
		p, err := primary.NewLDAP(primary.LDAPOptions{Directory: d, Base: base})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := p.Ready(ctx); cloud.KindOf(err) != cloud.Unavailable || d.asked != 1 {
				t.Errorf("slow: after %d questions: %v", d.asked, err)
			}
			cancel()
		}
	})
}

// slow is a directory that never answers.
type slow struct{ counted }

func (s *slow) Search(ctx context.Context, _ ldapconn.Query) ([]ldapconn.Entry, error) {
	s.asked++
	<-ctx.Done()
	return nil, ctx.Err()
}

// A name that stands for nobody is not looked up.
func TestNamesThatAskNothing(t *testing.T) {
	d := &counted{}
	p, err := primary.NewLDAP(primary.LDAPOptions{Directory: d, Base: base, Domains: map[string]ldapconn.Domain{"CORP": {}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`CORP\`, `ELSE\ada`, `\ada`} {
		if _, err := p.Prove(t.Context(), typed(name, password)); cloud.KindOf(err) != cloud.NotFound || d.asked != 0 {
			t.Errorf("%s: asked %d times, %v", name, d.asked, err)
		}
	}
}
