package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// elsewhere is a directory with one password for everybody; whose it is depends
// on the name.
type elsewhere struct {
	mu    sync.Mutex
	asked []string
	says  func(name string) engine.Proven
	err   error
}

func (d *elsewhere) Prove(_ context.Context, name string, password secret.Bytes, _ cloud.Client) (engine.Proven, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, name)
	switch {
	case d.err != nil:
		return engine.Proven{}, d.err
	case string(password.Reveal()) != "correct horse":
		return engine.Proven{}, nil
	}
	return d.says(name), nil
}

func (d *elsewhere) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked)
}

const sidOne, sidTwo = "S-1-5-21-1-2-3-1101", "S-1-5-21-1-2-3-1102"

// primed is an engine with two users whose passwords a directory proves.
func primed(t *testing.T, d *elsewhere) (h *house, one, two cloud.UserID) {
	t.Helper()
	h = build(t)
	made := h.imports(t, engine.ImportMade,
		newcomer("user1@contoso.example", func(n *engine.Newcomer) { n.Profile.SID = sidOne }),
		newcomer("user2@contoso.example", func(n *engine.Newcomer) { n.Profile.SID = sidTwo }))
	one, two = made[0].ID, made[1].ID
	if err := h.SetPrimaries(map[string]engine.Primary{"corp": d}, "corp"); err != nil {
		t.Fatal(err)
	}
	return h, one, two
}

func bySID(sid string) engine.Proven {
	return engine.Proven{OK: true, Subject: cloud.Key{Kind: cloud.BySID, Value: sid}, SID: sid}
}

func (h *house) check(t *testing.T, primary, name, password string) cloud.Proof {
	t.Helper()
	p, err := h.CheckPasswordBy(t.Context(), primary, cloud.Key{Kind: cloud.ByName, Value: name}, secret.FromString(password), cloud.Client{App: "page", Station: "home"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Whose password was proven is what the directory says, not the name typed.
func TestAPrimarySaysWhoItIs(t *testing.T) {
	d := &elsewhere{}
	h, one, two := primed(t, d)
	for name, c := range map[string]struct {
		says engine.Proven
		want cloud.UserID
	}{
		"by SID":                         {bySID(sidOne), one},
		"another one's name":             {bySID(sidTwo), two},
		"unknown SID, known name":        {engine.Proven{OK: true, Subject: cloud.Key{Kind: cloud.BySID, Value: sidOne + "9"}, Otherwise: cloud.Key{Kind: cloud.ByUPN, Value: "user1@contoso.example"}, SID: sidOne + "9"}, ""},
		"no SID":                         {engine.Proven{OK: true, Subject: cloud.Key{Kind: cloud.ByUPN, Value: "user2@contoso.example"}}, two},
		"unknown SID, engine knows none": {engine.Proven{OK: true, Subject: cloud.Key{Kind: cloud.BySID, Value: sidOne + "9"}, Otherwise: cloud.Key{Kind: cloud.ByUPN, Value: "user9@contoso.example"}}, ""},
		"no key":                         {engine.Proven{OK: true}, ""},
		"locked there":                   {engine.Proven{Reason: "account_locked"}, ""},
	} {
		d.says = func(string) engine.Proven { return c.says }
		p := h.check(t, "", "user1@contoso.example", "correct horse")
		if p.OK != (c.want != "") || p.User != c.want {
			t.Errorf("%s: %+v, want user %q", name, p, c.want)
		}
		if !p.OK && p.Reason == "" {
			t.Errorf("%s: no reason", name)
		}
		h.Advance(time.Hour)
	}
	if err := h.SetPrimaries(map[string]engine.Primary{"corp": d}, "other"); err == nil {
		t.Error("a primary that is not there was chosen")
	}
	if err := h.SetPrimaries(map[string]engine.Primary{engine.OwnPasswords: d}, ""); err == nil {
		t.Error("a primary took the engine's name")
	}
}

// Who is named is asked and nobody else.
func TestWhoProvesPasswords(t *testing.T) {
	d := &elsewhere{says: func(string) engine.Proven { return bySID(sidOne) }}
	h, one, _ := primed(t, d)
	if err := h.SetPassword(t.Context(), operator, one, secret.FromString("battery staple")); err != nil {
		t.Fatal(err)
	}
	group, err := h.AddGroup(t.Context(), operator, "VPN")
	if err != nil {
		t.Fatal(err)
	}
	outer, err := h.AddGroup(t.Context(), operator, "All")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.AddUserToGroup(t.Context(), operator, group, one); err != nil {
		t.Fatal(err)
	}
	if err := h.AddGroupToGroup(t.Context(), operator, outer, group); err != nil {
		t.Fatal(err)
	}
	const name = "user1@contoso.example"
	for _, c := range []struct {
		primary, password string
		ok                bool
	}{{"", "correct horse", true}, {"corp", "correct horse", true}, {"engine", "battery staple", true}, {"", "battery staple", false}, {"engine", "correct horse", false}} {
		p := h.check(t, c.primary, name, c.password)
		if p.OK != c.ok {
			t.Errorf("%q with %q: %+v", c.primary, c.password, p)
		}
		if p.OK && !cmp.Equal(p.Groups, []string{"All", "VPN"}) {
			t.Errorf("groups %q", p.Groups)
		}
	}
	asked := d.count()
	if p := h.check(t, "", name, ""); p.OK || p.Reason != cloud.WrongPassword || d.count() != asked {
		t.Errorf("an empty password: %+v, asked %d times", p, d.count()-asked)
	}
	_, err = h.CheckPasswordBy(t.Context(), "nobody", cloud.Key{Kind: cloud.ByName, Value: name}, secret.FromString("correct horse"), cloud.Client{})
	if cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("an unknown primary: %v", err)
	}
	d.err = &cloud.Error{Kind: cloud.Unavailable, Message: "the directory is away"}
	_, err = h.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByName, Value: name}, secret.FromString("correct horse"), cloud.Client{Station: "home"})
	if cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("a directory that is away: %v", err)
	}
}

// Beyond the limit nobody is asked: guessing here locks no account there.
func TestGuessesDoNotReachThePrimary(t *testing.T) {
	d := &elsewhere{says: func(string) engine.Proven { return bySID(sidOne) }}
	h, _, _ := primed(t, d)
	for range 20 {
		h.check(t, "", "user1@contoso.example", "wrong")
		h.check(t, "", "nobody@contoso.example", "wrong")
	}
	if n := d.count(); n != 10 {
		t.Errorf("the directory was asked %d times, want 5 for each name", n)
	}
	if p := h.check(t, "", "user1@contoso.example", "correct horse"); p.OK || p.Reason != cloud.TooManyTries {
		t.Errorf("beyond the limit: %+v", p)
	}
	for e, err := range h.Audit(t.Context(), 0) {
		if err != nil || strings.Contains(e.Detail, "correct horse") {
			t.Errorf("the audit holds a password: %v, %v", e, err)
		}
	}
	h.Advance(time.Hour)
	if p := h.check(t, "", "user1@contoso.example", "correct horse"); !p.OK {
		t.Errorf("an hour later: %+v", p)
	}
}
