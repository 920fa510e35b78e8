package migrate_test

import (
	"regexp"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/legacy"
	numbers "mfabridge/legacy/phone"
	"mfabridge/migrate"
)

// oracle is a second reading of the rules, as plain as it can be made: slow,
// with the whole export in its hands, and of its own words. It shares nothing
// with the program but the reading of telephone numbers. Where it differs from
// the program, one of the two is wrong.
type oracle struct {
	caps   cloud.Capabilities
	opt    migrate.Options
	target *shelf
	rows   []legacy.User
	phones *numbers.Parser
	admins []string // lower case

	meets   []found          // by row: whom it leads to
	sharing map[string][]int // key of identity -> rows
	draw    []*verdict       // by row: as if nobody else were there
	numbers map[string][]int // telephone number that is written, or stays -> rows
	secrets map[string][]int // secret, as it is -> rows
	serials map[string][]int // lower case -> rows
	lying   map[string][]int // secret or lower-case serial number -> rows that do not move it
	names   map[string][]int // login name that a row brings -> rows
}

// found is what a row leads to.
type found struct {
	user   *cloud.User
	create string // the name to create a user by
	code   string // why nothing moves
}

// verdict is what becomes of a row.
type verdict struct {
	action  string
	outlook string
	changes []string
	codes   []string

	row       legacy.User
	user      cloud.User // as it will be
	was       cloud.User
	mode      string
	stands    string // slot of Phone
	holds     bool   // the row has something to register
	moved     []cloud.Method
	tokenKeys []string // secrets of tokens that are this user's
	bad       []string // secrets that may be somebody else's
	off       []string // secrets of generators whose clocks are too far off
	seen      map[int]bool
	added     int // generators
	names     []string
	writes    []string // numbers
}

func (v *verdict) say(code string) { v.codes = append(v.codes, code) }
func (v *verdict) said(code string) bool {
	return slices.Contains(v.codes, code)
}

var sidShape = regexp.MustCompile(`^[sS]-1(-[0-9]{1,15}){2,}$`)

// decideAll judges every row.
func (o *oracle) decideAll() []*verdict {
	o.sharing, o.numbers, o.secrets, o.serials, o.names = map[string][]int{}, map[string][]int{}, map[string][]int{}, map[string][]int{}, map[string][]int{}
	o.lying = map[string][]int{}
	for i, row := range o.rows {
		o.meets = append(o.meets, o.match(row))
		for _, k := range o.identity(i) {
			o.sharing[k] = append(o.sharing[k], i)
		}
	}
	for i, row := range o.rows {
		v := o.judge(i, false)
		o.draw = append(o.draw, v)
		if !o.ignored(row) && o.meets[i].user != nil {
			for _, e := range o.meets[i].user.OATH {
				note(o.secrets, e.Fingerprint, i)
				note(o.serials, strings.ToLower(e.Serial), i)
			}
		}
		if v.action == "skip" && !v.said("USER_NOTHING_TO_MOVE") {
			o.lie(i)
			continue
		}
		for _, n := range v.writes {
			note(o.numbers, dialled(n), i)
		}
		for _, s := range phoneSlots {
			if n := *slotOf(&v.was, s); n == *slotOf(&v.user, s) {
				note(o.numbers, dialled(n), i)
			}
		}
		for _, n := range v.names {
			note(o.names, strings.ToLower(n), i)
		}
		if v.was.Guest {
			o.lie(i)
			continue
		}
		for _, t := range row.Tokens {
			note(o.serials, strings.ToLower(t.Serial), i)
			note(o.secrets, o.print(t.Seed), i)
		}
		for _, d := range row.Devices {
			note(o.secrets, o.print(d.Seed), i)
		}
	}
	var all []*verdict
	for i := range o.rows {
		all = append(all, o.judge(i, true))
	}
	return all
}

// lie notes the generators of a row that stay where they are.
func (o *oracle) lie(i int) {
	for _, t := range o.rows[i].Tokens {
		note(o.lying, "serial "+strings.ToLower(t.Serial), i)
		note(o.lying, "secret "+o.print(t.Seed), i)
	}
	for _, d := range o.rows[i].Devices {
		note(o.lying, "secret "+o.print(d.Seed), i)
	}
}

func note(m map[string][]int, key string, row int) {
	if key != "" && !slices.Contains(m[key], row) {
		m[key] = append(m[key], row)
	}
}

func (o *oracle) print(s legacy.Seed) string {
	if s.State != legacy.SeedOK {
		return ""
	}
	return cloud.Fingerprint(o.caps.Instance, s.Key)
}

// filled is the row with the company's defaults where it says nothing.
func (o *oracle) filled(row legacy.User) legacy.User {
	company := o.opt.Settings.Defaults
	for _, f := range []struct {
		own *string
		all string
	}{{&row.DisabledBehavior, company.DisabledBehavior}, {&row.PinMode, company.PinMode}, {&row.SMSMode, company.SMSMode},
		{&row.SMSDirection, company.SMSDirection}, {&row.PhoneAppMode, company.PhoneAppMode}} {
		if *f.own == "" {
			*f.own = f.all
		}
	}
	return row
}

func (o *oracle) ignored(row legacy.User) bool { return !row.Enabled && !o.opt.IncludeDisabled }

func (o *oracle) sid(row legacy.User) string {
	if sidShape.MatchString(row.SID) {
		return row.SID
	}
	return ""
}

// identity are all keys that say who a row is.
func (o *oracle) identity(i int) []string {
	row := o.rows[i]
	if o.ignored(row) {
		return nil
	}
	var keys []string
	add := func(k string) {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	if row.UPN != "" {
		add("name " + strings.ToLower(row.UPN))
	}
	if strings.Contains(row.Username, "@") {
		add("name " + strings.ToLower(row.Username))
	}
	if sid := o.sid(row); sid != "" {
		add("sid " + strings.ToLower(sid))
	}
	if u := o.meets[i].user; u != nil {
		add("user " + string(u.ID))
	}
	return keys
}

func (o *oracle) match(row legacy.User) found {
	if o.ignored(row) {
		return found{}
	}
	var hit *cloud.User
	look := func(kind cloud.KeyKind, value string) string {
		users := o.target.find(kind, value)
		switch {
		case len(users) > 1:
			return "USER_AMBIGUOUS"
		case len(users) == 1 && hit != nil && hit != users[0]:
			return "USER_MATCH_CONFLICT"
		case len(users) == 1:
			hit = users[0]
		}
		return ""
	}
	problem := ""
	if row.UPN != "" {
		problem = look(cloud.ByUPN, row.UPN)
	}
	if problem == "" && strings.Contains(row.Username, "@") && !strings.EqualFold(row.Username, row.UPN) {
		problem = look(cloud.ByUPN, row.Username)
	}
	if problem == "" && o.sid(row) != "" {
		problem = look(cloud.BySID, row.SID)
	}
	if problem != "" {
		return found{code: problem}
	}
	if hit != nil {
		if o.sid(row) != "" && hit.SID != "" && !strings.EqualFold(hit.SID, row.SID) {
			return found{code: "USER_MATCH_CONFLICT"}
		}
		return found{user: hit}
	}
	name := row.UPN
	if name == "" {
		name = row.Username
	}
	if !o.caps.CreateUsers || !o.opt.CreateUsers || strings.Count(name, "@") != 1 || strings.Contains(name, " ") {
		return found{code: "USER_UNMATCHED"}
	}
	if len(o.target.find(cloud.ByName, name)) > 0 {
		return found{code: "USER_MATCH_CONFLICT"} // the name is somebody's already
	}
	return found{create: name}
}

// others tells whether another row than i is among rows.
func others(rows []int, i int) bool {
	return len(rows) > 1 || len(rows) == 1 && rows[0] != i
}

// judge decides about row i. Without company it is as if it were the only one.
func (o *oracle) judge(i int, company bool) *verdict {
	row, meets := o.filled(o.rows[i]), o.meets[i]
	v := &verdict{row: row, seen: map[int]bool{}, mode: string(row.Mode)}
	if v.mode == "" {
		v.mode = string(o.opt.CompanyMode)
	}
	if !row.Enabled {
		if row.DisabledBehavior == "succeed" {
			v.say("PASSWORD_ONLY_TODAY")
		}
		v.say("USER_DISABLED")
		if !o.opt.IncludeDisabled {
			v.action, v.outlook = "skip", "out_of_scope"
			if row.DisabledBehavior == "succeed" {
				v.outlook = "password_only"
			}
			return v
		}
	}
	if meets.code == "USER_UNMATCHED" && o.caps.CreateUsers && o.opt.CreateUsers && o.meeting(i) {
		meets.code = "USER_MATCH_SHARED"
	}
	if meets.code == "" && o.meeting(i) {
		meets.code = "USER_MATCH_SHARED"
	}
	if meets.code != "" {
		v.say(meets.code)
		v.action, v.outlook = "skip", "locked_out"
		if v.said("PASSWORD_ONLY_TODAY") {
			v.outlook = "password_only"
		}
		return v
	}
	if meets.user != nil {
		v.was, v.user = *meets.user, *meets.user
		v.user.OATH = slices.Clone(meets.user.OATH)
	} else {
		v.was.Forbidden, v.was.ForbiddenWays, v.was.SMSSignIn = o.caps.Forbidden, o.caps.ForbiddenWays, o.caps.SMSSignIn
	}
	if v.was.Privileged {
		named := slices.Contains(o.admins, strings.ToLower(row.Username)) || slices.Contains(o.admins, strings.ToLower(row.UPN)) ||
			slices.Contains(o.admins, strings.ToLower(v.was.UPN))
		if !named {
			v.say("USER_PRIVILEGED")
			v.action = "skip"
			o.close(v)
			return v
		}
		v.say("PRIVILEGED_INCLUDED")
	}
	if row.SID != "" && o.sid(row) == "" {
		v.say("SID_INVALID")
	}
	if meets.user != nil && !v.was.Enabled {
		v.say("CLOUD_USER_DISABLED")
	}
	if v.was.Guest {
		v.say("CLOUD_USER_GUEST")
	}
	methods := o.methods(i, v, company)
	o.sayWhatStays(v)
	o.account(i, v, meets, methods, company)
	o.close(v)
	return v
}

// meeting tells whether another row leads where row i leads.
func (o *oracle) meeting(i int) bool {
	for _, k := range o.identity(i) {
		if others(o.sharing[k], i) {
			return true
		}
	}
	return false
}

// methods decides all methods and returns their changes in order.
func (o *oracle) methods(i int, v *verdict, company bool) []string {
	changes := o.allPhones(i, v, company)
	changes = append(changes, o.email(v)...)
	if !v.was.Guest {
		changes = append(changes, o.tokens(i, v, company)...)
		changes = append(changes, o.devices(i, v, company)...)
	}
	return append(changes, o.push(v)...)
}

func change(op, method, before, after string) string {
	if before == "" {
		before = "none"
	}
	return op + " " + method + " " + before + " -> " + after
}
