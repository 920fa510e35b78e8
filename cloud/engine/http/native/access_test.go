package native_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/access"
	"mfabridge/internal/secret"
)

// only replaces the rules of access.
func (h *house) only(t testing.TB, rules ...access.Rule) {
	t.Helper()
	old, err := h.AccessRules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range old {
		if err := h.RemoveAccessRule(t.Context(), operator, r.Name); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range rules {
		if r.State == "" {
			r.State = access.On
		}
		if err := h.SetAccessRule(t.Context(), operator, r); err != nil {
			t.Fatal(err)
		}
	}
}

// asked is what a sign-in with the right password comes to.
func (h *house) asked(t testing.TB, header ...string) string {
	t.Helper()
	form := h.form("grant_type", "password", "continuation_token", h.begun(t, ada).token(t), "password", password, "scope", everything)
	switch a := h.send(token, form, header...); {
	case a.text("access_token") != "":
		if c := h.claimsOf(t, a.text("id_token"), "JWT"); c["acr"] != "urn:mfabridge:acr:single-factor" {
			t.Errorf("acr %v", c["acr"])
		}
		return "tokens"
	case a.text("suberror") != "":
		return a.text("suberror")
	case strings.Contains(a.raw, "53003"):
		return "blocked"
	default:
		return a.raw
	}
}

// The rules decide whether a second factor is asked for.
func TestRulesOfAccess(t *testing.T) {
	h := build(t)
	want := func(what, want string, header ...string) {
		t.Helper()
		h.Advance(time.Minute)
		if got := h.asked(t, header...); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	want("as long as there are none", "mfa_required")
	h.only(t)
	want("none", "tokens")
	h.only(t, access.Rule{Name: "new", Grant: access.GrantMFA, NewDevice: true})
	want("from there before", "tokens")
	want("with other software", "mfa_required", "User-Agent", "other")
	h.from = "192.0.2.200:1"
	want("from the same network", "tokens")
	h.from = "198.51.100.7:1"
	want("from another network", "mfa_required")
	h.signedIn(t, ada)
	want("after that", "tokens")
	h.Advance(91 * 24 * time.Hour)
	want("long after that", "mfa_required")
	h.only(t, access.Rule{Name: "guessed", Grant: access.GrantMFA, Failures: 3})
	want("no failures", "tokens")
	b := h.begun(t, ada)
	for range 3 {
		h.typed(b.token(t), "Wrong-Heron-1")
	}
	want("three", "mfa_required")
	if _, err := h.SetNetworks(t.Context(), operator, []access.Network{{First: netip.MustParseAddr("198.51.100.0"), Last: netip.MustParseAddr("198.51.100.255"), Country: "XA"}}); err != nil {
		t.Fatal(err)
	}
	h.only(t, access.Rule{Name: "there", Grant: access.GrantBlock, Countries: []string{"XA"}}, access.Rule{Name: "nowhere", Grant: access.GrantMFA, Countries: []string{access.UnknownCountry}})
	want("from there", "blocked")
	h.from = "203.0.113.9:1"
	want("from nowhere", "mfa_required")
	h.only(t, access.Rule{Name: "perhaps", Grant: access.GrantBlock, State: access.Report})
	want("only reported", "tokens")
	told := ""
	for entry, err := range h.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		told = entry.Detail
	}
	if !strings.Contains(told, "would=perhaps=block") {
		t.Errorf("the audit says %q", told)
	}
	other := h.addApp(t, func(a *engine.NativeApp) { a.Name = "Other" })
	shop := h.app
	h.from, h.app = "198.18.0.7:1", other
	want("one factor at the other", "tokens")
	h.only(t, access.Rule{Name: "new", Grant: access.GrantMFA, NewDevice: true})
	want("where one factor was enough", "tokens")
	h.app = shop
	want("that makes it known nowhere else", "mfa_required")
	h.only(t, access.Rule{Name: "app", Grant: access.GrantBlock, Apps: []string{other.ID}})
	want("another application", "tokens")
	h.app = other
	want("that one", "blocked")
}

// Texts to one number, and from one address, are limited; then a browser is to
// go on.
func TestLimitsOnTexts(t *testing.T) {
	h := build(t)
	methods := h.call(introspect, "continuation_token", h.second(t, ada).token(t))
	id := methodID(t, methods, "sms")
	for i := range 16 {
		a := h.call(challenge, "continuation_token", methods.token(t), "id", id)
		if redirect := a.text("challenge_type") == "redirect"; redirect != (i == 15) {
			t.Errorf("text %d: %s", i+1, a.raw)
		}
	}
	if n := h.texts.count(); n != 15 {
		t.Errorf("%d texts", n)
	}
	h.Advance(16 * time.Minute)
	h.sent(t, ada, "sms")
	if n := h.texts.count(); n != 16 {
		t.Errorf("%d texts after a quarter of an hour", n)
	}
}

// A closed region, and a number that had too many codes, cannot be registered.
func TestBlockedNumbers(t *testing.T) {
	h := build(t, both, func(a *engine.NativeApp) { a.Open, a.Closed = []string{"+41"}, []string{"+4420"} })
	h.person(t, eve, "", "")
	a := h.call(enrolList, "continuation_token", func() string {
		x := h.typed(h.begun(t, eve).token(t), password)
		x.is(t, "nothing there", "invalid_grant", "registration_required")
		return x.token(t)
	}())
	asks := func(target string) answer {
		return h.call(enrolAsk, "continuation_token", a.token(t), "challenge_type", "oob", "challenge_target", target, "challenge_channel", "sms")
	}
	asks("+442079460123").is(t, "closed", "access_denied", "provider_blocked_by_admin")
	asks("+8612345678").is(t, "closed by default", "access_denied", "provider_blocked_by_admin")
	for target, ok := range map[string]bool{"+447700900123": true, "+41791234567": true} {
		if a := asks(target); (a.status == http.StatusOK) != ok {
			t.Errorf("%s: %s", target, a.raw)
		}
	}
	for range 14 {
		asks("+41791234567")
	}
	asks("+41791234567").is(t, "too many", "access_denied", "provider_blocked_by_rep")
}

// However many sign in at once, programs have their passwords checked.
func TestHashesLeaveRoom(t *testing.T) {
	h := build(t)
	continuation := h.begun(t, ada).token(t)
	var wg sync.WaitGroup
	var busy, wrong atomic.Int32
	for range 100 {
		wg.Go(func() {
			switch a := h.typed(continuation, "Wrong-Heron-1"); {
			case a.status == http.StatusTooManyRequests:
				busy.Add(1)
			case a.text("error") == "invalid_grant":
				wrong.Add(1)
			default:
				t.Errorf("%d %s", a.status, a.raw)
			}
		})
	}
	proof, err := h.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByName, Value: ada}, secret.FromString(password), cloud.Client{App: "VPN", Station: "gateway"})
	if err != nil || !proof.OK {
		t.Errorf("a program: %+v, %v", proof, err)
	}
	wg.Wait()
	if busy.Load() == 0 || wrong.Load() == 0 {
		t.Errorf("%d were told to wait, %d were checked", busy.Load(), wrong.Load())
	}
}

// Codes that one address asks for are limited, and use nothing up for others.
func TestLimitsOnOneAddress(t *testing.T) {
	h := build(t, both)
	asks := func(name string) answer {
		return h.call(signUpAsk, "continuation_token", h.call(signUpStart, "username", name, "challenge_type", every).token(t))
	}
	for i := range 101 {
		a := asks(fmt.Sprintf("x%d@fabrikam.example", i))
		if refused := a.status == http.StatusTooManyRequests; refused != (i == 100) {
			t.Fatalf("code %d: %d %s", i+1, a.status, a.raw)
		}
	}
	h.from = "198.51.100.7:1"
	if a := asks(eve); a.status != http.StatusOK || h.mail.count() != 101 {
		t.Errorf("another address: %s", a.raw)
	}
	h.from = "192.0.2.10:1"
	h.signedIn(t, ada) // texts are counted apart
}
