package ldapconn_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/internal/ldapconn"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/secret"
)

// clock stands until somebody sets it.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(0, c.nanoseconds.Load()) }
func (c *clock) pass(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// refusing are two servers of one directory that take one password of the
// account that searches, and Clients that share its pace.
type refusing struct {
	right   atomic.Value // string
	servers []*ldaptest.Scripted
	clock   clock
	binds   ldapconn.Accounts
	told    atomic.Int32
}

func newRefusing(t *testing.T) *refusing {
	r := new(refusing)
	r.right.Store("right")
	r.clock.pass(time.Hour)
	for range 2 {
		r.servers = append(r.servers, ldaptest.Script(t, func(q ldaptest.Request) ldaptest.Reply {
			switch {
			case q.Bind && strings.ReplaceAll(strings.ToLower(q.Name), " ", "") == "cn=shim,dc=corp,dc=example" && q.Password != r.right.Load():
				return ldaptest.Reply{Code: 49, Message: "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data 52e, v3839"}
			case q.Bind:
				return ldaptest.Reply{}
			}
			return ldaptest.Reply{Drop: q.Name == "dc=drop"} // else nobody is found
		}))
	}
	return r
}

func (r *refusing) client(t *testing.T, name, password string, servers ...*ldaptest.Scripted) *ldapconn.Client {
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.URL)
	}
	return client(t, ldapconn.Config{Servers: urls, Plain: true, Timeout: time.Minute, BindDN: name, Password: secret.FromString(password),
		Accounts: &r.binds, Now: r.clock.now, Refused: func(err error, until time.Time) {
			if r.told.Add(1); err == nil || !until.After(r.clock.now()) {
				panic("told of nothing")
			}
		}})
}

// tries is how many binds of the account that searches the servers have seen.
func (r *refusing) tries() (n int) {
	for _, s := range r.servers {
		for _, q := range s.Requests() {
			if q.Bind && q.Name != "cn=ada" {
				n++
			}
		}
	}
	return n
}

func search(t *testing.T, c *ldapconn.Client, want ldapconn.Kind) {
	t.Helper()
	if _, err := c.Search(t.Context(), everybody()); err == nil || ldapconn.KindOf(err) != want {
		t.Errorf("%v, want %v", err, want)
	}
}

// Many searches at once, of several clients at several servers, are one try
// with a password that is wrong.
func TestRefusedAccountIsTriedOnce(t *testing.T) {
	r := newRefusing(t)
	name := "cn=shim,dc=corp,dc=example"
	clients := []*ldapconn.Client{r.client(t, name, "wrong", r.servers[0], r.servers[1]), r.client(t, strings.ToUpper(name[:2])+name[2:], "wrong", r.servers[0]),
		r.client(t, strings.ReplaceAll(name, ",", ", "), "wrong", r.servers[0])}
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() { search(t, clients[i%len(clients)], ldapconn.Denied) })
	}
	all.Wait()
	if n := r.tries(); n != 1 || r.told.Load() != 1 || r.binds.Refused() != 1 {
		t.Errorf("%d binds, told %d times, %d refused", n, r.told.Load(), r.binds.Refused())
	}
	if err := clients[0].Authenticate(t.Context(), "cn=ada", secret.FromString("x")); err != nil {
		t.Errorf("the bind of a person: %v", err)
	}
	// Another password is another try, and the right one is known at once.
	if _, err := r.client(t, name, "right", r.servers[0]).Search(t.Context(), everybody()); err != nil {
		t.Errorf("the right password: %v", err)
	}
	search(t, clients[2], ldapconn.Denied)
	if n := r.tries(); n != 2 {
		t.Errorf("%d binds", n)
	}
}

// A directory that is asked every ten seconds for days is tried two times in
// half an hour at most.
func TestRefusedAccountIsTriedSeldom(t *testing.T) {
	r := newRefusing(t)
	c := r.client(t, "cn=shim,dc=corp,dc=example", "wrong", r.servers...)
	var at []time.Duration
	for now := time.Duration(0); now < 24*time.Hour; now += time.Minute {
		before := r.tries()
		search(t, c, ldapconn.Denied)
		if r.tries() > before {
			at = append(at, now)
		}
		r.clock.pass(time.Minute)
	}
	for i := 2; i < len(at); i++ {
		if at[i]-at[i-2] <= 30*time.Minute {
			t.Errorf("tried after %s, %s and %s", at[i-2], at[i-1], at[i])
		}
	}
	if len(at) < 20 || len(at) > 26 || r.told.Load() != 1 {
		t.Errorf("%d tries in a day, told %d times", len(at), r.told.Load())
	}
	r.clock.pass(-12 * time.Hour)
	before := r.tries()
	search(t, c, ldapconn.Denied)
	if r.tries() != before+1 {
		t.Error("a clock that was set back leaves the account alone until it gets there")
	}
	r.right.Store("wrong") // it was mended there
	search(t, c, ldapconn.Denied)
	r.binds.TryAgain()
	if _, err := c.Search(t.Context(), everybody()); err != nil || r.binds.Refused() != 0 {
		t.Errorf("after a reload: %v, %d refused", err, r.binds.Refused())
	}
}

// A password that is changed in the directory while connections are open counts
// as one try, however many logins need a connection then.
func TestChangedPasswordIsTriedOnce(t *testing.T) {
	r := newRefusing(t)
	c := r.client(t, "cn=shim,dc=corp,dc=example", "right", r.servers[0])
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := c.Search(t.Context(), everybody()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	r.right.Store("another")
	if _, err := c.Search(t.Context(), everybody()); err != nil {
		t.Errorf("a connection of before: %v", err)
	}
	before := r.tries()
	for range 60 {
		all.Go(func() {
			drop := everybody()
			drop.Base = "dc=drop"
			_, _ = c.Search(t.Context(), drop) // the connection ends
			_, _ = c.Search(t.Context(), everybody())
		})
	}
	all.Wait()
	if n := r.tries() - before; n != 1 {
		t.Errorf("%d tries", n)
	}
	r.right.Store("right")
	r.clock.pass(16 * time.Minute)
	if _, err := c.Search(t.Context(), everybody()); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

// A server that takes binds and says nothing keeps nobody from the next one.
func TestBindThatHangsIsNotWaitedForByAll(t *testing.T) {
	t.Parallel() // it waits
	var hang atomic.Bool
	slow := ldaptest.Script(t, func(q ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{Hang: q.Bind && hang.Load()} })
	r := newRefusing(t)
	c := client(t, ldapconn.Config{Servers: []string{slow.URL, r.servers[0].URL}, Plain: true, Timeout: soon,
		BindDN: "cn=shim,dc=corp,dc=example", Password: secret.FromString("right"), Accounts: &r.binds})
	hang.Store(true)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := c.Search(ctx, everybody()); err != nil && ldapconn.KindOf(err) != ldapconn.Unavailable {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if _, err := c.Search(t.Context(), everybody()); err != nil {
		t.Errorf("the next search: %v", err)
	}
}

// With a policy that locks after five wrong passwords, the account that
// searches is not locked by one, however often people log in.
func TestSlapdDoesNotLockWhoSearches(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{Overlay: "overlay ppolicy\nppolicy_default cn=policy,dc=corp,dc=example\n",
		LDIF: fmt.Sprintf("dn: cn=policy,%s\nobjectClass: person\nobjectClass: pwdPolicy\ncn: policy\nsn: policy\npwdAttribute: userPassword\npwdLockout: TRUE\npwdMaxFailure: 5\n\n", base) +
			user("shim", "userPassword: correct horse\n")})
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := ldapconn.ReadCA(pem)
	if err != nil {
		t.Fatal(err)
	}
	cfg := ldapconn.Config{Servers: []string{s.LDAPS, s.LDAP}, CA: pool, BindDN: "cn=shim," + base, Password: secret.FromString("correct hose"), Accounts: new(ldapconn.Accounts)}
	c := client(t, cfg)
	for range 20 {
		search(t, c, ldapconn.Denied)
	}
	cfg.Password = secret.FromString("correct horse")
	if found, err := client(t, cfg).Search(t.Context(), everybody()); err != nil || len(found) != 1 {
		t.Errorf("locked: %d entries, %v", len(found), err)
	}
}
