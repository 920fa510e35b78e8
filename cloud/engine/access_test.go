package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

func TestJudgeAccess(t *testing.T) {
	at := engine.AccessSigns{User: "ada", Groups: []string{"staff", "all"}, App: "shop", Address: netip.MustParseAddr("192.0.2.7"), Country: "DE", NewDevice: true, Failures: 3}
	rule := func(edit func(*engine.AccessRule)) engine.AccessRule {
		r := engine.AccessRule{Name: "r", State: engine.AccessOn, Grant: engine.GrantMFA}
		edit(&r)
		return r
	}
	net := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	for name, c := range map[string]struct {
		rule    engine.AccessRule
		applies bool
	}{
		"everybody":           {rule(func(r *engine.AccessRule) {}), true},
		"the user":            {rule(func(r *engine.AccessRule) { r.Users = []cloud.UserID{"bob", "ada"} }), true},
		"another user":        {rule(func(r *engine.AccessRule) { r.Users = []cloud.UserID{"bob"} }), false},
		"not this user":       {rule(func(r *engine.AccessRule) { r.NotUsers = []cloud.UserID{"ada"} }), false},
		"a group":             {rule(func(r *engine.AccessRule) { r.Groups = []string{"all"} }), true},
		"a user or a group":   {rule(func(r *engine.AccessRule) { r.Users, r.Groups = []cloud.UserID{"bob"}, []string{"all"} }), true},
		"another group":       {rule(func(r *engine.AccessRule) { r.Groups = []string{"guests"} }), false},
		"in, but out":         {rule(func(r *engine.AccessRule) { r.Groups, r.NotGroups = []string{"all"}, []string{"staff"} }), false},
		"the application":     {rule(func(r *engine.AccessRule) { r.Apps = []string{"shop"} }), true},
		"another application": {rule(func(r *engine.AccessRule) { r.Apps = []string{"bank"} }), false},
		"not this one":        {rule(func(r *engine.AccessRule) { r.NotApps = []string{"shop"} }), false},
		"the network":         {rule(func(r *engine.AccessRule) { r.Networks = net("192.0.2.0/24") }), true},
		"another network":     {rule(func(r *engine.AccessRule) { r.Networks = net("198.51.100.0/24") }), false},
		"outside the office":  {rule(func(r *engine.AccessRule) { r.NotNetworks = net("192.0.2.0/24") }), false},
		"the country":         {rule(func(r *engine.AccessRule) { r.Countries = []string{"FR", "DE"} }), true},
		"abroad":              {rule(func(r *engine.AccessRule) { r.NotCountries = []string{"DE"} }), false},
		"unknown country":     {rule(func(r *engine.AccessRule) { r.Countries = []string{"unknown"} }), false},
		"new device":          {rule(func(r *engine.AccessRule) { r.NewDevice = true }), true},
		"many failures":       {rule(func(r *engine.AccessRule) { r.Failures = 3 }), true},
		"more failures":       {rule(func(r *engine.AccessRule) { r.Failures = 4 }), false},
		"all must hold":       {rule(func(r *engine.AccessRule) { r.Apps, r.Failures = []string{"shop"}, 9 }), false},
	} {
		v := engine.JudgeAccess([]engine.AccessRule{c.rule}, at)
		if len(v.Applied) != 1 || v.Applied[0].Applies != c.applies || v.Applied[0].Why == "" || (v.Grant == engine.GrantMFA) != c.applies {
			t.Errorf("%s: %+v", name, v)
		}
	}
	mfa, block := rule(func(*engine.AccessRule) {}), rule(func(r *engine.AccessRule) { r.Grant = engine.GrantBlock })
	report, off := block, block
	report.State, off.State = engine.AccessReport, engine.AccessOff
	for name, c := range map[string]struct {
		rules []engine.AccessRule
		grant string
	}{
		"a block decides":      {[]engine.AccessRule{block, mfa}, engine.GrantBlock},
		"in any order":         {[]engine.AccessRule{mfa, block}, engine.GrantBlock},
		"a report does not":    {[]engine.AccessRule{report, mfa}, engine.GrantMFA},
		"nor what is off":      {[]engine.AccessRule{off}, ""},
		"a state of nobody":    {[]engine.AccessRule{{Name: "x", State: "maybe", Grant: engine.GrantBlock}}, ""},
		"no rule, no question": {nil, ""},
	} {
		if v := engine.JudgeAccess(c.rules, at); v.Grant != c.grant {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := engine.JudgeAccess([]engine.AccessRule{report, mfa}, at); len(v.Reported()) != 1 || len(v.By()) != 1 {
		t.Errorf("%+v", v)
	}
	named := func(name string, r engine.AccessRule, not ...cloud.UserID) engine.AccessRule {
		r.Name, r.NotUsers = name, not
		return r
	}
	v := engine.JudgeAccess([]engine.AccessRule{named("for others", mfa, "ada"), named("seen", report), named("seen of others", report, "ada"), named("asks", mfa),
		named("blocks", block), named("blocks too", block)}, at)
	if by, seen := strings.Join(v.By(), "+"), strings.Join(v.Reported(), "+"); by != "blocks+blocks too" || seen != "seen=block" {
		t.Errorf("by %s, reported %s", by, seen)
	}
	nowhere := engine.AccessSigns{Country: engine.UnknownCountry}
	if v := engine.JudgeAccess([]engine.AccessRule{rule(func(r *engine.AccessRule) { r.NotNetworks = net("0.0.0.0/0") })}, nowhere); v.Grant != engine.GrantMFA {
		t.Errorf("an address that nobody knows is excepted: %+v", v)
	}
}

func TestAccessRulesAreChecked(t *testing.T) {
	h := build(t)
	set := func(edit func(*engine.AccessRule)) error {
		r := engine.AccessRule{Name: "r", State: engine.AccessOn, Grant: engine.GrantMFA}
		edit(&r)
		return h.SetAccessRule(t.Context(), operator, r)
	}
	for name, edit := range map[string]func(*engine.AccessRule){
		"without a name":       func(r *engine.AccessRule) { r.Name = "" },
		"another state":        func(r *engine.AccessRule) { r.State = "maybe" },
		"another grant":        func(r *engine.AccessRule) { r.Grant = "allow" },
		"fewer than none":      func(r *engine.AccessRule) { r.Failures = -1 },
		"too many failures":    func(r *engine.AccessRule) { r.Failures = 1001 },
		"too long a list":      func(r *engine.AccessRule) { r.NotApps = make([]string, 1001) },
		"a country of three":   func(r *engine.AccessRule) { r.Countries = []string{"DEU"} },
		"small letters":        func(r *engine.AccessRule) { r.NotCountries = []string{"De"} },
		"no letter at first":   func(r *engine.AccessRule) { r.Countries = []string{"[A"} },
		"no letter at last":    func(r *engine.AccessRule) { r.Countries = []string{"A@"} },
		"a digit at first":     func(r *engine.AccessRule) { r.Countries = []string{"1A"} },
		"a digit":              func(r *engine.AccessRule) { r.Countries = []string{"A1"} },
		"small letters, first": func(r *engine.AccessRule) { r.Countries = []string{"dE"} },
		"no network":           func(r *engine.AccessRule) { r.Networks = []netip.Prefix{{}} },
		"not its first":        func(r *engine.AccessRule) { r.NotNetworks = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")} },
		"IPv4 within IPv6":     func(r *engine.AccessRule) { r.Networks = []netip.Prefix{netip.MustParsePrefix("::ffff:192.0.2.0/120")} },
	} {
		if err := set(edit); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, edit := range map[string]func(*engine.AccessRule){
		"a group of nobody":    func(r *engine.AccessRule) { r.NotGroups = []string{"none"} },
		"a user of nobody":     func(r *engine.AccessRule) { r.Users = []cloud.UserID{"nobody"} },
		"no such application":  func(r *engine.AccessRule) { r.Apps = []string{"none"} },
		"exceptions of nobody": func(r *engine.AccessRule) { r.NotUsers = []cloud.UserID{"nobody"} },
	} {
		if err := set(edit); cloud.KindOf(err) != cloud.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := set(func(r *engine.AccessRule) {
		r.Failures, r.Countries, r.NotCountries = 1000, slices.Repeat([]string{"AA", "ZZ"}, 500), []string{engine.UnknownCountry}
		r.Networks = []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}
	})
	if rules, also := h.AccessRules(t.Context()); err != nil || also != nil || len(rules) != 2 || rules[1].Failures != 1000 {
		t.Errorf("%+v, %v, %v", rules, err, also)
	}
}

// The narrowest line counts, whatever the order, as if each address were looked
// for in every line.
// The audit says what a rule has become, all of it, however many others and
// however long lists there are; and what one was that was removed.
func TestAuditHoldsRulesOfAccess(t *testing.T) {
	h := build(t)
	for n := range 20 {
		r := engine.AccessRule{Name: fmt.Sprint("rule ", n), State: engine.AccessOn, Grant: engine.GrantMFA, NotCountries: slices.Repeat([]string{"AA"}, 40)}
		if err := h.SetAccessRule(t.Context(), operator, r); err != nil {
			t.Fatal(err)
		}
	}
	r := engine.AccessRule{Name: "rule 19", State: engine.AccessOff, Grant: engine.GrantMFA, Countries: append(slices.Repeat([]string{"AA"}, 999), "ZZ")}
	if err := h.SetAccessRule(t.Context(), operator, r); err != nil {
		t.Fatal(err)
	}
	var said engine.AccessRule
	if last := h.lastEntry(t); last.Action != "access.set" || last.Subject != r.Name || json.Unmarshal([]byte(last.Detail), &said) != nil || said.State != engine.AccessOff || len(said.Countries) != 1000 || said.Countries[999] != "ZZ" {
		t.Errorf("the audit says %.200v", last)
	} else if line, err := last.Line(); err != nil {
		t.Error(err)
	} else if again, err := engine.ParseEntry(line); err != nil || again.Detail != last.Detail {
		t.Errorf("an export of it: %v", err)
	}
	if err := h.RemoveAccessRule(t.Context(), operator, "rule 3"); err != nil {
		t.Fatal(err)
	}
	if last := h.lastEntry(t); last.Action != "access.remove" || !strings.Contains(last.Detail, `"name":"rule 3"`) || strings.Contains(last.Detail, `"name":"rule 4"`) {
		t.Errorf("the audit says %.200v", last)
	}
	r.NotNetworks = make([]netip.Prefix, 1000)
	for n := range r.NotNetworks {
		r.NotNetworks[n] = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(n >> 8), byte(n), 15: 255, 14: 255, 13: 255, 12: 255}), 128)
	}
	r.Networks = r.NotNetworks
	if err := h.SetAccessRule(t.Context(), operator, r); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("a rule that no entry holds: %v", err)
	}
}

// What this program does not know how to judge it does not leave out.
func TestRuleOfAnotherKindIsNotLeftOut(t *testing.T) {
	h := build(t)
	id, app := h.coded(t, 1), h.shop(t)
	for _, text := range []string{`[{"name":"a","state":"on","grant":"passkey"}]`, `[{"name":"a","state":"strict","grant":"block"}]`} {
		if err := h.store.Update(t.Context(), func(tx engine.Tx) error { return tx.SetMeta("access-rules", []byte(text)) }); err != nil {
			t.Fatal(err)
		}
		if _, v, err := h.TestAccess(t.Context(), id, app.ID, engine.NativeClient{}, nil); err == nil || cloud.KindOf(err) != cloud.Internal {
			t.Errorf("%s: %+v, %v", text, v, err)
		}
	}
}

func TestCountries(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var list []engine.CountryNetwork
		for i := range 1 + r.IntN(12) {
			first := r.IntN(256)
			bits := 24 + r.IntN(9)
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(first)}), bits).Masked()
			size := 1 << (32 - bits)
			b := p.Addr().As4()
			last := netip.AddrFrom4([4]byte{192, 0, 2, b[3] + byte(size-1)})
			list = append(list, engine.CountryNetwork{First: p.Addr(), Last: last, Country: string([]byte{'X', byte('A' + i)})})
		}
		h := engine.CountriesOf(t, list)
		for n := range 256 {
			a := netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})
			want, width := engine.UnknownCountry, 1<<30
			for _, l := range list {
				f, e := l.First.As4(), l.Last.As4()
				if w := int(e[3]) - int(f[3]); l.First.Compare(a) <= 0 && a.Compare(l.Last) <= 0 && w <= width {
					want, width = l.Country, w
				}
			}
			if got := h(a); got != want {
				t.Fatalf("%v: %s, want %s of %v", a, got, want, list)
			}
		}
	}
	six := engine.CountriesOf(t, []engine.CountryNetwork{{First: netip.MustParseAddr("::"), Last: netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), Country: "XA"},
		{First: netip.MustParseAddr("2001:db8::"), Last: netip.MustParseAddr("2001:db8::ffff"), Country: "XB"}})
	for a, want := range map[string]string{"2001:db8::1": "XB", "2001:db8::1:0": "XA", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "XA", "::": "XA"} {
		if got := six(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %s, want %s", a, got, want)
		}
	}
	if got := six(netip.Addr{}); got != engine.UnknownCountry {
		t.Errorf("no address: %s", got)
	}
}

func TestNetworksThatAreNone(t *testing.T) {
	h := build(t)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for name, n := range map[string]engine.CountryNetwork{"backwards": {First: b, Last: a, Country: "DE"}, "mixed": {First: a, Last: netip.MustParseAddr("2001:db8::"), Country: "DE"},
		"no address": {Country: "DE"}, "no country": {First: a, Last: b, Country: "de"}} {
		if _, err := h.SetNetworks(t.Context(), operator, []engine.CountryNetwork{n}); cloud.KindOf(err) != cloud.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A token opens as what it was sealed, whole, in this engine, and for its purpose.
func FuzzOpenFlow(f *testing.F) {
	h := build(f)
	good, err := h.SealFlow(engine.Flow{ID: "x", App: "a", Step: engine.AtSecond, Begun: h.Now(), Until: h.Now().AddDate(0, 0, 1)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:20])
	f.Add(strings.Repeat("A", 9000))
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := h.OpenFlow(token); err == nil && token != good {
			t.Errorf("%q opens as %+v", token, got)
		}
	})
}

// Another engine opens no token of this one.
func TestTokensOfAnotherEngine(t *testing.T) {
	h, other := build(t), build(t)
	token, err := h.SealFlow(engine.Flow{ID: "x", Begun: h.Now(), Until: h.Now().AddDate(0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.OpenFlow(token); err != nil {
		t.Errorf("its own: %v", err)
	}
	if _, err := other.OpenFlow(token); cloud.KindOf(err) != cloud.NotFound || err == nil {
		t.Errorf("another's: %v", err)
	}
}
