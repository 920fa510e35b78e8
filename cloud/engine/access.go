package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/form"
)

// What a rule of access asks for.
const (
	GrantMFA   = "mfa"   // a second factor
	GrantBlock = "block" // nobody gets in
)

// States of a rule of access.
const (
	AccessOn     = "on"
	AccessReport = "report" // what it would ask for is recorded, and not asked for
	AccessOff    = "off"
)

// UnknownCountry is the country of an address that no line of the operator's
// list of networks holds.
const UnknownCountry = "unknown"

// AccessRule says for which sign-ins by native authentication something is
// asked. A rule applies where all its conditions hold; a list that is empty is
// no condition. What a Not… list names is never concerned.
type AccessRule struct {
	Name  string `json:"name"`
	State string `json:"state"` // AccessOn, AccessReport, AccessOff
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

// AccessSigns are what is known of one sign-in.
type AccessSigns struct {
	User      cloud.UserID
	Groups    []string // of the user, with all groups around them
	App       string   // client id
	Address   netip.Addr
	Country   string // two letters, or UnknownCountry
	NewDevice bool
	Failures  int
}

// AccessVerdict is what the rules ask for.
type AccessVerdict struct {
	Grant   string        // GrantBlock, GrantMFA, or empty: nothing more
	Applied []AccessMatch // every rule that is not off, in its order
}

// AccessMatch is one rule held against a sign-in.
type AccessMatch struct {
	Rule    string
	Grant   string
	Report  bool   // it only reports
	Applies bool   // all its conditions hold
	Why     string // the condition that does not hold, or those that do
}

// By are the names of the rules that decided.
func (v AccessVerdict) By() (names []string) {
	for _, m := range v.Applied {
		if m.Applies && !m.Report && m.Grant == v.Grant {
			names = append(names, m.Rule)
		}
	}
	return names
}

// Reported are the names of rules that would have asked for something.
func (v AccessVerdict) Reported() (names []string) {
	for _, m := range v.Applied {
		if m.Applies && m.Report {
			names = append(names, m.Rule+"="+m.Grant)
		}
	}
	return names
}

// JudgeAccess is the whole rule of access, without a look at anything else: a
// block that applies decides, else a second factor that one rule asks for; a
// rule never takes back what another one asks for.
func JudgeAccess(rules []AccessRule, s AccessSigns) (v AccessVerdict) {
	for i := range rules {
		r := &rules[i]
		if r.State != AccessOn && r.State != AccessReport {
			continue
		}
		m := AccessMatch{Rule: r.Name, Grant: r.Grant, Report: r.State == AccessReport}
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
func (r *AccessRule) holds(s AccessSigns) (bool, string) {
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

// Limits on rules.
const (
	maxAccessRules = 200
	maxAccessList  = 1000
	maxAccessRule  = 40 << 10 // bytes of one as JSON: an entry of the audit holds it, and a line of an export that
)

// check says what is wrong with a rule.
func (r *AccessRule) check() error {
	if err := form.CheckText("the name of a rule", r.Name, 64); err != nil {
		return err
	}
	if err := r.checkWords(); err != nil {
		return err
	}
	if r.Failures < 0 || r.Failures > 1000 {
		return refuse(cloud.Invalid, "a number of failures must be 0 to 1000")
	}
	for _, n := range []int{len(r.Users), len(r.NotUsers), len(r.Groups), len(r.NotGroups), len(r.Apps), len(r.NotApps), len(r.Networks), len(r.NotNetworks),
		len(r.Countries), len(r.NotCountries)} {
		if n > maxAccessList {
			return refuse(cloud.Invalid, fmt.Sprintf("a list of a rule has at most %d entries", maxAccessList))
		}
	}
	for _, c := range slices.Concat(r.Countries, r.NotCountries) {
		if c != UnknownCountry && !isCountry(c) {
			return refuse(cloud.Invalid, "a country must be two capital letters (ISO 3166), or unknown")
		}
	}
	for _, p := range slices.Concat(r.Networks, r.NotNetworks) {
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
			return refuse(cloud.Invalid, "a network must be written as its first address and its length, such as 192.0.2.0/24")
		}
	}
	return nil
}

// checkWords refuses a state or grant that nothing here knows.
func (r *AccessRule) checkWords() error {
	switch {
	case !slices.Contains([]string{AccessOn, AccessReport, AccessOff}, r.State):
		return refuse(cloud.Invalid, "the state of a rule must be on, report or off")
	case r.Grant != GrantMFA && r.Grant != GrantBlock:
		return refuse(cloud.Invalid, "a rule grants mfa or block")
	}
	return nil
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}
