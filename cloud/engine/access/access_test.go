package access_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/access"
)

func TestJudge(t *testing.T) {
	at := access.Signs{User: "ada", Groups: []string{"staff", "all"}, App: "shop", Address: netip.MustParseAddr("192.0.2.7"), Country: "DE", NewDevice: true, Failures: 3}
	rule := func(edit func(*access.Rule)) access.Rule {
		r := access.Rule{Name: "r", State: access.On, Grant: access.GrantMFA}
		edit(&r)
		return r
	}
	net := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	for name, c := range map[string]struct {
		rule    access.Rule
		applies bool
	}{
		"everybody":           {rule(func(r *access.Rule) {}), true},
		"the user":            {rule(func(r *access.Rule) { r.Users = []cloud.UserID{"bob", "ada"} }), true},
		"another user":        {rule(func(r *access.Rule) { r.Users = []cloud.UserID{"bob"} }), false},
		"not this user":       {rule(func(r *access.Rule) { r.NotUsers = []cloud.UserID{"ada"} }), false},
		"a group":             {rule(func(r *access.Rule) { r.Groups = []string{"all"} }), true},
		"a user or a group":   {rule(func(r *access.Rule) { r.Users, r.Groups = []cloud.UserID{"bob"}, []string{"all"} }), true},
		"another group":       {rule(func(r *access.Rule) { r.Groups = []string{"guests"} }), false},
		"in, but out":         {rule(func(r *access.Rule) { r.Groups, r.NotGroups = []string{"all"}, []string{"staff"} }), false},
		"the application":     {rule(func(r *access.Rule) { r.Apps = []string{"shop"} }), true},
		"another application": {rule(func(r *access.Rule) { r.Apps = []string{"bank"} }), false},
		"not this one":        {rule(func(r *access.Rule) { r.NotApps = []string{"shop"} }), false},
		"the network":         {rule(func(r *access.Rule) { r.Networks = net("192.0.2.0/24") }), true},
		"another network":     {rule(func(r *access.Rule) { r.Networks = net("198.51.100.0/24") }), false},
		"outside the office":  {rule(func(r *access.Rule) { r.NotNetworks = net("192.0.2.0/24") }), false},
		"the country":         {rule(func(r *access.Rule) { r.Countries = []string{"FR", "DE"} }), true},
		"abroad":              {rule(func(r *access.Rule) { r.NotCountries = []string{"DE"} }), false},
		"unknown country":     {rule(func(r *access.Rule) { r.Countries = []string{"unknown"} }), false},
		"new device":          {rule(func(r *access.Rule) { r.NewDevice = true }), true},
		"many failures":       {rule(func(r *access.Rule) { r.Failures = 3 }), true},
		"more failures":       {rule(func(r *access.Rule) { r.Failures = 4 }), false},
		"all must hold":       {rule(func(r *access.Rule) { r.Apps, r.Failures = []string{"shop"}, 9 }), false},
	} {
		v := access.Judge([]access.Rule{c.rule}, at)
		if len(v.Applied) != 1 || v.Applied[0].Applies != c.applies || v.Applied[0].Why == "" || (v.Grant == access.GrantMFA) != c.applies {
			t.Errorf("%s: %+v", name, v)
		}
	}
	mfa, block := rule(func(*access.Rule) {}), rule(func(r *access.Rule) { r.Grant = access.GrantBlock })
	report, off := block, block
	report.State, off.State = access.Report, access.Off
	for name, c := range map[string]struct {
		rules []access.Rule
		grant string
	}{
		"a block decides":      {[]access.Rule{block, mfa}, access.GrantBlock},
		"in any order":         {[]access.Rule{mfa, block}, access.GrantBlock},
		"a report does not":    {[]access.Rule{report, mfa}, access.GrantMFA},
		"nor what is off":      {[]access.Rule{off}, ""},
		"a state of nobody":    {[]access.Rule{{Name: "x", State: "maybe", Grant: access.GrantBlock}}, ""},
		"no rule, no question": {nil, ""},
	} {
		if v := access.Judge(c.rules, at); v.Grant != c.grant {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := access.Judge([]access.Rule{report, mfa}, at); len(v.Reported()) != 1 || len(v.By()) != 1 {
		t.Errorf("%+v", v)
	}
	named := func(name string, r access.Rule, not ...cloud.UserID) access.Rule {
		r.Name, r.NotUsers = name, not
		return r
	}
	v := access.Judge([]access.Rule{named("for others", mfa, "ada"), named("seen", report), named("seen of others", report, "ada"), named("asks", mfa),
		named("blocks", block), named("blocks too", block)}, at)
	if by, seen := strings.Join(v.By(), "+"), strings.Join(v.Reported(), "+"); by != "blocks+blocks too" || seen != "seen=block" {
		t.Errorf("by %s, reported %s", by, seen)
	}
	nowhere := access.Signs{Country: access.UnknownCountry}
	if v := access.Judge([]access.Rule{rule(func(r *access.Rule) { r.NotNetworks = net("0.0.0.0/0") })}, nowhere); v.Grant != access.GrantMFA {
		t.Errorf("an address that nobody knows is excepted: %+v", v)
	}
}

// The narrowest line counts, whatever the order, as if each address were looked
// for in every line.
func TestCountries(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var list []access.Network
		for i := range 1 + r.IntN(12) {
			first := r.IntN(256)
			bits := 24 + r.IntN(9)
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(first)}), bits).Masked()
			size := 1 << (32 - bits)
			b := p.Addr().As4()
			last := netip.AddrFrom4([4]byte{192, 0, 2, b[3] + byte(size-1)})
			list = append(list, access.Network{First: p.Addr(), Last: last, Country: string([]byte{'X', byte('A' + i)})})
		}
		h := countriesOf(t, list)
		for n := range 256 {
			a := netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})
			want, width := access.UnknownCountry, 1<<30
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
	six := countriesOf(t, []access.Network{{First: netip.MustParseAddr("::"), Last: netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), Country: "XA"},
		{First: netip.MustParseAddr("2001:db8::"), Last: netip.MustParseAddr("2001:db8::ffff"), Country: "XB"}})
	for a, want := range map[string]string{"2001:db8::1": "XB", "2001:db8::1:0": "XA", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "XA", "::": "XA"} {
		if got := six(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %s, want %s", a, got, want)
		}
	}
	if got := six(netip.Addr{}); got != access.UnknownCountry {
		t.Errorf("no address: %s", got)
	}
}

func TestNetworksThatAreRefused(t *testing.T) {
	addr := netip.MustParseAddr
	good := access.Network{First: addr("192.0.2.0"), Last: addr("192.0.2.255"), Country: "XA"}
	for name, n := range map[string]access.Network{
		"no first address":           {Last: good.Last, Country: "XA"},
		"no last address":            {First: good.First, Country: "XA"},
		"two families":               {First: good.First, Last: addr("2001:db8::1"), Country: "XA"},
		"the wrong way":              {First: good.Last, Last: good.First, Country: "XA"},
		"no country":                 {First: good.First, Last: good.Last},
		"another word":               {First: good.First, Last: good.Last, Country: access.UnknownCountry},
		"a country of small letters": {First: good.First, Last: good.Last, Country: "xa"},
	} {
		if found, err := access.CompileCountries([]access.Network{good, n}); cloud.KindOf(err) != cloud.Invalid || found != nil {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
	if _, err := access.CompileCountries(make([]access.Network, access.MaxNetworks+1)); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("too many: %v", err)
	}
	for _, b := range [][]byte{{0}, {0, 0, 0}, {0, 0, 0, 1}, make([]byte, 5)} {
		if found, err := access.DecodeCountries(b); err == nil {
			t.Errorf("%x is read as %v", b, found)
		}
	}
}

func TestRulesThatAreRefused(t *testing.T) {
	for name, edit := range map[string]func(*access.Rule){
		"without a name":       func(r *access.Rule) { r.Name = "" },
		"another state":        func(r *access.Rule) { r.State = "maybe" },
		"another grant":        func(r *access.Rule) { r.Grant = "allow" },
		"fewer than none":      func(r *access.Rule) { r.Failures = -1 },
		"too many failures":    func(r *access.Rule) { r.Failures = 1001 },
		"too long a list":      func(r *access.Rule) { r.NotApps = make([]string, 1001) },
		"a country of three":   func(r *access.Rule) { r.Countries = []string{"DEU"} },
		"small letters":        func(r *access.Rule) { r.NotCountries = []string{"De"} },
		"no letter at first":   func(r *access.Rule) { r.Countries = []string{"[A"} },
		"no letter at last":    func(r *access.Rule) { r.Countries = []string{"A@"} },
		"a digit at first":     func(r *access.Rule) { r.Countries = []string{"1A"} },
		"a digit":              func(r *access.Rule) { r.Countries = []string{"A1"} },
		"small letters, first": func(r *access.Rule) { r.Countries = []string{"dE"} },
		"no network":           func(r *access.Rule) { r.Networks = []netip.Prefix{{}} },
		"not its first":        func(r *access.Rule) { r.NotNetworks = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")} },
		"IPv4 within IPv6":     func(r *access.Rule) { r.Networks = []netip.Prefix{netip.MustParsePrefix("::ffff:192.0.2.0/120")} },
	} {
		r := access.Rule{Name: "r", State: access.On, Grant: access.GrantMFA}
		edit(&r)
		if err := r.Check(); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// countriesOf compiles a list of networks, by way of what is kept of it.
func countriesOf(t *testing.T, list []access.Network) func(netip.Addr) string {
	t.Helper()
	found, err := access.CompileCountries(list)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := access.DecodeCountries(found.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return kept.Of
}

// Whatever is kept: rules are read whole or not at all, and none that is read
// asks for something that Judge does not know.
func FuzzParse(f *testing.F) {
	f.Add(`[{"name":"a","state":"on","grant":"mfa","networks":["192.0.2.0/24"]}]`)
	f.Add(`[{"name":"a","state":"on","grant":"passkey"}]`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := access.Parse([]byte(text))
		if err != nil && (rules != nil || cloud.KindOf(err) != cloud.Internal) {
			t.Errorf("%q: %v, %v", text, rules, err)
		}
		for _, r := range rules {
			if r.Grant != access.GrantMFA && r.Grant != access.GrantBlock {
				t.Errorf("%q grants %q", text, r.Grant)
			}
		}
	})
}

// What can be read is what would be written.
func FuzzDecodeCountries(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 33: 9, 37: 'E', 36: 'D'})
	f.Add([]byte{0, 0, 0, 1})
	f.Add([]byte{0, 0, 0, 1, 38: 0})
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, kept []byte) {
		found, err := access.DecodeCountries(kept)
		if err == nil && len(kept) > 0 && !bytes.Equal(found.Encode(), kept) {
			t.Errorf("%x is read as %v", kept, found)
		}
		found.Of(netip.MustParseAddr("192.0.2.1"))
	})
}
