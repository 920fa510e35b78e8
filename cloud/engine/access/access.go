// Package access judges sign-ins by native authentication: whether the first
// factor is enough, a second one is needed, or nobody gets in. [Judge] is the
// whole rule; it looks at [Signs] that somebody else has gathered, and at
// nothing else.
//
// # Rules
//
// A [Rule] has conditions, and what it grants where all of them hold. Rules add
// up: a block that applies decides, and no rule takes back what another one
// asks for. A rule in state [Report] says what it would have asked for.
//
// # Countries
//
// [Countries] is the operator's list of networks, made ready to be asked and to
// be kept. Of two lines that hold an address the narrower one counts; an address
// of no line is in [UnknownCountry].
//
// # Errors
//
// They are of type *cloud.Error: Invalid for what somebody asked for, Internal
// for what was kept and cannot be read.
package access

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
)

// What a rule of access asks for.
const (
	GrantMFA   = "mfa"   // a second factor
	GrantBlock = "block" // nobody gets in
)

// States of a rule of access.
const (
	On     = "on"
	Report = "report" // what it would ask for is recorded, and not asked for
	Off    = "off"
)

// UnknownCountry is the country of an address that no line of the operator's
// list of networks holds.
const UnknownCountry = "unknown"

// Rule says for which sign-ins by native authentication something is
// asked. A rule applies where all its conditions hold; a list that is empty is
// no condition. What a Not… list names is never concerned.
type Rule struct {
	Name  string `json:"name"`
	State string `json:"state"` // On, Report, Off
	Grant string `json:"grant"` // GrantMFA, GrantBlock

	Users     []cloud.UserID `json:"users,omitempty"`
	NotUsers  []cloud.UserID `json:"not_users,omitempty"`
	Groups    []string       `json:"groups,omitempty"` // ids; with all groups within them
	NotGroups []string       `json:"not_groups,omitempty"`
	Apps      []string       `json:"apps,omitempty"` // client ids
	NotApps   []string       `json:"not_apps,omitempty"`

	Networks     []netip.Prefix `json:"networks,omitempty"`
	NotNetworks  []netip.Prefix `json:"not_networks,omitempty"`
	Countries    []string       `json:"countries,omitempty"` // two letters, or UnknownCountry
	NotCountries []string       `json:"not_countries,omitempty"`

	NewDevice bool `json:"new_device,omitempty"` // only where the user did not come from lately
	Failures  int  `json:"failures,omitempty"`   // only after so many failures in a row, of whatever factor
}

// Signs are what is known of one sign-in.
type Signs struct {
	User      cloud.UserID
	Groups    []string // of the user, with all groups around them
	App       string   // client id
	Address   netip.Addr
	Country   string // two letters, or UnknownCountry
	NewDevice bool
	Failures  int
}

// Verdict is what the rules ask for.
type Verdict struct {
	Grant   string  // GrantBlock, GrantMFA, or empty: nothing more
	Applied []Match // every rule that is not off, in its order
}

// Match is one rule held against a sign-in.
type Match struct {
	Rule    string
	Grant   string
	Report  bool   // it only reports
	Applies bool   // all its conditions hold
	Why     string // the condition that does not hold, or those that do
}

// By are the names of the rules that decided.
func (v Verdict) By() (names []string) {
	for _, m := range v.Applied {
		if m.Applies && !m.Report && m.Grant == v.Grant {
			names = append(names, m.Rule)
		}
	}
	return names
}

// Reported are the names of rules that would have asked for something.
func (v Verdict) Reported() (names []string) {
	for _, m := range v.Applied {
		if m.Applies && m.Report {
			names = append(names, m.Rule+"="+m.Grant)
		}
	}
	return names
}

// Judge is the whole rule of access, without a look at anything else: a
// block that applies decides, else a second factor that one rule asks for; a
// rule never takes back what another one asks for.
func Judge(rules []Rule, s Signs) (v Verdict) {
	for i := range rules {
		r := &rules[i]
		if r.State != On && r.State != Report {
			continue
		}
		m := Match{Rule: r.Name, Grant: r.Grant, Report: r.State == Report}
		m.Applies, m.Why = r.holds(s)
		v.Applied = append(v.Applied, m)
		if m.Applies && !m.Report && (r.Grant == GrantBlock || v.Grant == "") {
			v.Grant = r.Grant
		}
	}
	return v
}

// holds tells whether all conditions of a rule hold, and which do, or the first
// that does not.
func (r *Rule) holds(s Signs) (bool, string) {
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(g string) bool { return slices.Contains(s.Groups, g) })
	}
	within := func(list []netip.Prefix) bool {
		a := s.Address.Unmap().WithZone("")
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) }) // of no address: none does
	}
	var held []string
	for _, c := range []struct {
		what    string
		set     bool
		holds   bool
		without bool // an exception: it holds where nothing is found
	}{
		{what: "not this user", set: len(r.NotUsers) > 0, holds: !slices.Contains(r.NotUsers, s.User), without: true},
		{what: "not these groups", set: len(r.NotGroups) > 0, holds: !in(r.NotGroups), without: true},
		{what: "not this application", set: len(r.NotApps) > 0, holds: !slices.Contains(r.NotApps, s.App), without: true},
		{what: "not this network", set: len(r.NotNetworks) > 0, holds: !within(r.NotNetworks), without: true},
		{what: "not this country", set: len(r.NotCountries) > 0, holds: !slices.Contains(r.NotCountries, s.Country), without: true},
		{what: "user or group", set: len(r.Users)+len(r.Groups) > 0, holds: slices.Contains(r.Users, s.User) || in(r.Groups)},
		{what: "application", set: len(r.Apps) > 0, holds: slices.Contains(r.Apps, s.App)},
		{what: "network", set: len(r.Networks) > 0, holds: within(r.Networks)},
		{what: "country " + s.Country, set: len(r.Countries) > 0, holds: slices.Contains(r.Countries, s.Country)},
		{what: "new device", set: r.NewDevice, holds: s.NewDevice},
		{what: strconv.Itoa(s.Failures) + " failures", set: r.Failures > 0, holds: s.Failures >= r.Failures},
	} {
		switch {
		case !c.set:
		case !c.holds && c.without:
			return false, "excepted: " + strings.TrimPrefix(c.what, "not ")
		case !c.holds:
			return false, "not met: " + c.what
		case !c.without:
			held = append(held, c.what)
		}
	}
	if len(held) == 0 {
		return true, "everybody"
	}
	return true, strings.Join(held, ", ")
}

// maxList bounds each list of a rule.
const maxList = 1000

// Check says what is wrong with a rule.
func (r *Rule) Check() error {
	if err := form.CheckText("the name of a rule", r.Name, 64); err != nil {
		return err
	}
	if err := r.checkWords(); err != nil {
		return err
	}
	if r.Failures < 0 || r.Failures > 1000 {
		return invalid("a number of failures must be 0 to 1000")
	}
	for _, n := range []int{len(r.Users), len(r.NotUsers), len(r.Groups), len(r.NotGroups), len(r.Apps), len(r.NotApps), len(r.Networks), len(r.NotNetworks),
		len(r.Countries), len(r.NotCountries)} {
		if n > maxList {
			return invalid(fmt.Sprintf("a list of a rule has at most %d entries", maxList))
		}
	}
	for _, c := range slices.Concat(r.Countries, r.NotCountries) {
		if c != UnknownCountry && !isCountry(c) {
			return invalid("a country must be two capital letters (ISO 3166), or unknown")
		}
	}
	for _, p := range slices.Concat(r.Networks, r.NotNetworks) {
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
			return invalid("a network must be written as its first address and its length, such as 192.0.2.0/24")
		}
	}
	return nil
}

// checkWords refuses a state or grant that nothing here knows.
func (r *Rule) checkWords() error {
	switch {
	case !slices.Contains([]string{On, Report, Off}, r.State):
		return invalid("the state of a rule must be on, report or off")
	case r.Grant != GrantMFA && r.Grant != GrantBlock:
		return invalid("a rule grants mfa or block")
	}
	return nil
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// standard is what holds as long as nobody has set a rule: everybody is
// asked for a second factor.
func standard() []Rule {
	return []Rule{{Name: "everybody", State: On, Grant: GrantMFA}}
}

// Parse reads rules as JSON; nothing: those that hold as long as nobody
// has set one. A rule that is not understood is not left out: it is an error.
func Parse(text []byte) (rules []Rule, err error) {
	if len(text) == 0 {
		return standard(), nil
	}
	err = json.Unmarshal(text, &rules)
	for i := 0; i < len(rules) && err == nil; i++ {
		err = rules[i].checkWords()
	}
	if err != nil {
		return nil, &cloud.Error{Kind: cloud.Internal, Message: "the rules of access cannot be read", Err: err}
	}
	return rules, nil
}

func invalid(message string) error { return &cloud.Error{Kind: cloud.Invalid, Message: message} }
