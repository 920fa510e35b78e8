package engine_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/access"
	"mfabridge/cloud/engine/audit"
)

func TestAccessRulesAreChecked(t *testing.T) {
	h := build(t)
	set := func(edit func(*access.Rule)) error {
		r := access.Rule{Name: "r", State: access.On, Grant: access.GrantMFA}
		edit(&r)
		return h.SetAccessRule(t.Context(), operator, r)
	}
	if err := set(func(r *access.Rule) { r.State = "maybe" }); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("another state: %v", err)
	}
	for name, edit := range map[string]func(*access.Rule){
		"a group of nobody":    func(r *access.Rule) { r.NotGroups = []string{"none"} },
		"a user of nobody":     func(r *access.Rule) { r.Users = []cloud.UserID{"nobody"} },
		"no such application":  func(r *access.Rule) { r.Apps = []string{"none"} },
		"exceptions of nobody": func(r *access.Rule) { r.NotUsers = []cloud.UserID{"nobody"} },
	} {
		if err := set(edit); cloud.KindOf(err) != cloud.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := set(func(r *access.Rule) {
		r.Failures, r.Countries, r.NotCountries = 1000, slices.Repeat([]string{"AA", "ZZ"}, 500), []string{access.UnknownCountry}
		r.Networks = []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}
	})
	if rules, also := h.AccessRules(t.Context()); err != nil || also != nil || len(rules) != 2 || rules[1].Failures != 1000 {
		t.Errorf("%+v, %v, %v", rules, err, also)
	}
}

// The audit says what a rule has become, all of it, however many others and
// however long lists there are; and what one was that was removed.
func TestAuditHoldsRulesOfAccess(t *testing.T) {
	h := build(t)
	for n := range 20 {
		r := access.Rule{Name: fmt.Sprint("rule ", n), State: access.On, Grant: access.GrantMFA, NotCountries: slices.Repeat([]string{"AA"}, 40)}
		if err := h.SetAccessRule(t.Context(), operator, r); err != nil {
			t.Fatal(err)
		}
	}
	r := access.Rule{Name: "rule 19", State: access.Off, Grant: access.GrantMFA, Countries: append(slices.Repeat([]string{"AA"}, 999), "ZZ")}
	if err := h.SetAccessRule(t.Context(), operator, r); err != nil {
		t.Fatal(err)
	}
	var said access.Rule
	if last := h.lastEntry(t); last.Action != "access.set" || last.Subject != r.Name || json.Unmarshal([]byte(last.Detail), &said) != nil || said.State != access.Off || len(said.Countries) != 1000 || said.Countries[999] != "ZZ" {
		t.Errorf("the audit says %.200v", last)
	} else if line, err := last.Line(); err != nil {
		t.Error(err)
	} else if again, err := audit.ParseEntry(line); err != nil || again.Detail != last.Detail {
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

func TestNetworksThatAreNone(t *testing.T) {
	h := build(t)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for name, n := range map[string]access.Network{"backwards": {First: b, Last: a, Country: "DE"}, "mixed": {First: a, Last: netip.MustParseAddr("2001:db8::"), Country: "DE"},
		"no address": {Country: "DE"}, "no country": {First: a, Last: b, Country: "de"}} {
		if _, err := h.SetNetworks(t.Context(), operator, []access.Network{n}); cloud.KindOf(err) != cloud.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
